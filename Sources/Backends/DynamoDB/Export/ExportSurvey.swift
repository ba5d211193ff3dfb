import DynamoDBFormat
import JSON
import Storage
import Synchronization
import Workers

/// What one look at every item of an export shows: whether it is whole, and what is asked for before a migration.
struct ExportSurvey: Sendable {
    /// Entries whose values are kept.
    static let wellKnown: Set<StorageKey> = [.migrationMarker, .keyring, .sealConfiguration]
    private static let maximumThreads = 4
    private static let maximumProblems = 20

    private(set) var values: [StorageKey: [UInt8]] = [:]
    private(set) var lock: ActiveLock?
    private(set) var entries = 0
    /// Bytes of keys and values, values by the length of their base64.
    private(set) var bytes = 0
    private let keys: KeySketch

    /// Whether there may be an entry; `false` is certain.
    func mayHold(_ key: StorageKey) -> Bool { key.bytes.withUnsafeBytes { keys.mayHold($0) } }

    /// Reads all files, several at once.
    ///
    /// - Throws: One error that names what is wrong with each damaged file, or `.cancelled`.
    init(_ layout: ExportLayout, isCancelled: @escaping @Sendable () -> Bool) throws(StorageError) {
        let files = layout.files
        let found = Mutex((part: Part(), keys: KeySketch()))
        let next = Atomic(0)
        let order = files.indices.sorted { files[$0].size > files[$1].size }
        do {
            try withWorkers(min(max(files.count, 1), Self.maximumThreads)) { _ in
                let reader = try ExportFileReader()
                var part = Part()
                var keys = KeySketch()
                while true {
                    let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                    guard index < order.count else { break }
                    part.read(files[order[index]], reader, &keys, isCancelled)
                }
                found.withLock { found in
                    found.part.add(part)
                    found.keys.add(keys)
                }
            }
        } catch {
            throw error as? StorageError ?? StorageError(.io, "\(error)")
        }
        if isCancelled() { throw StorageError.cancelled }
        let (all, keys) = found.withLock { $0 }
        if let error = Self.error(of: all.problems) { throw error }
        self.keys = keys
        values = all.values
        lock = all.lock
        entries = all.entries
        bytes = all.bytes
    }

    /// One error for all damaged files, in the order of their names.
    private static func error(of problems: [StorageError]) -> StorageError? {
        let sorted = problems.sorted { $0.message < $1.message }
        guard let first = sorted.first, sorted.count > 1 else { return sorted.first }
        let more = sorted.count > maximumProblems ? "\n… and \(sorted.count - maximumProblems) more files" : ""
        return StorageError(
            first.code, sorted.prefix(maximumProblems).map(\.message).joined(separator: "\n") + more)
    }

    /// What some of the files show.
    private struct Part {
        var values: [StorageKey: [UInt8]] = [:]
        var lock: ActiveLock?
        var entries = 0
        var bytes = 0
        var problems: [StorageError] = []

        mutating func read(
            _ file: ExportFile, _ reader: ExportFileReader, _ keys: inout KeySketch, _ isCancelled: () -> Bool
        ) {
            var key: [UInt8] = []
            do throws(StorageError) {
                _ = try reader.read(file) { item throws(StorageError) in
                    if item.index.isMultiple(of: 1024), isCancelled() { throw StorageError.cancelled }
                    let parts = try item.parts(in: file)
                    switch parts.kind {
                    case .marker: break
                    case .lock: lock = ActiveLock(item.node) ?? lock
                    case .entry:
                        ItemKey.storageKey(path: parts.path, name: parts.name, into: &key)
                        try add(key, item, parts, file, &keys)
                    }
                    return true
                }
            } catch {
                if error.code != .cancelled { problems.append(error) }
            }
        }

        private mutating func add(
            _ key: [UInt8], _ item: ExportFileReader.Item, _ parts: ItemReader.Parts, _ file: ExportFile,
            _ keys: inout KeySketch
        ) throws(StorageError) {
            entries += 1
            bytes += key.count + (parts.value?["B"]?.bytes.count ?? 0) / 4 * 3
            key.withUnsafeBytes { keys.insert($0) }
            let known = StorageKey(key)
            guard ExportSurvey.wellKnown.contains(known) else { return }
            do throws(StorageError) {
                values[known] = try ItemReader.value(of: item.node, key: known)
            } catch {
                throw item.located(error, in: file)
            }
        }

        mutating func add(_ other: Part) {
            values.merge(other.values) { $1 }
            lock = lock ?? other.lock
            entries += other.entries
            bytes += other.bytes
            problems += other.problems
        }
    }
}
