import DynamoDBFormat
package import Storage
import Wording

extension DynamoDBBackend {
    package func readPlan() throws(StorageError) -> ServicePlan? {
        guard let table = try tableDescription() else { return nil }
        let perUnit = CapacityRules.bytesPerReadUnit * (settings.readsConsistently ? 1 : 2)
        let units = CapacityRules.roundedUp(table.bytes, perUnit)
        let pages = max(CapacityRules.roundedUp(table.bytes, CapacityRules.pageBytes), 1)
        let rate = settings.readRate.unitsPerSecond(provisioned: table.provisionedRead)
        let planned = rate ?? Double(table.provisionedRead ?? CapacityRules.onDemandReads)
        let consistency = settings.readsConsistently ? "strongly consistent" : "eventually consistent"
        var lines = [
            ServicePlan.Line(
                "Items", "\(table.items), markers included (as the service counted them, up to six hours ago)"),
            ServicePlan.Line("Bytes", "\(table.bytes)"),
            ServicePlan.Line("Read units", "\(units) = \(table.bytes) bytes / \(perUnit) bytes a unit, \(consistency)"),
            ServicePlan.Line(
                "Requests", "about \(pages) = \(table.bytes) bytes / \(CapacityRules.pageBytes) bytes a page"),
            ServicePlan.Line(
                "Stock walk",
                "at least \(units + table.items) units: \(units) to list the directories with all their values, then a read "
                    + "of its own, rounded up, for each entry"),
        ]
        lines += Self.rateLines(
            provisioned: table.provisionedRead, onDemand: CapacityRules.onDemandReads, limit: settings.readRate,
            planned: planned, units: units)
        lines.append(
            ServicePlan.Line(
                "Backup",
                "\(backupCommand) --backup-name before-migration, or operator migrate -source-backup=before-migration"))
        return ServicePlan(lines: lines, units: units, requests: pages, unitsPerSecond: planned)
    }

    /// What makes a backup of the table by hand, without the name.
    private var backupCommand: String {
        let address = settings.endpoint == nil ? "" : " --endpoint-url \(shellWord(table.transport.endpoint))"
        return "aws dynamodb create-backup\(address) --region \(settings.region) --table-name \(shellWord(table.name))"
    }

    package func writeEstimator() throws(StorageError) -> any WriteEstimator {
        let provisioned: Int?
        if let table = try tableDescription() {
            provisioned = table.provisionedWrite
        } else if case .provisioned(_, let write) = settings.creation {
            provisioned = write
        } else {
            provisioned = nil
        }
        return DynamoDBWriteEstimator(limit: settings.writeRate, provisioned: provisioned)
    }

    /// Some thirty thousand years: a rate may be set as near to nothing as one likes.
    private static let maximumSeconds = 1e12

    static func rateLines(
        provisioned: Int?, onDemand: Int, limit: DynamoDBSettings.CapacityLimit, planned: Double, units: Int
    ) -> [ServicePlan.Line] {
        let capacity =
            provisioned.map { "provisioned, \($0) units a second" } ?? "on demand, at first \(onDemand) units a second"
        var bounds: [String] = []
        if let share = limit.share { bounds.append("a share of \(share)") }
        if let units = limit.units { bounds.append("at most \(units) units a second") }
        let seconds = min((Double(units) / planned).rounded(.up), maximumSeconds)
        return [
            ServicePlan.Line(
                "Capacity", capacity + (bounds.isEmpty ? "" : "; to be used: " + bounds.joined(separator: ", "))),
            ServicePlan.Line("Time", "at least \(Int(seconds)) s = \(units) units / \(planned) units a second"),
        ]
    }
}

/// Counts write units: one for each begun KiB of an entry's item, and one for each directory's marker.
final class DynamoDBWriteEstimator: WriteEstimator {
    private let limit: DynamoDBSettings.CapacityLimit
    private let provisioned: Int?
    private var entries = 0
    /// Whether only numbers were told, and not the entries themselves.
    private var isEstimate = false
    private var entryUnits = 0
    private var directories = 0
    private var directory: [UInt8] = []

    init(limit: DynamoDBSettings.CapacityLimit, provisioned: Int?) {
        self.limit = limit
        self.provisioned = provisioned
    }

    func add(_ batch: EntryBatch) {
        for index in 0..<batch.count {
            let key = batch.key(index)
            entries += 1
            let slashOrSpace = key.contains(UInt8(ascii: "/")) ? -1 : 1
            entryUnits += CapacityRules.roundedUp(
                key.count + slashOrSpace + batch.valueCount(index) + CapacityRules.nameBytes,
                CapacityRules.bytesPerWriteUnit)
            let slash = key.lastIndex(of: UInt8(ascii: "/")) ?? 0
            let next = key[..<slash]
            guard !next.elementsEqual(directory) else { continue }
            // In key order, a directory is new unless it leads to the one before.
            var common = 0
            for (place, (new, old)) in zip(next, directory).enumerated() {
                guard new == old else { break }
                if new == UInt8(ascii: "/") { common = place + 1 }
            }
            if directory.count > common, next.starts(with: directory),
                next.dropFirst(directory.count).first == UInt8(ascii: "/")
            {
                common = directory.count + 1
            }
            let isKnown = directory.starts(with: next) && directory.dropFirst(next.count).first == UInt8(ascii: "/")
            if !isKnown, !next.isEmpty {
                directories += next.dropFirst(common).split(separator: UInt8(ascii: "/")).count
            }
            directory = Array(next)
        }
    }

    func add(entries count: Int, bytes: Int) {
        isEstimate = true
        entries += count
        // On average, the begun unit of each entry is half used.
        entryUnits += bytes / CapacityRules.bytesPerWriteUnit + count / 2
    }

    func plan() -> ServicePlan {
        let units = entryUnits + directories
        let planned =
            limit.unitsPerSecond(provisioned: provisioned) ?? Double(provisioned ?? CapacityRules.onDemandWrites)
        let requests = CapacityRules.roundedUp(entries + directories, VaultTable.batchWrites)
        var lines = [
            ServicePlan.Line(
                "Items",
                isEstimate
                    ? "about \(entries), markers included"
                    : "\(entries) \(plural(entries, "entry", "entries")) and \(directories) directory "
                        + plural(directories, "marker")),
            ServicePlan.Line(
                "Write units",
                "\(units) = \(entryUnits) (entries, each rounded up to \(CapacityRules.bytesPerWriteUnit) bytes) + "
                    + "\(directories) (markers)"),
            ServicePlan.Line(
                "Requests",
                "\(requests) = \(entries + directories) \(plural(entries + directories, "item")) / "
                    + "\(VaultTable.batchWrites) a request"
            ),
        ]
        lines += DynamoDBBackend.rateLines(
            provisioned: provisioned, onDemand: CapacityRules.onDemandWrites, limit: limit, planned: planned,
            units: units)
        return ServicePlan(lines: lines, units: units, requests: requests, unitsPerSecond: planned)
    }
}
