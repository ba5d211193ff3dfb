import Digest
import Files
import Glibc
import RaftCore
import RaftFormat
import Storage
import Telemetry
import Zlib

/// A state as the archive that `operator raft snapshot save` writes: gzip, stored as OpenBao does, around a tar of `meta.json`,
/// `state.bin` and `SHA256SUMS` (hashicorp/raft-wal's and Vault's `snapshot` package). `SHA256SUMS.sealed` needs the seal and is not
/// there.
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
            let writer = try ArchiveWriter(descriptor, path)
            var head: SnapshotHead?
            let state = try SHA256Hasher()
            var meta: [UInt8] = []
            try store.stream(
                withClients: false,
                begin: { found in
                    head = found
                    meta = Array((Self.meta(found).text + "\n").utf8)
                    try writer.member("meta.json", size: meta.count)
                    try writer.write(meta)
                    try writer.pad(meta.count)
                    try writer.member("state.bin", size: found.size)
                },
                write: { piece in
                    try state.update(piece)
                    try writer.write(piece)
                })
            guard let head else { throw ClusterError(.unavailable, "The state machine holds nothing yet.") }
            try writer.pad(head.size)
            let metaDigest = try meta.withUnsafeBytes { try SHA256Digest.of($0).hexadecimal }
            let sums = Array("\(metaDigest)  meta.json\n\(try state.finish().hexadecimal)  state.bin\n".utf8)
            try writer.member("SHA256SUMS", size: sums.count)
            try writer.write(sums)
            try writer.pad(sums.count)
            (bytes, digest) = try writer.finish()
            index = head.position.index
            entries = head.entries
            hasKeyRing = try store.get(Array("core/raft/tls".utf8)) != nil
            self.descriptor = descriptor
        } catch {
            close(descriptor)
            throw error
        }
    }

    private static func meta(_ head: SnapshotHead) -> JSONText {
        let servers = ClusterConfiguration(head.membership, index: head.membershipIndex).servers
        return .object([
            ("Version", .integer(1)), ("ID", .string("bolt-snapshot")),
            ("Index", .integer(Int(clamping: head.position.index))),
            ("Term", .integer(Int(clamping: head.position.term))),
            ("Peers", .null),
            (
                "Configuration",
                .object([
                    (
                        "Servers",
                        .array(
                            servers.map { server in
                                .object([
                                    ("Suffrage", .integer(server.suffrage.rawValue)), ("ID", .string(server.id)),
                                    ("Address", .string(server.address)),
                                ])
                            })
                    )
                ])
            ), ("ConfigurationIndex", .integer(Int(clamping: head.membershipIndex))), ("Size", .integer(head.size)),
        ])
    }
}

/// Writes tar members through gzip into a file.
private final class ArchiveWriter {
    private let descriptor: Int32
    private let path: String
    private let gzip: GzipWriter
    private let hasher: SHA256Hasher
    private var count = 0

    init(_ descriptor: Int32, _ path: String) throws {
        self.descriptor = descriptor
        self.path = path
        guard let gzip = GzipWriter(level: 0) else { throw ClusterError(.io, "zlib cannot be started.") }
        self.gzip = gzip
        hasher = try SHA256Hasher()
    }

    func write(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try write($0) } }

    func write(_ bytes: UnsafeRawBufferPointer, isLast: Bool = false) throws {
        let isTaken = try gzip.write(bytes, isLast: isLast) { piece in
            try hasher.update(piece)
            var rest = piece
            while let base = rest.baseAddress, !rest.isEmpty {
                let done = Glibc.write(descriptor, base, rest.count)
                guard done >= 0 || errno == EINTR else { throw StorageError.system("write", path, errno: errno) }
                rest = UnsafeRawBufferPointer(rebasing: rest[max(done, 0)...])
            }
            count += piece.count
        }
        guard isTaken else { throw ClusterError(.io, "zlib refuses to write.") }
    }

    /// Fills the last block of a member.
    func pad(_ size: Int) throws {
        let rest = size % 512
        if rest > 0 { try write([UInt8](repeating: 0, count: 512 - rest)) }
    }

    /// A POSIX ustar header of a regular file; a size that has no room in octal digits is written in base 256.
    func member(_ name: String, size: Int) throws {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, _ place: Int) {
            header.replaceSubrange(place..<(place + text.utf8.count), with: text.utf8)
        }
        func octal(_ number: Int, _ digits: Int) -> String {
            let text = String(number, radix: 8)
            return String(repeating: "0", count: max(digits - text.count, 0)) + text
        }
        put(name, 0)
        put(octal(0o600, 7), 100)
        put(octal(0, 7), 108)
        put(octal(0, 7), 116)
        if size < 1 << 33 {
            put(octal(size, 11), 124)
        } else {
            header[124] = 0x80
            for place in 0..<8 { header[128 + place] = UInt8(truncatingIfNeeded: size >> (8 * (7 - place))) }
        }
        put(octal(time(nil), 11), 136)
        put("        0", 148)
        put("ustar\0" + "00", 257)
        let sum = header.reduce(0) { $0 + Int($1) }
        put(octal(sum, 6) + "\0 ", 148)
        try write(header)
    }

    /// Ends the archive with exactly two empty blocks.
    func finish() throws -> (bytes: Int, digest: String) {
        try write([UInt8](repeating: 0, count: 1024))
        try write(UnsafeRawBufferPointer(start: nil, count: 0), isLast: true)
        return (count, try hasher.finish().hexadecimal)
    }
}
