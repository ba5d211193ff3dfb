import Bolt
import Files
import RaftDirectoryBackend
package import RaftFormat
package import Storage
import Wording

/// Who belongs to a stopped node's cluster, by everything that its directory says.
package struct PeersLook: Sendable {
    /// Something that keeps clusters from forming, or may.
    package struct Finding: Sendable, Equatable {
        /// For programs: stays the same when the sentence changes.
        package let code: String
        package let text: String
    }

    /// What `peers.json` says.
    package enum Pending: Sendable, Equatable {
        case none
        case servers([ClusterServer])
        /// Why no server would take it.
        case unusable(String)
    }

    /// Where the membership that counts at the next start stands.
    package enum Origin: String, Sendable {
        case record = "vault.db"
        case log = "raft.db"
        case pending = "peers.json"
    }

    /// The node's id; `nil` if nothing tells.
    package let nodeID: String?
    /// The position that the data covers.
    package let position: LogPosition
    /// The record `latest_config`; `nil` if there is none.
    package let recorded: ClusterConfiguration?
    /// Why the record cannot be read; `nil` if it can, or if there is none.
    let recordProblem: String?
    /// What the log holds behind the position; `nil` if the log is none that is read here.
    package let outline: RaftLogFile.Outline?
    package let hasSegments: Bool
    package let pending: Pending
    package internal(set) var findings: [Finding] = []
    /// Whether the record holds nothing but what is known here, so that a part of it can be carried over.
    let isExact: Bool

    /// - Parameter nodeID: What the server's configuration or environment says; it wins over the file `node-id`.
    package init(_ node: StoppedNode, nodeID configured: String?) throws(StorageError) {
        if let configured { nodeID = configured } else { nodeID = try Self.storedID(node) }
        position = try node.position()
        let bytes = try node.record(StateMachineNames.latestConfiguration)
        do throws(RaftFormatError) {
            if let bytes { recorded = try ClusterConfiguration(decoding: bytes) } else { recorded = nil }
            recordProblem = nil
        } catch {
            recorded = nil
            recordProblem = "\(error)"
        }
        isExact = bytes == nil || recorded?.encoded == bytes
        if let file = node.logFile {
            let index = position.index
            outline = try storageErrors { try RaftLogFile.outline(of: file.reader, behind: index) }
        } else {
            outline = nil
        }
        if case .segments = node.log { hasSegments = true } else { hasSegments = false }
        pending = try Self.pending(node)
        findings = makeFindings()
    }

    private static func storedID(_ node: StoppedNode) throws(StorageError) -> String? {
        guard let bytes = try NodeIDFile.bytes(in: node.path) else { return nil }
        return try NodeIDFile.id(bytes, in: node.path)
    }

    private static func pending(_ node: StoppedNode) throws(StorageError) -> Pending {
        guard let folder = node.raftFolder, let status = try folder.status(of: PeersFile.name) else { return .none }
        guard status.isRegular, status.bytes <= PeersFile.maximumBytes else {
            return .unusable("is a link, no file at all, or longer than any membership")
        }
        guard let bytes = try folder.bytes(of: PeersFile.name, most: PeersFile.maximumBytes) else { return .none }
        do throws(PeersFile.Problem) {
            return .servers(try PeersFile.servers(bytes))
        } catch {
            return .unusable(error.text)
        }
    }

    /// The membership with which the node would start if there were no `peers.json`; `nil` if there is none, or if it
    /// cannot be known.
    package var effective: (configuration: ClusterConfiguration, origin: Origin)? {
        if isUncertain { return nil }
        if let newest = outline?.newestConfiguration { return (newest, .log) }
        return recorded.map { ($0, .record) }
    }

    /// The servers with which the node starts next.
    package var next: (servers: [ClusterServer], origin: Origin)? {
        if case .servers(let servers) = pending { return (servers, .pending) }
        return effective.map { ($0.configuration.servers, $0.origin) }
    }

    /// Whether the log may hold a newer membership that cannot be read.
    package var isUncertain: Bool { hasSegments || outline?.isUncertain == true }
}

// MARK: What is odd

