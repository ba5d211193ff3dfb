import CSystem
import Files
import Glibc
import RaftFormat
import Storage

/// Writes an archive of the entries that come in key order, beside its place.
// Unchecked: one thread at a time calls a loader, as the protocol says.
final class SnapshotLoader: BulkLoader, @unchecked Sendable {
    /// Bytes after which the system is told to begin writing.
    private static let flushBytes = 8 << 20

    private let destination: SnapshotDestination
    private let file: UnfinishedFile
    private let plan: LoadPlan
    private let needsKeyRing: Bool
    private let writer: SnapshotWriter
    private var last: [UInt8]?
    private var hasKeyRing = false
    private var isDone = false
    private(set) var readBackOrigin = ReadBackOrigin.cache

    init(_ destination: SnapshotDestination, _ plan: LoadPlan, needsKeyRing: Bool) throws(StorageError) {
        self.destination = destination
        self.plan = plan
        self.needsKeyRing = needsKeyRing
        let file = try destination.take()
        self.file = file
        let flushed = Flushed()
        do {
            try file.begin()
            writer = try SnapshotWriter(announced: nil, time: time(nil)) { bytes, offset in
                try Self.write(bytes, to: file, at: offset)
                // The disk works meanwhile, instead of all at the end.
                guard offset + bytes.count - flushed.offset >= Self.flushBytes else { return }
                _ = cs_sync_file_range(
                    file.descriptor, Int64(flushed.offset), Int64(offset + bytes.count - flushed.offset))
                flushed.offset = offset + bytes.count
            }
        } catch {
            destination.release()
            throw StorageError.ofSnapshot(error, destination.location)
        }
    }

    private final class Flushed {
        var offset = 0
    }

    private static func write(
        _ bytes: UnsafeRawBufferPointer, to file: UnfinishedFile, at offset: Int
    ) throws(StorageError) {
        var done = 0
        while done < bytes.count {
            let count = pwrite(
                file.descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, off_t(offset + done))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw StorageError.system("write", file.path, errno: count < 0 ? errno : EIO) }
            done += count
        }
    }

    let needsAscendingKeys = true

    func load(_ batch: EntryBatch) throws(StorageError) {
        do {
            for index in 0..<batch.count {
                let key = batch.key(index)
                let previous = index > 0 ? batch.key(index - 1) : nil
                let order =
                    previous.map { compareBytes($0, key) } ?? last?.withBytes { compareBytes($0, key) } ?? -1
                guard order < 0 else {
                    throw StorageError(
                        .io, "the key \(escapedKey(key)) comes out of order.", key: StorageKey(copying: key))
                }
                if let objection = destination.rules.objection(to: key, valueCount: batch.valueCount(index)) {
                    throw StorageError(.limit, objection, key: StorageKey(copying: key))
                }
                if key.elementsEqual(StorageKey.raftKeyRing.bytes) { hasKeyRing = true }
                try writer.append(key, batch.value(index))
            }
            if batch.count > 0 { last = Array(batch.key(batch.count - 1)) }
        } catch {
            throw StorageError.ofSnapshot(error, destination.location)
        }
        plan.pool.recycle(batch)
    }

    func finish() throws(StorageError) {
        // Whoever could not be asked before: what was read had none.
        guard hasKeyRing || !needsKeyRing else {
            throw StorageError(.unsupported, SnapshotDestination.missingKeyRing, key: .raftKeyRing)
        }
        // As a directory that is built in bulk has it, whatever a restore makes of it.
        let position = LogPosition(term: 1, index: UInt64(writer.entries) + 2)
        do {
            let bytes = try writer.finish(
                meta: SnapshotMeta(
                    position: position, configuration: ClusterConfiguration(index: 0, servers: []), size: 0))
            guard ftruncate(file.descriptor, off_t(bytes)) == 0 else {
                throw StorageError.system("truncate", file.path, errno: errno)
            }
        } catch {
            throw StorageError.ofSnapshot(error, destination.location)
        }
    }

    func sync() throws(StorageError) {
        if let owner = plan.owner, fchown(file.descriptor, owner.user, owner.group) != 0 {
            throw StorageError.system("chown", file.path, errno: errno)
        }
        guard fsync(file.descriptor) == 0 else { throw StorageError.system("sync", file.path, errno: errno) }
    }

    func readFromDisk() {
        if dropCache(of: file.descriptor) { readBackOrigin = .disk }
    }

    func written() throws(StorageError) -> any StorageSource {
        try SnapshotSource(path: file.path, limit: .nothing)
    }

    func publish() throws(StorageError) {
        let path = destination.location
        // A file that came meanwhile is not replaced.
        guard cs_rename_noreplace(AT_FDCWD, file.path, AT_FDCWD, path) == 0 || takesName(path) else {
            if errno == EEXIST { throw StorageError(.notEmpty, SnapshotDestination.standsThere(path)) }
            throw StorageError.system("rename to", path, errno: errno)
        }
        isDone = true
        destination.release()
        try syncFolder(at: parentFolder(of: path))
    }

    /// Gives the file its name where the file system knows no rename that replaces nothing.
    private func takesName(_ path: String) -> Bool {
        guard errno == EINVAL || errno == ENOSYS, link(file.path, path) == 0 else { return false }
        unlink(file.path)
        return true
    }

    func abandon() {
        guard !isDone else { return }
        isDone = true
        destination.release()
    }
}
