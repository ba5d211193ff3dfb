import Foundation
import OpenBaoTestKit

/// Migrations between servers' folders by the built program.
struct Migration {
    private let folder: String

    init(_ folder: String) { self.folder = folder }

    /// A store of a configuration file.
    enum Store {
        case file(String)
        case raft(String)
        case sqlite(String)
        case export(String)
        case snapshot(String)

        func block(_ name: String) -> String {
            let (kind, path) =
                switch self {
                case .file(let path): ("file", path)
                case .raft(let path): ("raft", path)
                case .sqlite(let path): ("sqlite", path)
                case .export(let path): ("dynamodb_export", path)
                case .snapshot(let path): ("raft_snapshot", path)
                }
            return "\(name) \"\(kind)\" {\n  path = \"\(path)\"\n}\n"
        }
    }

    /// Moves a store to where a node that has not been started yet will find its integrated storage.
    ///
    /// - Returns: What the program said.
    @discardableResult
    func run(from source: Store, to node: Node) throws -> String {
        let block = "storage_destination \"raft\" {\n  path = \"\(node.data)\"\n  node_id = \"\(node.name)\"\n}\n"
        return try migrate(source, block + "cluster_addr = \"\(node.clusterAddress)\"\n", ["-practice"])
    }

    /// Moves a store to the nodes of a cluster, written at once.
    ///
    /// - Parameter reading: The node whose directory is compared once more.
    @discardableResult
    func run(from source: Store, toNodes blocks: String, reading: String, _ flags: [String] = []) throws -> String {
        let block = "storage_destination \"raft\" {\n\(blocks)}\n"
        return try migrate(source, block, ["-practice"] + flags, ["VAULT_RAFT_NODE_ID": reading])
    }

    /// Moves a store to another that is no integrated storage.
    @discardableResult
    func run(from source: Store, to destination: Store) throws -> String {
        return try migrate(source, destination.block("storage_destination"), [])
    }

    private func migrate(
        _ source: Store, _ destination: String, _ flags: [String], _ variables: [String: String] = [:]
    ) throws -> String {
        let file = "\(folder)/migrate.hcl"
        let text = source.block("storage_source") + destination
        try text.write(toFile: file, atomically: false, encoding: .utf8)
        let said = try BuiltProgram.run(["operator", "migrate", "-config", file] + flags, home: folder)
        try BuiltProgram.run(["check", "-config", file], home: folder, adding: variables)
        // What servers write in earnest is nothing suspicious, whatever the seal and the namespaces.
        try BuiltProgram.run(["check", "-structure", "-config", file], home: folder, adding: variables)
        return said
    }
}
