import Foundation
import TestSupport
import Testing

/// From every kind of store to every other one: a run that is killed anywhere leaves nothing half that could be taken for
/// whole, and the same command comes to the same end.
@Suite struct KilledPairTests {
    /// Kills of every pair: 200 in a thorough run.
    private static let kills = Effort.isThorough ? 8 : 2

    @Test(arguments: KilledPair.kinds, KilledPair.kinds)
    func anywhere(_ source: String, _ destination: String) throws {
        let pair = try KilledPair(source, destination)
        let steps = try pair.steps("all")
        var random = SeededRandom(fuzz: 71)
        var kills = 0
        for _ in 0..<60 where kills < Self.kills {
            let round = try pair.round()
            var story = "\(source) to \(destination), seed \(71 &+ Effort.seed &* 1_000_003): killed"
            // Some runs are killed more than once.
            for _ in 0...random.below(3) where kills < Self.kills && !round.isTold {
                let step = 1 + random.below(steps)
                story += " before change \(step)"
                // What an earlier run has done already need not be done again, so that there may be fewer.
                guard try pair.kill(round, before: step, "all", Comment(rawValue: story)) else { continue }
                kills += 1
            }
            try pair.complete(round, Comment(rawValue: story))
        }
        #expect(kills == Self.kills)
    }

    /// Between each step that makes something durable and the next one.
    @Test(arguments: [
        ("file", "file"), ("raft", "sqlite"), ("dynamodb", "raft"), ("sqlite", "dynamodb"), ("file", "raft_cluster"),
    ])
    func betweenAllDurableSteps(_ source: String, _ destination: String) throws {
        let pair = try KilledPair(source, destination)
        let steps = try pair.steps("durable")
        let stride = Effort.stride(6)
        var (step, kills) = (1 + Effort.seed % stride, 0)
        while step <= steps {
            let round = try pair.round()
            let story: Comment = "\(source) to \(destination): killed before durable step \(step) of \(steps)"
            if try pair.kill(round, before: step, "durable", story) { kills += 1 }
            try pair.complete(round, story)
            step += stride
        }
        #expect(kills * stride > steps / 2, "\(kills) kills of \(steps)")
    }

    /// What the other tests look for is found if it is there.
    @Test func aHalfStoreWouldBeFound() throws {
        let pair = try KilledPair("file", "file")
        for step in stride(from: 1, through: try pair.steps("all"), by: 4) {
            let round = try pair.round()
            let isKilled = try pair.kill(round, before: step, "all", "step \(step)")
            if try isKilled && pair.takeGuard(from: round) {
                return withKnownIssue { try pair.expectNothingHalf(round, isDone: false, "unguarded") }
            }
            try pair.complete(round, "step \(step)")
        }
        Issue.record("no run was killed over its first entries")
    }
}
