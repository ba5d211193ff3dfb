import Files
import Flags
import Glibc
import Migration
import Storage
import Telemetry

/// The file that `checksum` writes a manifest to, and its signature.
struct ManifestFile {
    let path: String
    private let flags: ParsedFlags
    private let signer: EvidenceSigner?

    /// - Returns: `nil` if the manifest goes to standard output.
    /// - Throws: If what the flags name cannot be used, or they do not go together.
    init?(_ flags: ParsedFlags) throws(MigrationFailure) {
        signer = try CommonFlags.signer(flags)
        path = flags.string("output")
        self.flags = flags
        guard !path.isEmpty, path != "-" else {
            guard path == "-" || !flags.isSet("output") else {
                throw MigrationFailure(.configuration, "-output names no file.")
            }
            guard signer == nil else {
                throw MigrationFailure(
                    .configuration, "-sign-key signs a file: name the one to write the manifest to with -output.")
            }
            return nil
        }
        var info = stat()
        guard stat(path, &info) == 0, info.st_mode & S_IFMT != S_IFREG, signer != nil else { return }
        throw MigrationFailure(
            .configuration, "-output \(path) is no regular file, and only such a one can be signed. Name another.")
    }

    /// Where the signature stands; `nil` if there is none.
    var signaturePath: String? { signer == nil ? nil : EvidenceSigner.signaturePath(of: path) }

    /// Refuses a file that is the configuration or a key, or lies in the store: it would be emptied first.
    func refuseToOverwrite(_ store: any StorageSource) throws(MigrationFailure) {
        let place = resolvedPath(path)
        var kept = [(resolvedPath(try CommonFlags.configPath(flags)), "the configuration file")]
        for name in ["sign-key", "key-file"] where flags.isSet(name) {
            kept.append((resolvedPath(flags.string(name)), "the file of -\(name)"))
        }
        if let place = store.identity.path { kept.append((place, "the \(store.kind) store \(place)")) }
        guard let (_, what) = kept.first(where: { liesWithin(place, $0.0) }) else { return }
        throw MigrationFailure(
            .configuration, "-output \(path) would overwrite \(what), or a file in it. Name another file.")
    }

    /// Creates the file, once the signature of an older one is gone.
    func open() throws -> ResultWriter {
        try EvidenceSigner.removeSignature(of: path)
        return try ResultWriter(path: path)
    }

    /// Signs the file, which is durable, if that was asked for.
    func sign() throws {
        do throws(StorageError) {
            try signer?.sign(path)
        } catch {
            throw MigrationFailure(
                .failed, "the manifest \(path) is complete, and could not be signed: \(error.message)", cause: error)
        }
    }

    /// What to print when all is done.
    func text(_ totals: KeyspaceTotals, _ keyspace: String) -> String {
        var lines = [
            "The manifest of \(counted(totals.entries, "entry", "entries")), \(formatBytes(totals.bytes)), is written.",
            "  Manifest  \(path)", "  Keyspace  sha256:\(keyspace)",
        ]
        guard let signer, let signaturePath else { return lines.joined(separator: "\n") }
        lines += ["  Signed    \(signaturePath)", "", "Verify the signature:", ""]
        lines += signer.commands(verifying: [path]).map { "  \($0)" }
        if EvidenceSigner.isTooLargeForCommand(path) {
            lines += [
                "",
                "openssl pkeyutl takes at most 2,147,483,647 bytes, and the manifest has more: sign its digest as well, with "
                    + "-digest-only and another -output.",
            ]
        }
        return lines.joined(separator: "\n")
    }
}
