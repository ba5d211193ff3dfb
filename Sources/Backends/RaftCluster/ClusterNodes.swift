import JSON
package import Storage

/// What a node of the cluster says of itself, as its leader has learned it.
package struct ClusterNodeState: Sendable, Equatable {
    package var id = ""
    package var address = ""
    package var apiAddress = ""
    package var isVoter = false
    package var isLeader = false
    package var isReachable = false
    /// Leader, Follower or Candidate.
    package var state = ""
    package var term = 0
    package var lastIndex = 0
    package var commitIndex = 0
    package var appliedIndex = 0
    package var entries = 0
    /// The index of the newest digest; 0 if there is none.
    package var proofIndex = 0
    package var proofEntries = 0
    package var proofDigest = ""
    package var problem = ""

    init(_ node: JSONNode) {
        func text(_ value: JSONNode?) -> String {
            let scalars = (value?.text ?? "").unicodeScalars.prefix(1000).filter {
                $0.value >= 0x20 && $0.value != 0x7f
            }
            return String(String.UnicodeScalarView(scalars))
        }
        id = text(node["node_id"])
        address = text(node["address"])
        apiAddress = text(node["api_address"])
        isVoter = node["voter"]?.boolean ?? false
        isLeader = node["leader"]?.boolean ?? false
        isReachable = node["reachable"]?.boolean ?? false
        state = text(node["state"])
        term = node["term"]?.integer ?? 0
        lastIndex = node["last_index"]?.integer ?? 0
        commitIndex = node["commit_index"]?.integer ?? 0
        appliedIndex = node["applied_index"]?.integer ?? 0
        entries = node["entries"]?.integer ?? 0
        proofIndex = node["proof_index"]?.integer ?? 0
        proofEntries = node["proof_entries"]?.integer ?? 0
        proofDigest = text(node["proof_digest"])
        problem = text(node["problem"])
    }
}

extension ClusterClient {
    /// Every member, as the leader finds it now.
    package func nodes(
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) throws(StorageError) -> [ClusterNodeState] {
        let answer = try perform("GET", "sealift/nodes", isCancelled: isCancelled)
        let nodes = try RaftClusterBackend.read(answer) { body in
            body["nodes"].map { $0.elements.map { ClusterNodeState($0) } } ?? []
        }
        guard nodes.contains(where: \.isVoter) else {
            throw StorageError(.io, "\(address) names no node of its cluster that votes.")
        }
        return nodes
    }

    /// Asks every node for the digest of what it holds.
    ///
    /// - Returns: The index behind which it is computed.
    package func prove(isCancelled: @escaping @Sendable () -> Bool = { false }) throws(StorageError) -> Int {
        let answer = try perform("POST", "sealift/prove", isCancelled: isCancelled)
        return try RaftClusterBackend.index(answer)
    }
}

extension RaftClusterBackend {
    /// Every member, as the leader finds it now.
    func nodes(isCancelled: @escaping @Sendable () -> Bool = { false }) throws(StorageError) -> [ClusterNodeState] {
        try client.nodes(isCancelled: isCancelled)
    }
}
