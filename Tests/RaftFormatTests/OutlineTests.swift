import Bolt
import RaftFormat
import TestSupport
import Testing

/// What a log says of its cluster behind a position, in logs that the original library wrote.
@Suite struct OutlineTests {
    struct Case: Sendable {
        var kinds: String
        /// Entries are numbered from 5 on.
        var behind: UInt64
        var newest: UInt64?
        var configurations: Int
        var unreadable: UInt64?
        var isUncertain: Bool
    }

    static let cases = [
        Case(kinds: "", behind: 0, newest: nil, configurations: 0, unreadable: nil, isUncertain: false),
        Case(kinds: "cmcn", behind: 0, newest: 6, configurations: 1, unreadable: nil, isUncertain: false),
        Case(kinds: "cmcm", behind: 5, newest: 8, configurations: 2, unreadable: nil, isUncertain: false),
        Case(kinds: "cmcn", behind: 6, newest: nil, configurations: 0, unreadable: nil, isUncertain: false),
        Case(kinds: "cmxn", behind: 0, newest: 6, configurations: 1, unreadable: 7, isUncertain: true),
        Case(kinds: "cxmn", behind: 0, newest: 7, configurations: 1, unreadable: 6, isUncertain: false),
        Case(kinds: "cf", behind: 0, newest: nil, configurations: 1, unreadable: 6, isUncertain: true),
        Case(kinds: "mmm", behind: .max, newest: nil, configurations: 0, unreadable: nil, isUncertain: false),
    ]

    @Test(arguments: cases)
    func theLastReadableMembershipCounts(_ given: Case) throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/raft.db"
            try GoProgram.raftcheck.run("log", path, "5", given.kinds)
            let reader = try BoltReader(path: path)
            defer { reader.close() }
            let outline = try RaftLogFile.outline(of: reader, behind: given.behind)
            #expect(outline.newestConfiguration?.index == given.newest)
            #expect(outline.configurations == given.configurations && outline.unreadableIndex == given.unreadable)
            #expect(outline.isUncertain == given.isUncertain && outline.currentTerm == 3 && !outline.isRemoved)
            #expect(outline.firstIndex == (given.kinds.isEmpty ? 0 : 5))
            #expect(try outline.tail == RaftLogFile.tail(of: reader, behind: given.behind) || given.kinds.contains("f"))
            if given.newest != nil {
                let server = ClusterServer(id: "node2", address: "10.0.0.2:8201")
                #expect(outline.newestConfiguration?.servers == [server])
            }
        }
    }

    /// A first key that is no index is no empty log.
    @Test func aFirstKeyThatIsNoIndexIsUncertain() throws {
        for key in [[1], [UInt8](repeating: 0, count: 8)] as [[UInt8]] {
            try Scratch.withFolder { folder in
                let builder = try BoltBuilder(path: "\(folder)/raft.db")
                try builder.beginBucket(RaftLogFile.logBucket)
                try key.withUnsafeBytes { try builder.add(key: $0, value: $0) }
                try builder.endBucket()
                try builder.finish()
                let reader = try BoltReader(path: "\(folder)/raft.db")
                defer { reader.close() }
                #expect(try RaftLogFile.outline(of: reader, behind: 5).isUncertain)
            }
        }
    }

    /// Entries as servers write them, and changed ones: a membership, or an error.
    @Test func anEntryIsAMembershipOrAnError() throws {
        let whole = try bytes(LogVector.configuration.rawValue)
        let read = try whole.withUnsafeBytes { try ClusterConfiguration(entry: $0, index: 1) }
        #expect(read.servers == [ClusterServer(id: "node1", address: "127.0.0.1:8201")])
        var random = SeededRandom(fuzz: 41)
        for count in whole.indices { #expect(throws: RaftFormatError.self) { try parse(Array(whole[..<count])) } }
        for _ in 0..<Effort.rounds(3_000) { _ = try? parse(random.mutated(whole)) }
    }

    private func parse(_ bytes: [UInt8]) throws -> ClusterConfiguration {
        try bytes.withUnsafeBytes { try ClusterConfiguration(entry: $0, index: 1) }
    }
}
