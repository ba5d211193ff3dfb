package import RaftFormat
package import Storage
import Synchronization
import Wording

/// A snapshot archive read as a store: in one pass from its beginning to its end, verified by its checksums.
///
/// A small archive is read when it is opened and answers from memory. Of a larger one only the entries that say what
/// store it is (`core/`) are kept: any other entry, and any other directory, is looked for from the beginning. What a
/// scan delivers is tentative until it ends without an error.
package final class SnapshotSource: SealedSumsSource {
    package static let storeKind = "raft_snapshot"

    package let kind = SnapshotSource.storeKind
    package let location: String
    package let remarks: [String]
    let file: SnapshotFile
    /// All entries of a small archive.
    let entries: SortedEntries?
    /// What `meta.json` says; `nil` if it lies behind the entries of a large archive.
    package let meta: SnapshotMeta?
    /// What was verified of a small archive when it was opened.
    let contents: SnapshotParser.Contents?
    private let isCancelled: @Sendable () -> Bool
    private let core = Mutex<CoreEntries?>(nil)
    /// What was verified of a large archive when it was last read to its end.
    let verified = Mutex<SnapshotParser.Contents?>(nil)
    private let isClosed = Mutex(false)

    /// Opens an archive.
    ///
    /// - Parameters:
    ///   - limit: How much is kept in memory.
    ///   - isCancelled: Asked while the archive is looked into.
    /// - Throws: `.missingStore` if there is no file, `.damagedStore` saying what is wrong with it or what it is
    /// instead.
    package convenience init(
        path: String, isCancelled: @escaping @Sendable () -> Bool = { false }
    ) throws(StorageError) {
        try self.init(path: path, limit: SortedEntries.Limit(), isCancelled: isCancelled)
    }

    init(
        path: String, limit: SortedEntries.Limit, isCancelled: @escaping @Sendable () -> Bool = { false }
    ) throws(StorageError) {
        location = path
        self.isCancelled = isCancelled
        let file = try SnapshotFile(path: path)
        self.file = file
        do {
            let loaded = try SortedEntries.read(file, limit, isCancelled: isCancelled)
            (entries, contents) = (loaded?.0, loaded?.1)
            meta = try loaded?.1.meta ?? Self.firstMeta(file, isCancelled)
        } catch {
            throw StorageError.ofSnapshot(error, path)
        }
        remarks = Self.remarks(meta, entries)
    }

    /// What `meta.json` says if it is where servers write it, before the entries.
    private static func firstMeta(_ file: SnapshotFile, _ isCancelled: () -> Bool) throws -> SnapshotMeta? {
        let found = Mutex<SnapshotMeta?>(nil)
        _ = try file.read(isCancelled: isCancelled, begun: { meta in found.withLock { $0 = meta } }) { _ in
            // The file's first piece is taken whole, and nothing behind it.
            false
        }
        return found.withLock { $0 }
    }

    private static func remarks(_ meta: SnapshotMeta?, _ entries: SortedEntries?) -> [String] {
        var remarks = [
            meta.map { "The snapshot stands at \($0.placeText)." }
                ?? "meta.json lies behind the entries: the snapshot's index is known once all is read."
        ]
        if let entries, !entries.isOrdered {
            let replaced =
                entries.replaced > 0
                ? " Of keys that come several times the last entry counts, as a restore would have it: "
                    + "\(entries.replaced) "
                    + "\(plural(entries.replaced, "entry", "entries")) before it left out." : ""
            remarks.append("The archive's keys are in no order, which no server writes.\(replaced)")
        }
        return remarks
    }

    package var identity: StoreIdentity {
        StoreIdentity("\(kind):\(location)", path: location)
    }

    package var traits: SourceTraits { SourceTraits(isAscending: true, readsFromTheStart: entries == nil) }

    package var rules: EntryRules { .raftSnapshot }

    package func estimatedBytes() -> Int? {
        if let entries { return entries.contentBytes }
        // What is claimed is believed as far as gzip can have packed it (RFC 1951: 1032 to 1).
        return meta.flatMap { $0.size / 1032 <= file.size ? $0.size : nil }
    }

    package func estimatedEntries() -> Int? { entries?.count }

    package func close() { isClosed.withLock { $0 = true } }

    func checkOpen() throws(StorageError) {
        if isClosed.withLock({ $0 }) { throw StorageError(.io, "\(location) was closed.") }
    }

    // MARK: single entries

    package func get(_ key: StorageKey) throws(StorageError) -> [UInt8]? {
        try checkOpen()
        if let entries { return entries.value(of: key) }
        if key.bytes.starts(with: CoreEntries.folder) {
            let core = try coreEntries()
            if let value = core.values[key] { return value }
            // An archive in no order has them anywhere; no store is without a keyring.
            if core.isComplete, core.values[.keyring] != nil { return nil }
        }
        var found: [UInt8]?
        try look { candidate, value in
            let order = key.bytes.withBytes { compareBytes(candidate, $0) }
            if order == 0 { found = Array(value) }
            return order < 0
        }
        return found
    }

    package func list(_ prefix: StorageKey) throws(StorageError) -> [StorageKey] {
        try checkOpen()
        var names: [StorageKey] = []
        let take = { (key: UnsafeRawBufferPointer, _: UnsafeRawBufferPointer) in
            guard key.starts(with: prefix.bytes) else { return prefix.bytes.withBytes { compareBytes(key, $0) } < 0 }
            let rest = key[prefix.bytes.count...]
            let name = rest.firstIndex(of: UInt8(ascii: "/")).map { rest[...$0] } ?? rest[...]
            if !name.isEmpty, names.last.map({ !name.elementsEqual($0.bytes) }) ?? true {
                names.append(StorageKey(Array(name)))
            }
            return true
        }
        if let entries {
            do { try entries.forEach(from: prefix, take) } catch { throw StorageError.ofSnapshot(error, location) }
        } else if prefix.bytes.elementsEqual(CoreEntries.folder), try coreEntries().isComplete {
            names = try coreEntries().names
        } else {
            try look(take)
        }
        return names
    }

    package func checksums() throws(StorageError) -> (clear: [UInt8], sealed: [UInt8]?) {
        try checkOpen()
        if let contents { return (contents.sums, contents.sealed) }
        if verified.withLock({ $0 }) == nil {
            do {
                let read = try file.read(isCancelled: isCancelled) { _ in true }
                verified.withLock { $0 = read }
            } catch {
                throw StorageError.ofSnapshot(error, location)
            }
        }
        let found = verified.withLock { $0 }
        return (found?.sums ?? [], found?.sealed)
    }

    private func coreEntries() throws(StorageError) -> CoreEntries {
        if let known = core.withLock({ $0 }) { return known }
        var found = CoreEntries()
        try look { key, value in found.take(key, value) }
        let result = found
        core.withLock { $0 = result }
        return result
    }

    /// Reads from the beginning until `body` wants no more.
    private func look(
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> Bool
    ) throws(StorageError) {
        do {
            var order = KeyOrder()
            _ = try withoutActuallyEscaping(body) { body in
                var frames = SnapshotFrames()
                let contents = try file.read(isCancelled: isCancelled) { bytes in
                    try frames.take(bytes) { key, value in
                        try order.check(key)
                        return try body(key, value)
                    }
                }
                if contents != nil { try frames.finish() }
            }
        } catch {
            throw StorageError.ofSnapshot(error, location)
        }
    }
}

