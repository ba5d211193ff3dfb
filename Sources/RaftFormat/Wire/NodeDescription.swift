/// What a node of ours says of itself to another one.
package struct NodeDescription: Hashable, Sendable {
    package var id: [UInt8]
    /// `host:port` of its cluster listener.
    package var address: [UInt8]
    /// Where its API is.
    package var apiAddress: [UInt8]
    package var term: UInt64
    /// Leader, Follower or Candidate, as servers name it.
    package var state: [UInt8]
    package var lastIndex: UInt64
    package var commitIndex: UInt64
    package var appliedIndex: UInt64
    package var entries: UInt64
    /// Whether it wants a vote.
    package var wantsVote: Bool
    /// The index at which the digest was computed; 0 if there is none.
    package var proofIndex: UInt64
    package var proofEntries: UInt64
    package var proofDigest: [UInt8]
    /// What keeps it from taking part; empty if nothing does.
    package var problem: [UInt8]

    package init(id: [UInt8], address: [UInt8], apiAddress: [UInt8]) {
        self.id = id
        self.address = address
        self.apiAddress = apiAddress
        (term, lastIndex, commitIndex, appliedIndex, entries) = (0, 0, 0, 0, 0)
        (proofIndex, proofEntries) = (0, 0)
        (state, proofDigest, problem) = ([], [], [])
        wantsVote = true
    }

    var fields: [String: MessagePack] {
        [
            "ID": .bytes(id), "Addr": .bytes(address), "APIAddr": .bytes(apiAddress), "Term": .unsigned(term),
            "State": .bytes(state), "LastIndex": .unsigned(lastIndex), "CommitIndex": .unsigned(commitIndex),
            "AppliedIndex": .unsigned(appliedIndex), "Entries": .unsigned(entries), "WantsVote": .boolean(wantsVote),
            "ProofIndex": .unsigned(proofIndex), "ProofEntries": .unsigned(proofEntries),
            "ProofDigest": .bytes(proofDigest), "Problem": .bytes(problem),
        ]
    }

    init(_ value: MessagePack) throws(RaftFormatError) {
        let fields = try MessageFields(value, "a description", names: [])
        self.init(
            id: try fields.bytes("ID"), address: try fields.bytes("Addr"), apiAddress: try fields.bytes("APIAddr"))
        term = try fields.number("Term")
        state = try fields.bytes("State", most: 64)
        lastIndex = try fields.number("LastIndex")
        commitIndex = try fields.number("CommitIndex")
        appliedIndex = try fields.number("AppliedIndex")
        entries = try fields.number("Entries")
        wantsVote = try fields.flag("WantsVote")
        proofIndex = try fields.number("ProofIndex")
        proofEntries = try fields.number("ProofEntries")
        proofDigest = try fields.bytes("ProofDigest", most: 64)
        problem = try fields.bytes("Problem")
    }
}
