package import Bolt
import Files
import Glibc
import RaftFormat
package import Storage
import Synchronization
import Workers

/// A directory of integrated storage (`storage "raft"`), read through our own bbolt reader under a shared lock: the
/// node's files are never changed and its place in the cluster is never taken.
package final class RaftDirectoryBackend: StorageSource {
    package let kind = "raft"
    package let location: String
    package let remarks: [String]
    private let findings: [StoreFinding]
    /// What whoever reads the store should know of its log: entries that are not in the data, and what was done about
    /// it.
    package let logWarnings: [String]
    private let reader: BoltReader
    private let data: OverlaidData
    /// What tells this content from that of the same directory read in another way.
    private let manner: String
    private let isClosed = Mutex(false)

    /// Opens the state machine's file of a directory, and reads the log behind it as far as it is to be applied.
    ///
    /// - Parameters:
    ///   - isSettled: `false` for a directory that this process is still making durable.
    ///   - applyLog: What is done with log entries that the data lacks; `nil` if nobody has decided: then writes among
    ///     them are a finding, and the data is read as it stands.
    /// - Throws: `.missingStore` if there is none, `.inUse` if a server has it open, `.damagedStore` if it contradicts
    ///   its format, or if log entries that are to be applied cannot be.
    package init(
        path: String, isSettled: Bool = true, applyLog: ApplyLog? = nil,
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) throws(StorageError) {
        location = path
        reader = try Self.open("\(path)/vault.db", in: path, isSettled: isSettled)
        do throws(StorageError) {
            let bucket = try Self.dataBucket(of: reader)
            let look = try LogLook(at: reader, bucket, in: path, applyLog, isCancelled)
            data = OverlaidData(bucket: bucket, tail: look.tail)
            manner = look.manner
            remarks = reader.notes + look.remarks
            findings = look.findings
            logWarnings = look.warnings
        } catch {
            reader.close()
            throw error
        }
    }

    private static func open(
        _ file: String, in path: String, isSettled: Bool
    ) throws(StorageError) -> BoltReader {
        do throws(BoltError) {
            return try BoltReader(path: file, isSettled: isSettled)
        } catch {
            switch error.code {
            case .inUse:
                throw StorageError(
                    .inUse,
                    "\(file) is locked: a server runs on this directory. Stop that node, or copy the directory while it "
                        + "is stopped, or take a node that is not running, and run again.")
            case .notFound:
                throw StorageError(
                    .missingStore,
                    "failed to open bolt file: open \(file): no such file or directory. The path must be the one of a "
                        + "storage \"raft\" stanza: the directory that holds vault.db.")
            default: throw StorageError(error)
            }
        }
    }

    private static func dataBucket(of reader: BoltReader) throws(StorageError) -> BoltBucket {
        let bucket = try storageErrors { () throws(BoltError) in try reader.bucket(StateMachineNames.data) }
        guard let bucket else {
            throw StorageError(
                .damagedStore, "vault.db has no bucket \"data\": it was not written by a server's integrated storage.")
        }
        return bucket
    }

    package var identity: StoreIdentity {
        let resolved = resolvedPath(location)
        return StoreIdentity("raft:\(resolved)", path: resolved)
    }

    package var traits: SourceTraits { SourceTraits(isAscending: true) }

    package var rules: EntryRules { .raftDirectory }

    package func sourceFindings() throws(StorageError) -> [StoreFinding] { findings }

    package func incarnation() throws(StorageError) -> String { manner }

    package func get(_ key: StorageKey) throws(StorageError) -> [UInt8]? {
        try checkOpen()
        return try storageErrors {
            try key.bytes.withUnsafeBytes { key in try data.withValue(forKey: key) { Array($0) } }
        }
    }

    package func list(_ prefix: StorageKey) throws(StorageError) -> [StorageKey] {
        try checkOpen()
        var names: [StorageKey] = []
        var from: [UInt8]? = prefix.bytes
        // One visit per child: behind a folder's first entry the walk goes on behind the folder.
        while let lower = from {
            from = nil
            try storageErrors {
                try data.visit(from: lower, to: nil, readsValues: false) { key, _ in
                    guard key.starts(with: prefix.bytes) else { return false }
                    let rest = key[prefix.bytes.count...]
                    guard let slash = rest.firstIndex(of: UInt8(ascii: "/")) else {
                        if !rest.isEmpty { names.append(StorageKey(Array(rest))) }
                        return true
                    }
                    names.append(StorageKey(Array(rest[...slash])))
                    from = Array(key[..<slash]) + [UInt8(ascii: "/") + 1]
                    return false
                }
            }
        }
        return names
    }

    package func partitions(_ count: Int) throws(StorageError) -> [StoragePartition] {
        try checkOpen()
        guard count > 1 else { return [.whole] }
        let boundaries = try storageErrors { () throws(BoltError) in try data.bucket.approximateBoundaries(count: count)
        }
        return StoragePartition.split(at: boundaries.map { StorageKey($0) })
    }

    package func scan(
        _ request: ScanRequest, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        try checkOpen()
        try RaftDirectoryScan(data: data, request: request).run(deliver)
    }

    /// Pages of a directory that was built in bulk are about three quarters full of keys and values, those that a
    /// server wrote a little less.
    package func estimatedBytes() -> Int? { (reader.fileSize / 4 * 3).clampedSum(data.tail?.bytes ?? 0) }

    package func measure(isCancelled: @escaping @Sendable () -> Bool) throws(StorageError) -> StoreSize? {
        // The file never shrinks: of one that was deleted from, only reading tells what it holds.
        var request = ScanRequest(readers: 2)
        request.pool = BatchPool(keepsValues: false)
        request.isCancelled = isCancelled
        let pool = request.pool
        var size = StoreSize(entries: 0, bytes: 0)
        try scan(request) { batch throws(StorageError) in
            size.entries = size.entries?.clampedSum(batch.count)
            size.bytes = size.bytes?.clampedSum(batch.byteCount)
            pool.recycle(batch)
            return true
        }
        return size
    }

    package func close() {
        isClosed.withLock { $0 = true }
        data.tail?.close()
        reader.close()
    }

    private func checkOpen() throws(StorageError) {
        if isClosed.withLock({ $0 }) { throw StorageError(.io, "raft: the store was closed.") }
    }
}

extension EntryRules {
    /// What bbolt cannot keep; `max_entry_size` does not bind a directory that is built in bulk.
    static let raftDirectory: EntryRules = [
        .emptyKey, .longerKey(than: StateMachineNames.maximumKeyBytes),
        .largerValue(than: StateMachineNames.maximumValueBytes),
    ]
}

extension StorageError {
    /// The same mishap in the words of the storage model.
    package init(_ error: BoltError) {
        let code: Code =
            switch error.code {
            case .damaged, .truncated, .unsupported: .damagedStore
            case .inUse: .inUse
            case .notFound: .missingStore
            case .invalidInput: .limit
            case .io: error.errno == ENOSPC || error.errno == EDQUOT ? .noSpace : .io
            }
        self.init(code, error.message)
    }
}

/// Runs `body` and turns what it throws into errors of the storage model.
package func storageErrors<Result>(_ body: () throws -> Result) throws(StorageError) -> Result {
    do {
        return try body()
    } catch let error as BoltError {
        throw StorageError(error)
    } catch let error as RaftFormatError {
        throw StorageError(.damagedStore, "\(error). Use an intact copy or a snapshot.")
    } catch let error as StorageError {
        throw error
    } catch {
        throw StorageError(.io, "\(error)")
    }
}
