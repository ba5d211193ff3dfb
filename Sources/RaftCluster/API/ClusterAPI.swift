import Glibc
package import HTTPServer
import JSON
import RaftCore
import RaftFormat
import Storage
import Synchronization
package import Telemetry

/// A node's API over HTTP/1.1: Vault's paths where Vault has one, `/v1/sealift/…` for the entries and for proofs. Every answer has
/// the header `X-Sealift-API`, so that nobody takes that of another server for a node's.
///
/// | Path | |
/// | --- | --- |
/// | `GET sys/health`, `GET sys/leader`, `GET sys/metrics` | how the node stands; the first two need no access |
/// | `GET sys/storage/raft/configuration` | the members |
/// | `POST sys/storage/raft/join`, `remove-peer`, `transfer-leadership` | changes |
/// | `POST sealift/entries`, `POST sealift/commands` | a command, protobuf `LogData`, or several |
/// | `GET sealift/entries`, `entry`, `list` | entries as frames, or one value; keys in the query are hexadecimal |
/// | `POST`, `GET`, `DELETE sealift/snapshot` | an archive of a snapshot is made, read piece by piece, and given up |
/// | `GET sealift/nodes`, `POST sealift/prove`, `POST sealift/peers` | every node's state; digests; a newcomer |
package final class ClusterAPI: Sendable {
    /// Bytes of a command.
    package static let mostCommandBytes = 65 << 20
    static let timeout = Duration.seconds(30)

    let node: ClusterNode
    private let access: Mutex<APIAccess>
    let logger: Logger
    /// Lets this node join the cluster that a request names.
    let join: @Sendable (JoinRequest) throws(ClusterError) -> Void
    private let server = Mutex<HTTPServer?>(nil)
    /// What it listens with, or did last.
    private let standing = Mutex<(address: SocketAddress, tls: HTTPServer.TLS?, allowsRemote: Bool)?>(nil)
    let counters = Counters()
    let snapshots = SnapshotShelf()

    /// A request to join, as `sys/storage/raft/join` has it.
    package struct JoinRequest: Sendable {
        package var address: String
        /// PEM, or `nil` for what the node's own file names: who vouches for the leader, and what this node shows it.
        package var authority: String?
        package var certificate: String?
        package var key: String?
        package var isNonVoter: Bool
    }

    /// What was asked, for metrics.
    final class Counters: Sendable {
        let requests = Atomic<Int>(0)
        let refusals = Atomic<Int>(0)
        let commands = Atomic<Int>(0)
        let commandBytes = Atomic<Int>(0)
    }

    package init(
        _ node: ClusterNode, _ access: APIAccess, logger: Logger,
        join: @escaping @Sendable (JoinRequest) throws(ClusterError) -> Void
    ) {
        self.node = node
        self.access = Mutex(access)
        self.logger = logger
        self.join = join
    }

    /// Listens; ends listening before with other certificates, if there are new ones. If those are no good, it goes on with the old.
    ///
    /// - Returns: The port.
    @discardableResult
    package func serve(
        _ address: SocketAddress, tls: HTTPServer.TLS?, allowsRemote: Bool
    ) throws(HTTPServerError) -> UInt16 {
        let old = standing.withLock { $0 }
        stop()
        do {
            let port = try listen(address, tls, allowsRemote)
            standing.withLock { $0 = (address, tls, allowsRemote) }
            return port
        } catch {
            if let old { _ = try listen(old.address, old.tls, old.allowsRemote) }
            throw error
        }
    }

    private func listen(
        _ address: SocketAddress, _ tls: HTTPServer.TLS?, _ allowsRemote: Bool
    ) throws(HTTPServerError) -> UInt16 {
        var limits = HTTPServer.Limits()
        limits.requestBytes = Self.mostCommandBytes
        limits.connections = 256
        let new = try HTTPServer(
            address: address, limits: limits, tls: tls, allowsRemote: allowsRemote || tls != nil,
            admits: { [self] request in
                guard let refusal = refusal(of: request) else { return nil }
                counters.requests.add(1, ordering: .relaxed)
                return Self.signed(refusal)
            }
        ) { [self] request in Self.signed(answer(request)) }
        server.withLock { $0 = new }
        return new.port
    }

    /// Says anew who may use the API.
    package func setAccess(_ new: APIAccess) { access.withLock { $0 = new } }

    package func stop() {
        server.withLock { server in
            defer { server = nil }
            return server
        }?.stop()
    }

    // MARK: Requests

    private static func signed(_ answer: HTTPServerResponse) -> HTTPServerResponse {
        var answer = answer
        answer.headers.append(("X-Sealift-API", "1"))
        return answer
    }

    func answer(_ request: HTTPServerRequest) -> HTTPServerResponse {
        counters.requests.add(1, ordering: .relaxed)
        guard request.path.hasPrefix("/v1/") else { return .failure(404, "unsupported path") }
        let path = request.path.dropFirst(4)
        do {
            if !access.withLock({ $0.admits(request) }) {
                return refusal(of: request) ?? .failure(403, "permission denied")
            }
            switch (request.method, path) {
            case ("GET", "sys/health"), ("HEAD", "sys/health"): return health(request)
            case ("GET", "sys/leader"): return .json(leaderState())
            default: break
            }
            if let refusal = refusal(of: request) { return refusal }
            switch (request.method, path) {
            case ("GET", "sys/metrics"): return metrics()
            case ("GET", "sys/storage/raft/configuration"): return .json(configuration())
            case ("POST", "sys/storage/raft/join"), ("PUT", "sys/storage/raft/join"): return try joinOther(request)
            case ("POST", "sys/storage/raft/remove-peer"), ("PUT", "sys/storage/raft/remove-peer"):
                return try removePeer(request)
            case ("POST", "sys/storage/raft/transfer-leadership"), ("PUT", "sys/storage/raft/transfer-leadership"):
                return try transfer(request)
            case ("POST", "sealift/peers"): return try addPeer(request)
            case ("POST", "sealift/entries"): return try write(request)
            case ("POST", "sealift/commands"): return try writeAll(request)
            case ("GET", "sealift/entries"): return try page(request)
            case ("GET", "sealift/entry"): return try entry(request)
            case ("GET", "sealift/list"): return try list(request)
            case ("GET", "sealift/nodes"): return .json(try nodes())
            case ("POST", "sealift/prove"): return try prove()
            case ("POST", "sealift/snapshot"): return try makeSnapshot()
            case ("GET", "sealift/snapshot"): return try readSnapshot(request)
            case ("DELETE", "sealift/snapshot"): return dropSnapshot(request)
            default: return .failure(404, "unsupported path")
            }
        } catch let error as ClusterError {
            return failure(error, request)
        } catch {
            return .failure(400, "\(error)")
        }
    }

    /// The answer to whoever may not use the API.
    private func refusal(of request: HTTPServerRequest) -> HTTPServerResponse? {
        guard !access.withLock({ $0.allows(request) }) else { return nil }
        counters.refusals.add(1, ordering: .relaxed)
        return .failure(403, "permission denied")
    }

    /// Says what went wrong; where another node leads, where that is.
    private func failure(_ error: ClusterError, _ request: HTTPServerRequest) -> HTTPServerResponse {
        switch error.code {
        case .notLeader:
            guard let address = leaderAddress() else {
                return .failure(503, "no leader is known; try again in a moment")
            }
            var answer = HTTPServerResponse.failure(307, "another node leads the cluster: \(address)")
            let query = request.query.isEmpty ? "" : "?\(request.query)"
            answer.headers.append(("Location", "\(address)\(request.path)\(query)"))
            return answer
        case .refused, .configuration: return .failure(400, error.description)
        case .unavailable: return .failure(503, error.description)
        case .noSpace: return .failure(507, error.description)
        case .damaged, .inUse, .io: return .failure(500, error.description)
        }
    }

    /// Where the leader's API is; asked of it once and then remembered for its address.
    private func leaderAddress() -> String? {
        guard let leader = node.leader, leader != node.id, let member = node.membership.0.member(leader) else {
            return nil
        }
        if let known = leaderAddresses.withLock({ $0[member.address] }) { return known }
        guard let address = (try? node.describe(member))?.apiAddress, !address.isEmpty else { return nil }
        let text = String(decoding: address, as: UTF8.self)
        leaderAddresses.withLock { known in
            if known.count > 64 { known = [:] }
            known[member.address] = text
        }
        return text
    }

    private let leaderAddresses = Mutex<[[UInt8]: String]>([:])

    // MARK: State

    private func health(_ request: HTTPServerRequest) -> HTTPServerResponse {
        let description = node.description
        let hasLeader = node.leader != nil
        let isWell = description.problem.isEmpty && hasLeader
        let standbyOK = ["true", "1", ""].contains(request.argument("standbyok") ?? "no")
        let status = !isWell ? 503 : node.isLeader || standbyOK ? 200 : 429
        return .json(
            .object([
                ("initialized", .boolean(!node.membership.0.members.isEmpty)), ("sealed", .boolean(false)),
                ("standby", .boolean(!node.isLeader)), ("server_time_utc", .integer(time(nil))),
                ("node_id", .string("\(node.id)")), ("has_leader", .boolean(hasLeader)),
                ("applied_index", .integer(Int(clamping: description.appliedIndex))),
                ("problem", .string(String(decoding: description.problem, as: UTF8.self))),
            ]), status: status)
    }

    private func leaderState() -> JSONText {
        let description = node.description
        let cluster = node.leader.flatMap { node.membership.0.member($0)?.address }
        let address = node.isLeader ? node.options.apiAddress : leaderAddress() ?? ""
        return .object([
            ("ha_enabled", .boolean(true)), ("is_self", .boolean(node.isLeader)), ("leader_address", .string(address)),
            ("leader_cluster_address", .string(cluster.map { "https://" + String(decoding: $0, as: UTF8.self) } ?? "")),
            ("raft_committed_index", .integer(Int(clamping: description.commitIndex))),
            ("raft_applied_index", .integer(Int(clamping: description.appliedIndex))),
        ])
    }

    private func configuration() -> JSONText {
        let (membership, index) = node.membership
        let servers = membership.members.map { member -> JSONText in
            .object([
                ("node_id", .string("\(member.id)")),
                ("address", .string(String(decoding: member.address, as: UTF8.self))),
                ("leader", .boolean(member.id == node.leader)), ("protocol_version", .string("3")),
                ("voter", .boolean(member.suffrage == .voter)),
            ])
        }
        return .object([
            (
                "data",
                .object([
                    ("config", .object([("index", .integer(Int(clamping: index))), ("servers", .array(servers))]))
                ])
            )
        ])
    }

    private func nodes() throws(ClusterError) -> JSONText {
        guard node.isLeader else { throw ClusterError(.notLeader(nil), "This node does not lead the cluster.") }
        let members = node.membership.0.members
        let descriptions = askAll(members)
        return .object([
            (
                "nodes",
                .array(zip(members, descriptions).map { member, answer in Self.json(member, answer, node.leader) })
            )
        ])
    }

    /// Asks all members at once, so that those that are away cost their time-out together.
    private func askAll(_ members: [Membership.Member]) -> [Result<NodeDescription, ClusterError>] {
        node.describeAll(members)
    }

    private static func json(
        _ member: Membership.Member, _ answer: Result<NodeDescription, ClusterError>, _ leader: NodeID?
    ) -> JSONText {
        func text(_ bytes: [UInt8]) -> JSONText { .string(String(decoding: bytes, as: UTF8.self)) }
        func number(_ value: UInt64) -> JSONText { .integer(Int(clamping: value)) }
        var members: [(String, JSONText)] = [
            ("node_id", text(member.id.bytes)), ("address", text(member.address)),
            ("voter", .boolean(member.suffrage == .voter)), ("leader", .boolean(member.id == leader)),
        ]
        switch answer {
        case .failure(let error): members += [("reachable", .boolean(false)), ("problem", .string(error.description))]
        case .success(let node):
            members += [
                ("reachable", .boolean(true)), ("api_address", text(node.apiAddress)), ("state", text(node.state)),
                ("term", number(node.term)), ("last_index", number(node.lastIndex)),
                ("commit_index", number(node.commitIndex)), ("applied_index", number(node.appliedIndex)),
                ("entries", number(node.entries)), ("proof_index", number(node.proofIndex)),
                ("proof_entries", number(node.proofEntries)), ("proof_digest", text(node.proofDigest)),
                ("problem", text(node.problem)),
            ]
        }
        return .object(members)
    }

    private func metrics() -> HTTPServerResponse {
        let description = node.description
        let lines = [
            ("sealift_raft_is_leader", node.isLeader ? 1 : 0), ("sealift_raft_term", Int(clamping: description.term)),
            ("sealift_raft_last_index", Int(clamping: description.lastIndex)),
            ("sealift_raft_commit_index", Int(clamping: description.commitIndex)),
            ("sealift_raft_applied_index", Int(clamping: description.appliedIndex)),
            ("sealift_raft_entries", Int(clamping: description.entries)),
            ("sealift_raft_peers", node.membership.0.members.count),
            ("sealift_raft_is_impaired", description.problem.isEmpty ? 0 : 1),
            ("sealift_raft_rejected_connections_total", node.rejectedConnections),
            ("sealift_api_requests_total", counters.requests.load(ordering: .relaxed)),
            ("sealift_api_refused_requests_total", counters.refusals.load(ordering: .relaxed)),
            ("sealift_api_commands_total", counters.commands.load(ordering: .relaxed)),
            ("sealift_api_command_bytes_total", counters.commandBytes.load(ordering: .relaxed)),
        ]
        let text = lines.map { name, value in
            "# TYPE \(name) \(name.hasSuffix("_total") ? "counter" : "gauge")\n\(name) \(value)\n"
        }.joined()
        return HTTPServerResponse(
            status: 200, headers: [("Content-Type", "text/plain; version=0.0.4; charset=utf-8")],
            body: HTTPServerBody(copying: Array(text.utf8)))
    }
}

extension HTTPServerResponse {
    static func json(_ value: JSONText, status: Int = 200) -> HTTPServerResponse {
        HTTPServerResponse(
            status: status, headers: [("Content-Type", "application/json")],
            body: HTTPServerBody(copying: Array((value.text + "\n").utf8)))
    }

    /// Vault's form of errors.
    static func failure(_ status: Int, _ text: String) -> HTTPServerResponse {
        json(.object([("errors", .array([.string(text)]))]), status: status)
    }
}
