import Digest
import Glibc
import RaftCore
import RaftFormat
import Storage

/// A state as the archive that `operator raft snapshot save` writes (``SnapshotWriter``).
struct SnapshotArchive {
    /// The file, without a name; whoever has it closes it.
    let descriptor: Int32
    let bytes: Int
    let index: UInt64
    let entries: UInt64
    /// The SHA-256 of the whole archive, hexadecimal.
    let digest: String
    /// Whether servers of a cluster would find their ring of keys.
    let hasKeyRing: Bool

    /// Writes the archive of what a state machine holds now into a file of a folder.
    init(of store: StateStore, in folder: String) throws {
        let path = "\(folder)/snapshot.tmp"
        unlink(path)
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw StorageError.system("open", path, errno: errno) }
        unlink(path)
        do {
            let hasher = try SHA256Hasher()
            var writer: SnapshotWriter?
            var found: (head: SnapshotHead, meta: SnapshotMeta)?
            try store.stream(
                withClients: false,
                begin: { head in
                    let meta = SnapshotMeta(
                        position: LogPosition(term: head.position.term, index: head.position.index),
                        configuration: ClusterConfiguration(head.membership, index: head.membershipIndex),
                        size: head.size)
                    found = (head, meta)
                    writer = try SnapshotWriter(announced: meta, time: time(nil)) { piece, _ in
                        try hasher.update(piece)
                        try Self.write(piece, to: descriptor, path)
                    }
                },
                write: { piece in try writer?.append(frames: piece) })
            guard let (head, meta) = found, let writer else {
                throw ClusterError(.unavailable, "The state machine holds nothing yet.")
            }
            bytes = try writer.finish(meta: meta)
            digest = try hasher.finish().hexadecimal
            index = head.position.index
            entries = head.entries
            hasKeyRing = try store.get(Array("core/raft/tls".utf8)) != nil
            self.descriptor = descriptor
        } catch {
            close(descriptor)
            throw error
        }
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, _ path: String) throws {
        var rest = bytes
        while let base = rest.baseAddress, !rest.isEmpty {
            let done = Glibc.write(descriptor, base, rest.count)
            guard done >= 0 || errno == EINTR else { throw StorageError.system("write", path, errno: errno) }
            rest = UnsafeRawBufferPointer(rebasing: rest[max(done, 0)...])
        }
    }
}
