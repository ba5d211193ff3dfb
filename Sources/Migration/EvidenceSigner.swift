import Digest
import Files
import Glibc
package import Storage
import Wording

/// Signs files of evidence: beside each a file with the 64 bytes of an Ed25519 signature, which plain openssl verifies.
package struct EvidenceSigner: Sendable {
    /// The most that openssl's command takes at once for such a signature.
    private static let mostBytesOfCommand = Int(Int32.max)
    private static let mostBytesOfKey = 64 << 10

    private let keyPath: String
    private let key: Ed25519PrivateKey

    /// Reads the key.
    ///
    /// - Throws: `.configuration` if it is none to sign with, or can be read by others. Never with what is in the file.
    package init(keyFile path: String) throws(MigrationFailure) {
        keyPath = path
        let refusal: Ed25519PrivateKey.Refusal
        do {
            var pem = try readPrivateFile(path, atMost: Self.mostBytesOfKey, content: "the private key")
            defer { cleanse(&pem) }
            key = try Ed25519PrivateKey(pem: pem)
            return
        } catch let error as Ed25519PrivateKey.Refusal {
            refusal = error
        } catch {
            throw MigrationFailure(.configuration, "-sign-key: \(error)", cause: error as? StorageError)
        }
        let advice = "Make one with openssl genpkey -algorithm ed25519 -out KEY"
        let reason =
            switch refusal {
            case .empty: "is empty. \(advice)."
            case .notPEM: "is no private key in PEM. \(advice)."
            case .encrypted:
                "is protected by a pass phrase, which nobody can be asked for. Name a copy without one, which is made with "
                    + "openssl pkey -in \(shellWord(path)) -out KEY."
            case .publicKey: "is a public key, which only verifies. Name the private key that belongs to it."
            case .otherKind(let kind): "is a private key of another kind, \(kind), not Ed25519. \(advice)."
            }
        throw MigrationFailure(.configuration, "-sign-key: \(path) \(reason)")
    }

    /// Where the signature of a file stands.
    package static func signaturePath(of path: String) -> String { "\(path).sig" }

    /// Removes a file's signature, before the file is changed: no run that is cut off leaves one that belongs to an older
    /// file.
    ///
    /// - Throws: `.configuration` if what stands there is none; it is not touched.
    package static func removeSignature(of path: String) throws(StorageError) {
        let place = signaturePath(of: path)
        var info = stat()
        guard lstat(place, &info) == 0 else {
            if errno == ENOENT { return }
            throw StorageError.system("stat", place, errno: errno)
        }
        guard info.st_mode & S_IFMT == S_IFREG, info.st_size <= Ed25519PrivateKey.signatureBytes else {
            throw StorageError(
                .configuration,
                "\(place) stands where the signature of \(path) belongs, and is none. Move it away, or name another file."
            )
        }
        guard unlink(place) == 0 else { throw StorageError.system("remove", place, errno: errno) }
        try syncFolder(at: parentFolder(of: place))
    }

    /// Signs a file that is durable and finished, in place of an older signature; the new one is durable on return.
    ///
    /// - Returns: The path of the signature.
    @discardableResult
    package func sign(_ path: String) throws(StorageError) -> String {
        let signature = try withMappedFile(path) { bytes throws(StorageError) in try self.signature(of: bytes) }
        try Self.removeSignature(of: path)
        try Self.write(signature, beside: path)
        return Self.signaturePath(of: path)
    }

    /// Writes the signature of a file that has none.
    static func write(_ signature: [UInt8], beside path: String) throws(StorageError) {
        let place = signaturePath(of: path)
        try createFile(place, signature)
        try syncFolder(at: parentFolder(of: place))
    }

    /// The signature of what is about to become a file.
    func signature(of bytes: UnsafeRawBufferPointer) throws(StorageError) -> [UInt8] {
        do throws(DigestError) {
            return try key.signature(of: bytes)
        } catch {
            throw StorageError(.io, "\(error)")
        }
    }

    /// The commands that verify the signatures of files, each a line, the public key first.
    package func commands(verifying paths: [String]) -> [String] {
        ["openssl pkey -in \(shellWord(keyPath)) -pubout -out public.pem"]
            + paths.map { path in
                "openssl pkeyutl -verify -rawin -pubin -inkey public.pem "
                    + "-sigfile \(shellWord(Self.signaturePath(of: path))) -in \(shellWord(path))"
            }
    }

    /// Whether a file is larger than what openssl's command takes at once.
    package static func isTooLargeForCommand(_ path: String) -> Bool {
        var info = stat()
        return stat(path, &info) == 0 && info.st_size > mostBytesOfCommand
    }
}
