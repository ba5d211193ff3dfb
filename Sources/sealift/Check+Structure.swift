import Barrier
import Flags
import Migration
import Storage
import Telemetry
import Workers

extension Check {
    static let structureFlag = FlagSpec.boolean(
        "structure",
        help:
            "Compare nothing: look at every entry of a store, or of both, for damage that shows without any secret. -side names "
            + "one of two.")

    /// Flags of a comparison, which mean nothing to a look at one store.
    private static let flagsOfComparisons = [
        "manifest", "key-file", "start", "prefix", "include", "exclude", "sample", "sample-seed", "combined", "missing",
        "extra",
        "differ", "resume", "stores-unchanged", "listed-only",
    ]

    /// Looks at one store or at both, reading each once.
    ///
    /// - Returns: The exit code.
    func structure(_ logger: Logger) throws -> Int32 {
        if let other = Self.flagsOfComparisons.first(where: flags.isSet) {
            throw MigrationFailure(
                .configuration,
                "-\(other) does not go with -structure, which looks at whole stores and compares nothing.")
        }
        let cancellation = CancellationToken()
        try console.watchSignals(cancellation, announcement: nil)
        let sides = try structureSides(cancellation)
        defer { for side in sides { side.store.close() } }
        let counters = ProgressCounters()
        let context = RunContext(
            logger: logger, counters: counters, cancellation: cancellation, environment: console.environment,
            version: sealiftVersion)
        let display = ProgressDisplay(counters, style: console.progressStyle(flags, logger))
        defer { display.finish(showingLast: false) }
        var results: [CheckedStructure] = []
        for side in sides {
            let check = StructureCheck(side.store, context: context, readers: flags.integer("max-parallel"))
            do {
                results.append(CheckedStructure(side.name, side.store, try check.run()))
            } catch let error as StorageError where error.code == .cancelled {
                throw MigrationFailure(.interrupted, "Interrupted. Nothing was changed.")
            }
        }
        display.finish(showingLast: false)
        if let empty = results.first(where: { $0.result.report.entries == 0 && $0.result.unreadable == 0 }) {
            throw MigrationFailure(.failed, "the \(empty.place) holds no entry. Check its path and options.")
        }
        let allowsLost = flags.boolean("allow-lost-entries")
        let differences = results.count == 2 ? CheckedStructure.differences(results[0], results[1]) : []
        if flags.string("format") == "json" {
            for result in results { EventWriter().emit("structure", result.members(allowsLost: allowsLost)) }
            let areSound = results.allSatisfy { $0.isSound(allowsLost: allowsLost) }
            EventWriter().emit(
                "structure_result",
                [
                    ("sound", .boolean(areSound && differences.isEmpty)), ("stores", .integer(results.count)),
                    ("different_counts", .array(differences.map(\.json))),
                ])
        } else {
            for (number, result) in results.enumerated() {
                console.printResult((number > 0 ? "\n" : "") + result.text(allowsLost: allowsLost))
            }
            if results.count == 2 { console.printResult("\n" + CheckedStructure.text(differences)) }
        }
        for result in results { result.printProblems(console, allowsLost: allowsLost) }
        let isSound = differences.isEmpty && results.allSatisfy { $0.isSound(allowsLost: allowsLost) }
        return isSound ? 0 : MigrationFailure.Kind.differences.rawValue
    }

    /// What to know of the seal before a server is started on one of the stores.
    static func remarks(_ stores: [any StorageSource]) -> [String] {
        var remarks: [String] = []
        for store in stores {
            var found: [String]
            do throws(StorageError) { found = try SealReading.read(store)?.remarks ?? [] } catch {
                // The comparison counts the entry as unreadable; here only that nothing is said of the seal.
                found = ["How \(store.kind) \(store.location) is sealed could not be read: \(error.message)"]
            }
            for remark in found where !remarks.contains(remark) { remarks.append(remark) }
        }
        return remarks
    }

    /// Lines for a person, each with a line feed before it.
    static func remarkText(_ remarks: [String]) -> String { remarks.map { "\n  remark: \($0)" }.joined() }

