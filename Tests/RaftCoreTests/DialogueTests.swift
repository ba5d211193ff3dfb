import TestSupport
import Testing

@testable import RaftCore

/// What one node answers, as the description of hashicorp/raft's members has it.
@Suite struct DialogueTests {
    private static let three = Membership([.init("n1"), .init("n2"), .init("n3")])

    /// A follower with ten entries of term 2, in term 2.
    private static func follower(vote: NodeID? = nil) -> RaftNode {
        var log = LogOutline(membership: three)
        for index in 1...10 { log.append(EntryHead(index: UInt64(index), term: 2, kind: .command)) }
        return RaftNode(id: "n2", hard: HardState(term: 2, vote: vote), log: log, seed: 1)
    }

    private static func answers(
        _ node: inout RaftNode, from: NodeID = "n1", _ term: UInt64, _ body: RaftMessage.Body
    ) -> [RaftOutput] {
        node.step(.message(RaftMessage(from: from, to: "n2", term: term, body)))
    }

    private static func sent(_ to: NodeID = "n1", _ term: UInt64, _ body: RaftMessage.Body) -> RaftOutput {
        .send(RaftMessage(from: "n2", to: to, term: term, body))
    }

    @Test func aPreVoteChangesNothing() {
        var node = Self.follower()
        let before = node.hard
        let newer = EntryPosition(index: 11, term: 2)
        #expect(Self.answers(&node, 5, .preVote(last: newer)) == [Self.sent("n1", 5, .preVoted(isGranted: true))])
        let older = EntryPosition(index: 99, term: 1)
        #expect(Self.answers(&node, 5, .preVote(last: older)) == [Self.sent("n1", 5, .preVoted(isGranted: false))])
        #expect(Self.answers(&node, 1, .preVote(last: newer)) == [Self.sent("n1", 2, .preVoted(isGranted: false))])
        #expect(node.hard == before)
        // While it knows a leader it elects no other.
        _ = Self.answers(&node, from: "n3", 2, .heartbeat(sequence: 1))
        #expect(node.leader == "n3")
        #expect(Self.answers(&node, 5, .preVote(last: newer)) == [Self.sent("n1", 5, .preVoted(isGranted: false))])
    }

