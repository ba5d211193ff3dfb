import Files
import Flags
import Glibc
import Migration
import RaftMaintenance
import Storage
import Telemetry

/// `-archive`: directories that were made are packed for transport.
struct ArchiveFlag {
    static let spec = FlagSpec.string(
        "archive", placeholder: "folder",
        help:
            "Pack each directory that is made, for transport, into a tar archive in this folder, named after the directory, with a "
            + "checksum file beside it (sha256sum -c).", completion: .directory)

    private let folder: String

    /// - Returns: `nil` if nothing is to be packed.
    /// - Throws: If there is no such folder that can be written to.
    init?(_ flags: ParsedFlags) throws(MigrationFailure) {
        guard flags.isSet("archive") else { return nil }
        folder = flags.string("archive")
        var info = stat()
        guard stat(folder, &info) == 0, info.st_mode & S_IFMT == S_IFDIR, access(folder, W_OK | X_OK) == 0 else {
            throw MigrationFailure(
                .configuration,
                "-archive \(StorageKey(folder)) is no folder that can be written to. Make it, or name another.")
        }
    }

    /// Packs directories.
    ///
    /// - Throws: `MigrationFailure`, which says that the directories themselves are done.
    func pack(_ paths: [String], isCancelled: () -> Bool) throws(MigrationFailure) -> [NodeArchive.Outcome] {
        do throws(StorageError) {
            var outcomes: [NodeArchive.Outcome] = []
            if let path = paths.first(where: { liesWithin(resolvedPath(folder), resolvedPath($0)) }) {
                throw StorageError(
                    .configuration,
                    "-archive \(folder) lies within \(path), which is to be packed. Name a folder elsewhere.")
            }
            for (path, name) in zip(paths, try NodeArchive.archiveNames(for: paths)) {
                let node = try StoppedNode(path: path)
                defer { node.close() }
                outcomes.append(try NodeArchive(of: node, into: folder, name: name).write(isCancelled: isCancelled))
            }
            return outcomes
        } catch {
            throw MigrationFailure(
                error.code == .cancelled ? .interrupted : .failed,
                "\(error.message)\nThe directories are whole and in place; only packing them has failed. Run the same command "
                    + "again to pack them.", cause: error)
        }
    }

    /// Lines for a person.
    static func text(_ outcomes: [NodeArchive.Outcome]) -> [String] {
        guard !outcomes.isEmpty else { return [] }
        return ["", "Archives, each with a .sha256 beside it:", ""]
            + outcomes.map { "  \($0.path)  \(formatBytes($0.bytes))\($0.wasThere ? ", was there already" : "")" }
    }

    /// The same for a program.
    static func json(_ outcomes: [NodeArchive.Outcome]) -> JSONText {
        .array(
            outcomes.map {
                .object([
                    ("path", .string($0.path)), ("bytes", .integer($0.bytes)), ("sha256", .string($0.sum)),
                    ("was_there", .boolean($0.wasThere)),
                ])
            })
    }
}
