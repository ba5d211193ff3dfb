import Foundation
import TestSupport

/// What opens a server's barrier.
package struct UnsealKeys: Sendable {
    /// As many as are needed; none if the server unseals itself.
    package var shares: [String]
    package var rootToken: String

    package init(shares: [String], rootToken: String) {
        self.shares = shares
        self.rootToken = rootToken
    }

    /// Those that an initialisation printed into a file.
    package init(fileAt path: String) throws {
        let value = try JSONValue(parsing: Data(contentsOf: URL(filePath: path)))
        shares = value["keys_base64"]?.elements.prefix(3).compactMap(\.text) ?? []
        rootToken = value["root_token"]?.text ?? ""
    }
}

/// One server with a folder for its configuration, its log and, as a rule, its storage.
package final class Node {
    /// Where it keeps its data.
    package enum Storage {
        case file
        /// Integrated storage; the node joins whoever of the others leads as long as it is empty.
        case raft(joining: [Node] = [])
        case inMemory
    }

    package let version: ServerVersion
    package let name: String
    /// Its data's folder.
    package var data: String { "\(folder)/data" }
    package private(set) var api: ServerAPI
    package var clusterAddress: String { "https://127.0.0.1:\(clusterPort)" }

    private let folder: String
    private var clusterPort: Int
    private let port: Int
    private let stanzas: (storage: String, seal: String)
    private var process: ServerProcess?

    /// Prepares a server.
    ///
    /// - Parameters:
    ///   - name: Its node id, and the name of its folder.
    ///   - folder: Folder for folders of servers.
    ///   - seal: A `seal` stanza, for a store that unseals itself.
    package init(
        _ version: ServerVersion, _ name: String, in folder: String, _ storage: Storage, seal: String = ""
    ) throws {
        self.version = version
        self.name = name
        self.folder = "\(folder)/\(name)"
        port = try FreePort.take()
        clusterPort = try FreePort.take()
        api = ServerAPI(url: "http://127.0.0.1:\(port)")
        stanzas = (Self.stanza(storage, name, "\(folder)/\(name)/data"), seal)
        try FileManager.default.createDirectory(atPath: self.folder, withIntermediateDirectories: true)
    }

    /// The server's file.
    private var configuration: String {
        stanzas.storage + """
            listener "tcp" {
              address         = "127.0.0.1:\(port)"
              cluster_address = "127.0.0.1:\(clusterPort)"
              tls_disable     = true
            }
            api_addr     = "http://127.0.0.1:\(port)"
            cluster_addr = "https://127.0.0.1:\(clusterPort)"
            \(stanzas.seal)

            """
    }

    /// `host:port` of its cluster listener.
    package var clusterHostAndPort: String { "127.0.0.1:\(clusterPort)" }

    /// Lets it listen for its cluster elsewhere from its next start on, as a machine that got another address does.
    package func moveClusterListener() throws { clusterPort = try FreePort.take() }

    private static func stanza(_ storage: Storage, _ name: String, _ data: String) -> String {
        switch storage {
        case .inMemory: return "storage \"inmem\" {}\n"
        case .file: return "storage \"file\" {\n  path = \"\(data)\"\n}\n"
        case .raft(let others):
            let joining = others.map { "  retry_join {\n    leader_api_addr = \"\($0.api.url)\"\n  }\n" }.joined()
            // Elections and promotions as fast as two busy cores allow; entries above a server's own limit.
            return """
                storage "raft" {
                  path                         = "\(data)"
                  node_id                      = "\(name)"
                  performance_multiplier       = 2
                  autopilot_reconcile_interval = "1s"
                  autopilot_update_interval    = "500ms"
                  max_entry_size               = 4194304
                \(joining)}

                """
        }
    }

    /// Starts it and waits until it answers.
    package func start() throws {
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
        let file = "\(folder)/server.hcl"
        try configuration.write(toFile: file, atomically: false, encoding: .utf8)
        let environment = ["PATH": "/usr/bin:/bin", "HOME": folder, "LC_ALL": "C.UTF-8"]
        let process = try ServerProcess(
            version.program(), ["server", "-config", file], environment: environment, log: "\(folder)/server.log")
        self.process = process
        try wait("answers") { try api.send("GET", "sys/seal-status", timeout: .seconds(5)).status == 200 }
    }

    /// Waits until something is so; if it never is, or if the server ends, the server's last words are in the error.
    private func wait(_ what: String, _ isSo: () throws -> Bool) throws {
        guard let process else { throw ServerFailure("\(name) does not run") }
        do {
            try eventually("\(name) \(what)") { try !process.isRunning || isSo() }
            guard process.isRunning else { throw ServerFailure("\(name) ends before it \(what)") }
        } catch {
            throw ServerFailure("\(error)\n\(process.lastWords)")
        }
    }

    package var isRunning: Bool { process?.isRunning ?? false }

    /// Stops it as an operator would.
    package func stop() { end(with: SIGTERM) }

    /// Ends it as a power cut would.
    package func kill() { end(with: SIGKILL) }

    /// Lets it stand still, whatever it is doing.
    package func freeze() throws { try send(SIGSTOP) }

    /// Lets it go on.
    package func thaw() throws { try send(SIGCONT) }

    private func send(_ signal: Int32) throws {
        guard let process else { throw ServerFailure("\(name) does not run") }
        process.send(signal)
    }

    private func end(with signal: Int32) {
        process?.end(with: signal)
        process = nil
    }

    /// Calls the API with this token from now on.
    package func use(_ keys: UnsealKeys) { api.token = keys.rootToken }

    /// Makes a new store of three shares out of five.
    package func initialise(unsealsItself: Bool = false) throws -> UnsealKeys {
        let kind = unsealsItself ? "recovery" : "secret"
        let answer = try api.ask("PUT", "sys/init", "{\"\(kind)_shares\":5,\"\(kind)_threshold\":3}")
        let shares = answer["keys_base64"]?.elements.prefix(3).compactMap(\.text) ?? []
        let keys = UnsealKeys(shares: unsealsItself ? [] : shares, rootToken: answer["root_token"]?.text ?? "")
        use(keys)
        return keys
    }

    /// Gives it the shares, if it takes any, and waits until it serves: as the active node or as one that forwards.
    package func unseal(_ keys: UnsealKeys) throws {
        use(keys)
        try wait("is unsealed") {
            guard try api.ask("GET", "sys/seal-status")["sealed"]?.boolean == true else { return true }
            // A node that joins takes shares only once it has found a leader.
            for share in keys.shares { try api.ask("PUT", "sys/unseal", "{\"key\":\"\(share)\"}") }
            return try api.ask("GET", "sys/seal-status")["sealed"]?.boolean == false
        }
        try wait("serves") { try api.send("GET", "sys/health?standbyok=true").status == 200 }
    }

    /// Whether it is the active node.
    package func isActive() throws -> Bool { try api.send("GET", "sys/health", timeout: .seconds(5)).status == 200 }

    /// Waits until all nodes of its cluster have a vote; before, the loss of one is the loss of all.
    ///
    /// A server of 2.7 that looks for the leader while it still takes over the log may keep in mind that the leader has left no
    /// address (its cache holds "no such entry" as well, and what clears it would come from the leader). It never reports
    /// itself then and gets no vote, whatever it holds: such a one is started again once, as an operator would.
    package func waitForVotes(of nodes: [Node], _ keys: UnsealKeys) throws {
        if (try? waitForVoters(nodes.count, within: 60)) != nil { return }
        let voters = Set(try servers().filter { $0["voter"]?.boolean == true }.compactMap { $0["node_id"]?.text })
        for node in nodes where !voters.contains(node.name) {
            node.stop()
            try node.start()
            try node.unseal(keys)
        }
        do {
            try waitForVoters(nodes.count, within: 120)
        } catch {
            throw ServerFailure("\(error)\n\(nodes.map(\.lastWords).joined(separator: "\n"))")
        }
    }

    private func waitForVoters(_ count: Int, within seconds: Double) throws {
        try eventually("\(count) nodes vote", within: seconds) {
            try servers().count { $0["voter"]?.boolean == true } == count
        }
    }

    private func servers() throws -> [JSONValue] {
        try api.ask("GET", "sys/storage/raft/configuration")["data.config.servers"]?.elements ?? []
    }

    /// The last lines of its log, for whoever looks into a failure.
    private var lastWords: String { "\(name):\n\(process?.lastWords ?? "It does not run.")" }

    /// Gives up being the active node.
    package func stepDown() throws { try api.ask("PUT", "sys/step-down") }

    /// The active one of several nodes, once there is one.
    package static func active(of nodes: [Node]) throws -> Node {
        var found: Node?
        try eventually("one of \(nodes.map(\.name)) is active") {
            found = try nodes.first { try $0.isActive() }
            return found != nil
        }
        guard let found else { throw ServerFailure("no active node") }
        return found
    }
}