/// The entries that say what store it is, as they were found at the beginning of a large archive.
struct CoreEntries: Sendable {
    static let folder = Array("core/".utf8)
    private static let mostBytes = 16 << 20

    private(set) var values: [StorageKey: [UInt8]] = [:]
    /// The names directly in the folder.
    private(set) var names: [StorageKey] = []
    /// Whether all of them are here, if the archive is in order.
    private(set) var isComplete = true
    private var bytes = 0

    /// Takes an entry, if it is one of them.
    ///
    /// - Returns: Whether more may come.
    mutating func take(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool {
        guard key.starts(with: Self.folder) else {
            return Self.folder.withBytes { compareBytes(key, $0) } < 0
        }
        bytes += key.count + value.count + 64
        guard bytes <= Self.mostBytes else {
            isComplete = false
            return false
        }
        values[StorageKey(copying: key)] = Array(value)
        let rest = key[Self.folder.count...]
        let name = StorageKey(Array(rest.firstIndex(of: UInt8(ascii: "/")).map { rest[...$0] } ?? rest[...]))
        if !name.bytes.isEmpty, names.last != name { names.append(name) }
        return true
    }
}

/// Sees that keys ascend, as servers write them.
struct KeyOrder {
    private var last: [UInt8] = []
    private var count = 0

    mutating func check(_ key: UnsafeRawBufferPointer) throws(StorageError) {
        count += 1
        if count > 1, last.withBytes({ compareBytes(key, $0) }) <= 0 {
            throw StorageError(
                .unsupported,
                "the keys in the archive are in no order from entry \(count) on, which no server writes. Only an "
                    + "archive of up to "
                    + "32 MiB is read that way. Restore it into a cluster and take a snapshot of that.",
                key: StorageKey(copying: key))
        }
        last.removeAll(keepingCapacity: true)
        last.append(contentsOf: key)
    }
}

extension SnapshotMeta {
    /// Log position and membership in words.
    package var placeText: String {
        let servers = configuration.servers
        let members = servers.map { server in
            "\(StorageKey(server.id)) at \(StorageKey(server.address))\(server.suffrage == .voter ? "" : " (no voter)")"
        }
        return "log index \(position.index), term \(position.term), "
            + (servers.isEmpty
                ? "of a cluster that it does not name"
                : "of a cluster of \(servers.count) \(plural(servers.count, "server")): "
                    + "\(members.joined(separator: ", "))")
    }
}

extension EntryRules {
    /// What servers that restore an archive keep: bbolt's limits (``StateMachineNames``).
    static let raftSnapshot: EntryRules = [
        .emptyKey, .longerKey(than: StateMachineNames.maximumKeyBytes),
        .largerValue(than: StateMachineNames.maximumValueBytes),
    ]
}
