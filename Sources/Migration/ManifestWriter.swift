package import Digest
import Files
import Glibc
package import Storage

/// Writes a manifest file while entries pass by.
// Unchecked: one thread writes; `sync` may run on another once the writing is over.
package final class ManifestWriter: @unchecked Sendable {
    private static let flushBytes = 1 << 20

    private let path: String
    private let descriptor: Int32
    private let hasher: SHA256Hasher
    private var header: Manifest.Header
    private var buffer: [UInt8] = []
    private var isOpen = true

    /// Creates the file, mode 0600, replacing an older one and its signature.
    package init(path: String, header: Manifest.Header) throws {
        self.path = path
        self.header = header
        self.hasher = try SHA256Hasher()
        try EvidenceSigner.removeSignature(of: path)
        unlink(path)
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw StorageError.system("create", path, errno: errno) }
        buffer = header.text
    }

    deinit {
        if isOpen { Glibc.close(descriptor) }
    }

    /// Appends lines that follow all earlier ones in key order.
    package func append(_ lines: [UInt8]) throws {
        try lines.withUnsafeBytes { try hasher.update($0) }
        buffer.append(contentsOf: lines)
        if buffer.count >= Self.flushBytes { try flush() }
    }

    /// Completes the header; the file can be read from then on, though it is perhaps not yet durable.
    ///
    /// - Returns: The keyspace digest.
    package func finish(_ totals: KeyspaceTotals) throws -> SHA256Digest {
        try flush()
        let digest = try hasher.finish()
        header.entries = totals.entries
        header.bytes = totals.bytes
        header.keyspaceDigest = digest.hexadecimal
        let text = header.text
        // The header has its final length from the beginning.
        guard lseek(descriptor, 0, SEEK_SET) == 0 else { throw StorageError.system("write", path, errno: errno) }
        try writeAll(text, to: descriptor, path)
        return digest
    }

    /// Makes the finished file durable and closes it.
    package func sync() throws(StorageError) {
        guard isOpen else { return }
        guard fdatasync(descriptor) == 0 else { throw StorageError.system("sync", path, errno: errno) }
        isOpen = false
        Glibc.close(descriptor)
    }

    private func flush() throws {
        try writeAll(buffer, to: descriptor, path)
        buffer.removeAll(keepingCapacity: true)
    }
}
