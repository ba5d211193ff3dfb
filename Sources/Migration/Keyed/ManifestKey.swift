import Digest
import Files
import Storage

/// The secret of keyed manifests: the bytes of a file, without one line feed at its end if there is one.
package struct ManifestKey: Sendable {
    private static let leastBytes = 32
    private static let mostBytes = 4096

    private let secret: [UInt8]

    /// Reads the secret.
    ///
    /// - Throws: `.configuration` if the file can be read by others, or holds too little or too much. Never with what is
    ///   in it.
    package init(file path: String) throws(MigrationFailure) {
        var bytes: [UInt8]
        do throws(StorageError) {
            bytes = try readPrivateFile(path, atMost: Self.mostBytes + 2, content: "the secret")
        } catch {
            throw MigrationFailure(.configuration, "-key-file: \(error.message)", cause: error)
        }
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        guard bytes.count >= Self.leastBytes, bytes.count <= Self.mostBytes else {
            throw MigrationFailure(
                .configuration,
                "-key-file: \(path) holds \(bytes.count < Self.leastBytes ? "fewer than \(Self.leastBytes)" : "more than \(Self.mostBytes)") "
                    + "bytes. Make a secret with openssl rand -hex 32, and keep the file private (mode 0600).")
        }
        secret = bytes
    }

    /// - Parameter secret: As many bytes as a file may have.
    init(secret: [UInt8]) { self.secret = secret }

    /// What makes the lines. Not for two threads at once.
    func hasher() throws -> KeyedHasher { KeyedHasher(try RunningHMACSHA256(key: secret)) }

    /// By which a manifest's secret is known, hexadecimal.
    package func check() throws -> String { try hasher().check() }
}

/// The codes in a keyed manifest, each HMAC-SHA-256 under its secret, each over a message that begins with what it is for:
///
/// | Of | Message |
/// | --- | --- |
/// | an entry's name | `name:`, the key |
/// | its value | `value:`, the SHA-256 of the value in hexadecimal, `:`, the key |
/// | the secret itself | `check:sealift keyed manifest 1` |
///
/// So no name's code is a value's, and the same value under two keys has two codes.
final class KeyedHasher {
    private static let name = Array("name:".utf8)
    private static let value = Array("value:".utf8)
    private static let checked = Array("check:\(KeyedManifest.title)".utf8)

    private let mac: RunningHMACSHA256
    private var digits: [UInt8] = []
    private var code = [UInt8](repeating: 0, count: SHA256Digest.byteCount)

    init(_ mac: RunningHMACSHA256) { self.mac = mac }

    /// The code of a key, 64 hexadecimal digits.
    func hashedName(_ key: UnsafeRawBufferPointer) throws -> [UInt8] {
        try add(Self.name)
        try mac.update(key)
        return try finish()
    }

    func hashedName(_ key: StorageKey) throws -> [UInt8] {
        try key.bytes.withUnsafeBytes { try hashedName($0) }
    }

    /// - Parameters:
    ///   - digest: The SHA-256 of the value.
    ///   - output: Receives 32 bytes.
    func hashValue(
        _ digest: UnsafeRawBufferPointer, of key: UnsafeRawBufferPointer, into output: UnsafeMutableRawPointer
    ) throws {
        digits.removeAll(keepingCapacity: true)
        digits += Self.value
        appendHexadecimal(digest, to: &digits)
        digits.append(UInt8(ascii: ":"))
        try add(digits)
        try mac.update(key)
        try mac.finish(into: output)
    }

    func check() throws -> String {
        try add(Self.checked)
        return String(decoding: try finish(), as: UTF8.self)
    }

    /// Ends the running code.
    private func finish() throws -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(2 * code.count)
        try code.withUnsafeMutableBytes { if let start = $0.baseAddress { try mac.finish(into: start) } }
        code.withUnsafeBytes { appendHexadecimal($0, to: &text) }
        return text
    }

    private func add(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try mac.update($0) }
    }
}
