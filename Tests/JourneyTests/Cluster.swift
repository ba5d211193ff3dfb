import OpenBaoTestKit

/// What every new cluster must be able to do.
enum Cluster {
    /// Three nodes that run and wait to be initialised: the first one, and two that join it.
    static func make(in folder: String) throws -> [Node] {
        let first = try Node(.newest, "node1", in: folder, .raft())
        let others = try ["node2", "node3"].map { try Node(.newest, $0, in: folder, .raft(joining: [first])) }
        for node in [first] + others { try node.start() }
        return [first] + others
    }

    /// Starts the first node on its storage, lets two empty ones join, kills the first, and demands everything of whoever
    /// is there, each time; new entries too.
    ///
    /// - Returns: The nodes that are left, the active one first.
    @discardableResult
    static func grow(
        from first: Node, _ keys: UnsealKeys, _ contents: Contents, in folder: String, seal: String = ""
    ) throws -> [Node] {
        try first.start()
        try first.unseal(keys)
        try eventually("\(first.name) is active") { try first.isActive() }
        try contents.check(first.api)
        let joined = try ["node2", "node3"].map { name in
            try Node(first.version, name, in: folder, .raft(joining: [first]), seal: seal)
        }
        for node in joined {
            try node.start()
            try node.unseal(keys)
        }
        try first.waitForVotes(of: [first] + joined, keys)
        try first.api.ask("POST", "kv2/data/written-last", #"{"data":{"password":"new"}}"#)
        first.kill()

        let active = try Node.active(of: joined)
        try contents.check(active.api)
        let written = try active.api.text("data.data.password", "GET", "kv2/data/written-last")
        guard written == "new" else { throw ServerFailure("what was written last is lost") }
        return [active] + joined.filter { $0 !== active }
    }
}
