import Files
import Glibc
import JSON
package import Storage
import Synchronization

/// A store in one text file, a line per entry: the escaped key, a tab, the value in base64. The smallest storage backend
/// there is, for the page on adding one; all of it is in memory while it is open.
package final class LineFileBackend: KeyValueStore, StorageDestination {
    package let kind = "linefile"
    package let location: String
    package let identity: StoreIdentity
    package let traits = SourceTraits(isAscending: true)
    package let rules: EntryRules = []
    package var serverUse: ServerUse? { nil }

    private struct State {
        var entries: [StorageKey: [UInt8]]
        var isClosed = false
    }

    private let state: Mutex<State>

    /// - Throws: `.missingStore` for a file that must be there and is not, `.damagedStore` for one of another form.
    package init(path: String, mustExist: Bool) throws(StorageError) {
        location = path
        let resolved = resolvedPath(path)
        identity = StoreIdentity("linefile:\(resolved)", path: resolved)
        state = Mutex(State(entries: try Self.read(path, mustExist: mustExist)))
    }

    package func get(_ key: StorageKey) throws(StorageError) -> [UInt8]? {
        try withEntries { entries in entries[key] }
    }

    package func list(_ prefix: StorageKey) throws(StorageError) -> [StorageKey] {
        let names = try withEntries { entries in
            entries.keys.filter { $0.hasPrefix(prefix) && $0 != prefix }.map { key in
                let rest = key.bytes[prefix.bytes.count...]
                return StorageKey(Array(rest.firstIndex(of: UInt8(ascii: "/")).map { rest[...$0] } ?? rest))
            }
        }
        return Set(names).sorted()
    }

    package func partitions(_ count: Int) throws(StorageError) -> [StoragePartition] {
        try withEntries { _ in [.whole] }
    }

    package func scan(
        _ request: ScanRequest, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        let start = request.cursor.map { StorageKey($0.bytes) }
        let entries = try withEntries { entries in entries.sorted { $0.key < $1.key } }
        var batch = request.pool.take()
        for (key, value) in entries {
            if request.isCancelled() { throw StorageError.cancelled }
            if let start, key <= start { continue }
            guard key.bytes.withUnsafeBytes(request.partition.contains) else { continue }
            batch.append(key: key, value: request.content == .keys ? [] : value)
            batch.cursor = ScanCursor(key.bytes)
            guard batch.isFull else { continue }
            guard try deliver(batch) else { return }
            batch = request.pool.take()
        }
        if batch.count > 0 { _ = try deliver(batch) }
    }

    package func put(_ key: StorageKey, _ value: [UInt8]) throws(StorageError) {
        try change { $0[key] = value }
    }

    package func delete(_ key: StorageKey) throws(StorageError) {
        try change { $0[key] = nil }
    }

    package func bulkLoader(_ plan: LoadPlan) throws(StorageError) -> any BulkLoader {
        try withEntries { _ in }
        return LineFileLoader(self, plan)
    }

    package func close() {
        state.withLock { $0 = State(entries: [:], isClosed: true) }
    }

    private func withEntries<Result>(_ body: ([StorageKey: [UInt8]]) -> Result) throws(StorageError) -> Result {
        try state.withLock { state throws(StorageError) in
            guard !state.isClosed else { throw StorageError(.io, "\(location) was closed.") }
            return body(state.entries)
        }
    }

    /// Changes the entries and writes the file anew: the old or the new one stands there whole.
    fileprivate func change(_ body: (inout [StorageKey: [UInt8]]) -> Void) throws(StorageError) {
        try state.withLock { state throws(StorageError) in
            guard !state.isClosed else { throw StorageError(.io, "\(location) was closed.") }
            body(&state.entries)
            var text: [UInt8] = []
            for (key, value) in state.entries {
                key.bytes.withUnsafeBytes { appendEscapedKey($0, to: &text) }
                text.append(UInt8(ascii: "\t"))
                value.withUnsafeBytes { Base64.append($0, to: &text) }
                text.append(UInt8(ascii: "\n"))
            }
            try replaceFile(location, text)
        }
    }

    private static func read(_ path: String, mustExist: Bool) throws(StorageError) -> [StorageKey: [UInt8]] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            guard errno == ENOENT, !mustExist else {
                throw StorageError(
                    .missingStore, "\(path): \(systemMessage(errno)). A source is never created: correct its path.")
            }
            return [:]
        }
        defer { Glibc.close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &piece, piece.count)
            guard count >= 0 else { throw StorageError.system("read", path, errno: errno) }
            guard count > 0 else { break }
            bytes += piece[..<count]
        }
        var entries: [StorageKey: [UInt8]] = [:]
        for (number, line) in bytes.split(separator: UInt8(ascii: "\n")).enumerated() {
            guard let (key, value) = entry(line), entries.updateValue(value, forKey: key) == nil else {
                throw StorageError(
                    .damagedStore,
                    "\(path):\(number + 1): this is no entry, or one that is there twice. Use an intact copy.")
            }
        }
        return entries
    }

    private static func entry(_ line: ArraySlice<UInt8>) -> (StorageKey, [UInt8])? {
        guard let tab = line.firstIndex(of: UInt8(ascii: "\t")), let key = StorageKey(escaped: line[..<tab]) else {
            return nil
        }
        let encoded = Array(line[(tab + 1)...])
        var isValid = true
        let value = [UInt8](unsafeUninitializedCapacity: Base64.maximumDecodedCount(encoded.count) + 3) { room, used in
            let count = encoded.withUnsafeBytes { Base64.decode($0, into: UnsafeMutableRawBufferPointer(room)) }
            isValid = count != nil
            used = count ?? 0
        }
        return isValid ? (key, value) : nil
    }
}

/// Keeps batches until the end, which writes the file once.
private final class LineFileLoader: BulkLoader {
    private let store: LineFileBackend
    private let plan: LoadPlan
    private let pending = Mutex<[StorageKey: [UInt8]]?>([:])

    init(_ store: LineFileBackend, _ plan: LoadPlan) {
        self.store = store
        self.plan = plan
    }

    let needsAscendingKeys = false

    func load(_ batch: EntryBatch) throws(StorageError) {
        let isOver = pending.withLock { pending in
            for index in 0..<batch.count {
                pending?[StorageKey(copying: batch.key(index))] = Array(batch.value(index))
            }
            return pending == nil
        }
        plan.pool.recycle(batch)
        if isOver { throw StorageError(.io, "\(store.location): the load has ended.") }
    }

    func finish() throws(StorageError) {
        let loaded = pending.withLock { pending in
            defer { pending = nil }
            return pending ?? [:]
        }
        try store.change { $0.merge(loaded) { $1 } }
    }

    /// A file that was replaced is durable.
    func sync() throws(StorageError) {}

    func written() throws(StorageError) -> any StorageSource { store }

    func publish() throws(StorageError) {}

    func abandon() { pending.withLock { $0 = nil } }
}
