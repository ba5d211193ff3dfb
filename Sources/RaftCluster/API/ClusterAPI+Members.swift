import HTTPServer
import JSON
import RaftCore
import Sockets
import Telemetry

extension ClusterAPI {
    /// Reads the members of a JSON object; `{}` stands for an empty body.
    private func object<Result>(
        _ request: HTTPServerRequest, _ body: (JSONNode) throws -> Result
    ) throws -> Result {
        let parser = try JSONParser()
        let text = request.body.isEmpty ? Array("{}".utf8) : request.body
        return try text.withUnsafeBytes { try body(parser.parse($0)) }
    }

    /// Lets this node join another one's cluster.
    func joinOther(_ request: HTTPServerRequest) throws -> HTTPServerResponse {
        func pem(_ node: JSONNode?) -> String? { node?.text.flatMap { $0.isEmpty ? nil : $0 } }
        let wanted = try object(request) { body in
            JoinRequest(
                address: body["leader_api_addr"]?.text ?? "", authority: pem(body["leader_ca_cert"]),
                certificate: pem(body["leader_client_cert"]), key: pem(body["leader_client_key"]),
                isNonVoter: body["non_voter"]?.boolean ?? false)
        }
        guard !wanted.address.isEmpty else { throw ClusterError(.refused, "Name the leader: leader_api_addr.") }
        guard !wanted.isNonVoter || !node.options.wantsVote else {
            throw ClusterError(
                .refused,
                "Whether a node gets a vote is said in its file: set retry_join_as_non_voter = true and start this one anew."
            )
        }
        if node.membership.0.member(node.id) != nil { return .json(.object([("joined", .boolean(true))])) }
        try join(wanted)
        return .json(.object([("joined", .boolean(true))]))
    }

    /// Adds a newcomer, without a vote until it has caught up; `voter` gives a vote at once, to a node of another kind, of which
    /// nobody learns whether it has.
    func addPeer(_ request: HTTPServerRequest) throws -> HTTPServerResponse {
        let (id, address, votes) = try object(request) { body in
            (body["server_id"]?.text ?? "", body["cluster_addr"]?.text ?? "", body["voter"]?.boolean ?? false)
        }
        guard !id.isEmpty, id.utf8.count <= 1024 else { throw ClusterError(.refused, "Name the newcomer: server_id.") }
        guard HostAddress(address) != nil else {
            throw ClusterError(.refused, "cluster_addr must be the newcomer's host and port.")
        }
        let newcomer = NodeID(Array(id.utf8))
        let membership = node.membership.0
        if let member = membership.member(newcomer), member.address.elementsEqual(address.utf8),
            member.suffrage == .voter || !votes
        {
            return .json(.object([("joined", .boolean(true))]))
        }
        if let other = membership.members.first(where: { $0.address.elementsEqual(address.utf8) && $0.id != newcomer })
        {
            throw ClusterError(
                .refused, "Node \(other.id) has the address \(address). Remove it first, or correct yours.")
        }
        let bytes = Array(address.utf8)
        _ = try node.change(
            votes ? .addVoter(newcomer, address: bytes) : .addNonVoter(newcomer, address: bytes), timeout: Self.timeout)
        return .json(.object([("joined", .boolean(true))]))
    }

    func removePeer(_ request: HTTPServerRequest) throws -> HTTPServerResponse {
        let id = try object(request) { $0["server_id"]?.text ?? "" }
        let member = NodeID(Array(id.utf8))
        guard node.isLeader else { throw ClusterError(.notLeader(nil), "This node does not lead the cluster.") }
        guard node.membership.0.member(member) != nil else {
            throw ClusterError(.refused, "There is no node \(printable(id)). list-peers names them.")
        }
        guard node.membership.0.voters != [member] else {
            throw ClusterError(.refused, "Node \(printable(id)) is the only voter: without it there is no cluster.")
        }
        _ = try node.change(.remove(member), timeout: Self.timeout)
        return HTTPServerResponse(status: 204, body: HTTPServerBody(capacity: 0))
    }

    func transfer(_ request: HTTPServerRequest) throws -> HTTPServerResponse {
        let id = try object(request) { $0["server_id"]?.text ?? "" }
        guard node.isLeader else { throw ClusterError(.notLeader(nil), "This node does not lead the cluster.") }
        let others = node.membership.0.voters.filter { $0 != node.id }
        let target = id.isEmpty ? node.mostCurrent(of: others) : NodeID(Array(id.utf8))
        guard let target, others.contains(target) else {
            throw ClusterError(
                .refused,
                id.isEmpty ? "There is no other voter to hand over to." : "Node \(printable(id)) is no other voter.")
        }
        try node.transfer(to: target, timeout: Self.timeout)
        return .json(.object([("node_id", .string("\(target)"))]))
    }

    private func printable(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.prefix(100).filter { $0.value > 0x20 && $0.value < 0x7f }))
    }
}
