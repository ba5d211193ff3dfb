import Barrier
import Flags
import Migration
import Storage
import Telemetry
import Workers

/// `sealift plan`: what a migration would ask of services, and how long it would take at least.
let planCommand = CommandSpec(
    path: ["sealift", "plan"], summary: "Print what a migration would cost and how long it would take",
    description: """
        For a store that is a service with counted capacity (DynamoDB), prints the units and requests that reading or \
        writing it would take, the time at the configured share or at what the table allows, and the arithmetic. Writes \
        nothing. A source that is no service is read once to count what a service as destination would have to take. Also \
        prints how the source is sealed, and what of that, or of its names, a server on the destination could not start on.

        Exit codes: 0 done, 1 flags or configuration, 2 a store could not be read or the result not written, 130 interrupted.
        """,
    examples: [.init("Before the outage window:", "sealift plan -config migrate.hcl")],
    flags: [
        CommonFlags.config, CommonFlags.maxParallel, CommonFlags.logLevel, CommonFlags.logFormat, CommonFlags.format,
    ])

/// Runs `plan`.
struct Plan {
    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    func run() -> Int32 {
        console.perform(flags) { _ in
            try plan()
            return 0
        }
    }

    private func plan() throws {
        let file = try ConfigurationFile(path: try CommonFlags.configPath(flags), environment: console.environment)
        let cancellation = CancellationToken()
        try console.watchSignals(cancellation, announcement: nil)
        let source = try openForReading(try file.store("storage_source"), console, cancellation)
        defer { source.close() }
        let block = try file.store("storage_destination")
        if let driver = backendDrivers.first(where: { $0.kind == block.type }) { _ = try block.checkOptions(driver) }
        let destinations = try block.openDestinations(
            backendDrivers,
            DestinationContext(clusterAddress: try file.clusterAddress(), isPractice: true, isDryRun: true))
        defer { for destination in destinations { destination.close() } }
        // The nodes of a cluster are directories of this machine, of which none is asked anything.
        guard let destination = destinations.first else { return }
        let reading = try source.meter?.readPlan()
        let writing = try writePlan(source, destination, cancellation)
        let seal = try SealReading.read(source)
        var remarks = seal?.remarks ?? []
        if !source.isRemote { remarks += try StoreLayout.read(source).remarks(for: destination) }
        if flags.string("format") == "json" {
            EventWriter().emit(
                "plan",
                [
                    ("source", members(source, reading)), ("destination", members(destination, writing)),
                    ("seal", seal.map { .object($0.members) } ?? .null),
                    ("remarks", .array(remarks.map(JSONText.string))),
                ])
        } else {
            let parts =
                [text("Source", source, reading), text("Destination", destination, writing)]
                + [seal.map { "Seal: \($0.summary)" }].compactMap { $0 } + remarks.map { "Remark: \($0)" }
            console.printResult(parts.joined(separator: "\n\n"))
        }
    }

    private func writePlan(
        _ source: any StorageSource, _ destination: any StorageDestination, _ cancellation: CancellationToken
    ) throws -> ServicePlan? {
        guard let estimator = try destination.meter?.writeEstimator() else { return nil }
        if source.isRemote {
            estimator.add(entries: source.estimatedEntries() ?? 0, bytes: source.estimatedBytes() ?? 0)
            return estimator.plan()
        }
        var options = DigestedScan.Options()
        options.request.readers = flags.integer("max-parallel")
        options.request.isCancelled = { cancellation.isCancelled }
        let scan = DigestedScan(source, options)
        defer { scan.stop() }
        while let batch = try scan.nextBatch() {
            estimator.add(batch.entries)
            batch.recycle()
        }
        return estimator.plan()
    }

    private func text(_ side: String, _ store: any StorageBackend, _ plan: ServicePlan?) -> String {
        let title = "\(side): \(store.kind) \(store.location)"
        guard let plan else {
            return "\(title)\n  No service that counts: only this machine's disks and network decide."
        }
        let rows = plan.lines.map { line in
            "  " + line.name + String(repeating: " ", count: max(13 - line.name.count, 1)) + line.text
        }
        return ([title] + rows).joined(separator: "\n")
    }

    private func members(_ store: any StorageBackend, _ plan: ServicePlan?) -> JSONText {
        var members: [(String, JSONText)] = [("kind", .string(store.kind)), ("location", .string(store.location))]
        if let plan {
            members += [
                ("units", .integer(plan.units)), ("requests", .integer(plan.requests)),
                ("units_per_second", .double(plan.unitsPerSecond)), ("seconds", .double(plan.seconds)),
                ("arithmetic", .object(plan.lines.map { ($0.name, .string($0.text)) })),
            ]
        }
        return .object(members)
    }
}
