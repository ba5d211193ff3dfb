import Files
import Flags
import Migration
import RaftDirectoryBackend
import RaftMaintenance
import Storage
import Telemetry

/// The directory of a stopped node, as a command line names it.
struct NodeDirectory {
    let path: String
    /// The node's id, if flag, environment or configuration give one.
    let nodeID: String?

    /// Flags that name it.
    static let flags: [FlagSpec] = [
        .bytes(
            "config", placeholder: "path",
            help: "Path of the server's configuration file (HCL or JSON), or of its folder of them, in place of DIR.",
            completion: .file)
    ]
    static let nodeIDFlag = FlagSpec.string(
        "node-id", placeholder: "id", environment: ["BAO_RAFT_NODE_ID", "VAULT_RAFT_NODE_ID"],
        help: "The node's id, where neither a file node-id in the directory nor the configuration says it.")
    static let argument = CommandSpec.Positional(
        "DIR", help: "directory of a stopped node: the one that holds vault.db", completion: .directory)

    /// - Throws: `.configuration` unless exactly one of DIR and `-config` is given.
    init(_ flags: ParsedFlags, _ console: Console) throws {
        let flagID = flags.has("node-id") ? flags.string("node-id") : ""
        let arguments = flags.arguments
        let config = flags.bytes("config")
        guard arguments.isEmpty != config.isEmpty, arguments.count <= 1 else {
            throw MigrationFailure(
                .configuration,
                "Name one directory of a stopped node, or its server's file with -config. Flags come before the directory."
            )
        }
        if let argument = arguments.first {
            guard !argument.isEmpty, let path = String(validating: argument, as: UTF8.self) else {
                throw MigrationFailure(
                    .configuration, "The directory's name is no text. Name it by another path, such as a link's.")
            }
            self.path = path
            nodeID = flagID.isEmpty ? nil : flagID
            return
        }
        let file = try ConfigurationFile(
            path: try CommonFlags.configPath(flags), environment: console.environment, allowsFolder: true)
        let store = try file.serverStore()
        guard store.type == "raft" else {
            throw MigrationFailure(
                .configuration,
                "\(file.path): its storage is \"\(store.type)\", not integrated storage (\"raft\"). Name a raft node's file."
            )
        }
        do throws(StorageError) {
            path = try store.settings.path(RaftDirectoryBackend.pathOption)
        } catch {
            throw MigrationFailure(.configuration, error.message, cause: error)
        }
        let id = flagID.isEmpty ? store.settings.text(RaftDirectoryBackend.nodeIDOption) ?? "" : flagID
        nodeID = id.isEmpty ? nil : id
    }
}

/// Turns errors of a stopped node's files into failures of a command: what the user asked wrongly is exit code 1.
func nodeFailure(_ error: any Error) -> any Error {
    guard let error = error as? StorageError else { return error }
    switch error.code {
    case .cancelled:
        return MigrationFailure(.interrupted, "Interrupted. Nothing was changed but what was reported as done.")
    case .configuration: return MigrationFailure(.configuration, error.message, cause: error)
    default: return MigrationFailure(.failed, error.message, cause: error)
    }
}

/// Says in the log what begins, for runs that take long.
func logStages(_ logger: Logger) -> @Sendable (MaintenanceStage) -> Void {
    { stage in
        switch stage {
        case .measuring(let path): logger.info("reading", ["file": .string(path)])
        case .writing(let path): logger.info("writing anew", ["file": .string(path)])
        case .comparing(let path): logger.info("comparing", ["file": .string(path)])
        }
    }
}