    /// The stores to be looked at: both of a migration, or the one that was named or that a server has.
    private func structureSides(
        _ cancellation: CancellationToken
    ) throws(MigrationFailure) -> [(name: String, store: any StorageSource)] {
        let file = try ConfigurationFile(
            path: try CommonFlags.configPath(flags), environment: console.environment, allowsFolder: true)
        guard flags.string("side").isEmpty, file.has("storage_source"), file.has("storage_destination") else {
            let side = flags.string("side")
            return [(side.isEmpty ? "store" : side, try openSide(flags, console, cancellation))]
        }
        let blocks = (try file.store("storage_source"), try file.store("storage_destination"))
        let source = try openForReading(blocks.0, console, cancellation)
        do throws(MigrationFailure) {
            return [("source", source), ("destination", try openForReading(blocks.1, console, cancellation))]
        } catch {
            source.close()
            throw error
        }
    }
}

/// What a look at one store found.
private struct CheckedStructure {
    private static let mostLinesOfDifferences = 40

    let side: String
    let kind: String
    let location: String
    let result: StructureCheck.Result

    init(_ side: String, _ store: any StorageSource, _ result: StructureCheck.Result) {
        self.side = side
        kind = store.kind
        location = store.location
        self.result = result
    }

    var place: String { "\(side) (\(kind) \(location))" }

    func isSound(allowsLost: Bool) -> Bool {
        result.report.isSound && result.unreadable == 0 && (allowsLost || result.lost.count == 0)
    }

    func text(allowsLost: Bool) -> String {
        let name = side.prefix(1).uppercased() + side.dropFirst()
        var lines = ["\(name): \(kind) \(location)"] + result.report.lines
        if result.unreadable > 0 { lines.append("  Unreadable    \(counted(result.unreadable, "entry", "entries"))") }
        for reason in ScanNote.Reason.allCases {
            guard let count = result.notes[reason] else { continue }
            lines.append(
                "  " + (reason.isLeftOut ? "Not entries   " : "Look at       ")
                    + "\(formatCount(count)): \(reason.rawValue)")
        }
        return lines.joined(separator: "\n")
    }

    func printProblems(_ console: Console, allowsLost: Bool) {
        for message in result.unreadableMessages { console.printError(message) }
        let advice = allowsLost ? "They were taken for absent." : "To take them for absent, add -allow-lost-entries."
        if let problem = result.lost.problem(of: "the \(place)", advice: advice) { console.printError(problem) }
    }

    func members(allowsLost: Bool) -> [(String, JSONText)] {
        [
            ("side", .string(side)), ("kind", .string(kind)), ("location", .string(location)),
            ("seconds", .double(result.seconds)), ("unreadable", .integer(result.unreadable)),
            ("lost", .integer(result.lost.count)),
            (
                "found",
                .object(
                    ScanNote.Reason.allCases.compactMap { reason in
                        result.notes[reason].map { (reason.rawValue, .integer($0)) }
                    })
            ),
        ] + result.report.members
    }

    /// A folder or mount of which the two stores do not hold as much.
    struct Difference {
        let prefix: String
        let source: (entries: Int, bytes: Int)
        let destination: (entries: Int, bytes: Int)

        var json: JSONText {
            .object([
                ("prefix", .string(prefix)), ("source_entries", .integer(source.entries)),
                ("source_bytes", .integer(source.bytes)), ("destination_entries", .integer(destination.entries)),
                ("destination_bytes", .integer(destination.bytes)),
            ])
        }
    }

    static func differences(_ source: CheckedStructure, _ destination: CheckedStructure) -> [Difference] {
        StructureReport.placesThatDiffer(source.result.report, destination.result.report).map { place in
            Difference(
                prefix: "\(place.prefix)", source: (place.left.entries, place.left.bytes),
                destination: (place.right.entries, place.right.bytes))
        }
    }

    static func text(_ differences: [Difference]) -> String {
        guard !differences.isEmpty else {
            return "Both hold as many entries and bytes below every prefix and mount. Values were not compared."
        }
        var lines = ["The stores do not hold as much below:"]
        for difference in differences.prefix(mostLinesOfDifferences) {
            let name = difference.prefix.isEmpty ? "(top level)" : difference.prefix
            lines.append(
                "  \(name)  source \(formatCount(difference.source.entries)), \(formatBytes(difference.source.bytes)); destination "
                    + "\(formatCount(difference.destination.entries)), \(formatBytes(difference.destination.bytes))")
        }
        if differences.count > mostLinesOfDifferences {
            lines.append("  … and \(formatCount(differences.count - mostLinesOfDifferences)) more")
        }
        return lines.joined(separator: "\n")
    }
}