    @Test func aVoteIsDurableBeforeItIsSaid() {
        var node = Self.follower()
        let last = EntryPosition(index: 10, term: 2)
        #expect(
            Self.answers(&node, 3, .vote(last: last, isTransfer: false)) == [
                .persist(HardState(term: 3)), .persist(HardState(term: 3, vote: "n1")),
                Self.sent("n1", 3, .voted(isGranted: true)),
            ])
        // Once in a term; asked again by the same one it says the same.
        #expect(
            Self.answers(&node, from: "n3", 3, .vote(last: last, isTransfer: false)) == [
                Self.sent("n3", 3, .voted(isGranted: false))
            ])
        #expect(
            Self.answers(&node, 3, .vote(last: last, isTransfer: false)) == [
                Self.sent("n1", 3, .voted(isGranted: true))
            ])
        // A leader that is known keeps a higher term out, unless it hands over itself.
        _ = Self.answers(&node, 3, .heartbeat(sequence: 1))
        #expect(
            Self.answers(&node, from: "n3", 9, .vote(last: last, isTransfer: false)) == [
                Self.sent("n3", 3, .voted(isGranted: false))
            ])
        #expect(node.hard.term == 3)
        #expect(
            Self.answers(&node, from: "n3", 9, .vote(last: last, isTransfer: true)).last
                == Self.sent("n3", 9, .voted(isGranted: true)))
    }

    @Test func entriesAreTakenBehindWhatMatches() {
        var node = Self.follower()
        func append(_ previous: EntryPosition, _ entries: [EntryHead], commit: UInt64) -> [RaftOutput] {
            Self.answers(&node, 3, .append(previous: previous, entries: entries, commit: commit, sequence: 7))
        }
        let next = EntryHead(index: 11, term: 3, kind: .command)
        // Nothing is known of entry 20; the answer says where the log ends.
        #expect(
            append(EntryPosition(index: 20, term: 3), [], commit: 5).last
                == Self.sent("n1", 3, .appended(isMatch: false, last: 10, sequence: 7)))
        #expect(node.commitIndex == 0)
        // No more is committed than the message covers, although the node holds ten.
        #expect(
            append(EntryPosition(index: 4, term: 2), [], commit: 9) == [
                .commit(4), Self.sent("n1", 3, .appended(isMatch: true, last: 10, sequence: 7)),
            ])
        // What contradicts the leader goes, and the answer still tells where the log ended before.
        let other = EntryHead(index: 8, term: 3, kind: .command)
        #expect(
            append(EntryPosition(index: 7, term: 2), [other], commit: 4) == [
                .truncate(from: 8), .append([other]),
                Self.sent("n1", 3, .appended(isMatch: true, last: 10, sequence: 7)),
            ])
        #expect(node.log.last == EntryPosition(index: 8, term: 3))
        // Gaps within a message are no message; neither is the removal of what is committed.
        #expect(append(EntryPosition(index: 8, term: 3), [next], commit: 4) == [])
        let committed = EntryHead(index: 3, term: 3, kind: .command)
        #expect(
            append(EntryPosition(index: 2, term: 2), [committed], commit: 4) == [
                Self.sent("n1", 3, .appended(isMatch: false, last: 8, sequence: 7))
            ])
        // A leader of an older term learns of the new one.
        #expect(
            Self.answers(&node, 1, .append(previous: EntryPosition(), entries: [], commit: 0, sequence: 8)) == [
                Self.sent("n1", 3, .appended(isMatch: false, last: 8, sequence: 8))
            ])
    }

    @Test func aSingleNodeLeadsAtOnceAndCommitsWhatIsDurable() {
        var node = RaftNode(id: "n1", log: LogOutline(membership: Membership([.init("n1")])), seed: 3)
        var outputs: [RaftOutput] = []
        while !node.isLeader { outputs = node.step(.tick) }
        #expect(outputs.first == .persist(HardState(term: 1, vote: "n1")))
        #expect(node.commitIndex == 0 && node.log.lastIndex == 1)
        #expect(node.step(.read(token: 5)) == [.readRefused(token: 5)])
        #expect(node.step(.persisted(EntryPosition(index: 1, term: 1))) == [.commit(1)])
        #expect(node.step(.read(token: 6)) == [.readSafe(token: 6, index: 1)])
        #expect(node.step(.propose(count: 2)).last == .accepted(2...3, term: 1))
        #expect(node.step(.persisted(EntryPosition(index: 3, term: 9))) == [])
        #expect(node.step(.persisted(EntryPosition(index: 3, term: 1))) == [.commit(3)])
    }

    /// Whatever comes from a network is taken or left: nothing ends the process.
    @Test func survivesAnyMessage() {
        var random = SeededRandom(fuzz: 4)
        func number() -> UInt64 { [0, 1, 2, 3, 9, 10, 11, 12, 1_000, .max][random.below(10)] }
        func position() -> EntryPosition { EntryPosition(index: number(), term: number()) }
        for _ in 0..<Effort.rounds(4_000) {
            var node = Self.follower(vote: random.below(2) == 0 ? "n1" : nil)
            if random.below(3) == 0 { for _ in 0..<250 { _ = node.step(.tick) } }
            for _ in 0..<6 {
                let entries = (0..<random.below(4)).map { _ in
                    EntryHead(
                        index: number(), term: number(),
                        kind: random.below(3) == 0 ? .membership(Membership([.init("n2")])) : .command)
                }
                let bodies: [RaftMessage.Body] = [
                    .append(previous: position(), entries: entries, commit: number(), sequence: number()),
                    .appended(isMatch: random.below(2) == 0, last: number(), sequence: number()),
                    .heartbeat(sequence: number()), .heartbeatSeen(sequence: number()), .preVote(last: position()),
                    .preVoted(isGranted: true), .vote(last: position(), isTransfer: random.below(2) == 0),
                    .voted(isGranted: true),
                    .snapshot(at: position(), membership: Membership([.init("n2")]), sequence: number()),
                    .snapshotTaken(isTaken: random.below(2) == 0, sequence: number()), .timeoutNow,
                ]
                let committed = node.commitIndex
                let message = RaftMessage(
                    from: ["n1", "n3", "n2", "x"][random.below(4)], to: "n2", term: number(),
                    bodies[random.below(bodies.count)])
                for output in node.step(.message(message)) {
                    if case .install(let message) = output { _ = node.step(.snapshotInstalled(message)) }
                }
                #expect(node.commitIndex >= committed && node.commitIndex <= node.log.lastIndex)
            }
        }
    }
}