extension PeersLook {
    private func makeFindings() -> [Finding] {
        var found: [Finding] = []
        func add(_ code: String, _ text: String) { found.append(Finding(code: code, text: text)) }
        if outline?.isRemoved == true {
            add("removed", "raft.db says that this node was removed from its cluster: it refuses to start Raft.")
        }
        if case .unusable(let reason) = pending {
            add("peers_json_unusable", "raft/peers.json \(reason): the node will not unseal with it.")
        }
        if case .none = pending { addOfRecords(&found) }
        // Where it is not known which membership counts, the one that is known may be it.
        if let servers = next?.servers ?? recorded?.servers {
            found += Self.findings(of: servers, nodeID: nodeID)
        }
        return found
    }

    private func addOfRecords(_ found: inout [Finding]) {
        func add(_ code: String, _ text: String) { found.append(Finding(code: code, text: text)) }
        if let recorded {
            if recorded.index == 0, outline?.newestConfiguration == nil {
                add("index_zero", "latest_config has the index 0: a node with it never stands for election.")
            }
        } else if let recordProblem {
            add("record_damaged", "latest_config cannot be read: \(recordProblem).")
        } else if outline?.newestConfiguration == nil {
            add("no_configuration", "There is no latest_config: the node knows no peers and never stands for election.")
        }
        if position.index == 0, outline?.newestConfiguration == nil {
            add("no_position", "latest_indexes is missing or 0: a server does not look at latest_config.")
        }
        if hasSegments {
            add("log_not_read", "The log is kept in raft/wal, which is not read here: it may hold a newer membership.")
        } else if outline?.isUncertain == true {
            add("log_unreadable", "raft.db holds entries behind the data that cannot be read: one may be a membership.")
        }
        if outline?.tail.hasLog == false {
            add("no_log_bucket", "raft.db has no bucket \"logs\": it is no node's log.")
        }
    }

    /// What keeps a membership from forming a cluster, or may.
    static func findings(of servers: [ClusterServer], nodeID: String?) -> [Finding] {
        var found: [Finding] = []
        func add(_ code: String, _ text: String) { found.append(Finding(code: code, text: text)) }
        for server in servers {
            let shown = "\(StorageKey(server.id)) at \(StorageKey(server.address))"
            if server.id.isEmpty { add("no_id", "A server at \(StorageKey(server.address)) has no id.") }
            switch PeerAddress.judge(server.address) {
            case .usable: break
            case .practiceOnly(let reason): add("loopback_address", "\(shown): the address \(reason).")
            case .unusable(let reason): add("unusable_address", "\(shown): the address \(reason).")
            }
        }
        for id in repeated(servers.map(\.id)) { add("duplicate_id", "The id \(StorageKey(id)) is there twice.") }
        for address in repeated(servers.map(\.address)) {
            add("duplicate_address", "The address \(StorageKey(address)) is there twice.")
        }
        if !servers.contains(where: { $0.suffrage == .voter }) { add("no_voter", "No server has a vote.") }
        if let nodeID, !servers.contains(where: { $0.id == nodeID }) {
            add(
                "not_a_member",
                "This node, \(StorageKey(nodeID)), is not among the servers: it never stands for election. If the id is "
                    + "another one, give -node-id.")
        }
        return found
    }

    private static func repeated(_ texts: [String]) -> [String] {
        Dictionary(grouping: texts) { Array($0.utf8) }.values.filter { $0.count > 1 }.map { $0[0] }.sorted()
    }
}

/// The address of a server as a cluster's configuration keeps it: host and port.
package enum PeerAddress {
    package enum Verdict: Equatable {
        case usable
        /// Only for nodes on one machine.
        case practiceOnly(String)
        case unusable(String)
    }

    /// Whether other nodes could dial an address; the reason, to follow it in a sentence, if not.
    package static func judge(_ text: String) -> Verdict {
        guard !text.isEmpty else { return .unusable("is empty") }
        guard !text.contains("://") else {
            return .unusable("is a URL; write host and port alone, as in 10.0.0.11:8201")
        }
        let address: ClusterAddress
        do throws(StorageError) {
            address = try ClusterAddress(parsing: "https://\(text)")
        } catch {
            return .unusable("is no host and port: \(error.message)")
        }
        guard let objection = address.objection else {
            return address.hostAndPort == text ? .usable : .unusable("holds more than host and port")
        }
        return address.isLoopback ? .practiceOnly(objection) : .unusable(objection)
    }
}
