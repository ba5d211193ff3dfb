import TestSupport
import Testing

@testable import RaftCore
@testable import RaftSimulation

@Suite struct SimulationTests {
    private static let noticing: [(RaftRule, Int)] = [
        (.votesOnce, 4), (.votesForNewLogsOnly, 3), (.commitsOwnTermOnly, 2763), (.checksPrevious, 1),
        (.removesConflicts, 27), (.waitsForMajority, 1), (.confirmsReads, 57), (.countsDurableOnly, 668),
        (.changesOneAtATime, 49), (.capsCommit, 36),
    ]

    /// Seeded bad days; a failure is repeated with its seed.
    @Test(arguments: [3, 5, 7], 0..<8)
    func whatRaftPromisesHolds(nodes: Int, part: Int) throws {
        var setup = Simulation.Setup()
        setup.nodes = nodes
        var counts: [String: Int] = [:]
        for round in 0..<(3 * Effort.factor) {
            let seed = Effort.seed + 1_000 * part + round
            var simulation = Simulation(seed: seed, setup)
            #expect(throws: Never.self, "\(nodes) nodes, seed \(seed)") { try simulation.run() }
            counts.merge(simulation.counts, uniquingKeysWith: +)
        }
        // It was a bad day, and work was done all the same.
        for what in ["leaders", "crashes", "cuts", "snapshots", "reads", "acknowledged"] {
            #expect(counts[what, default: 0] > 0, "\(what): \(counts)")
        }
    }

    /// A simulation that notices nothing proves nothing. Each rule comes with a seed that noticed; if it does so no more,
    /// others are tried.
    @Test(arguments: noticing)
    func aRuleThatIsLeftOutIsNoticed(_ rule: RaftRule, seed: Int) throws {
        for seed in [seed] + Array(0..<1_200) {
            var simulation = Simulation(seed: seed, Self.roughSetup(seed, broken: [rule]))
            do {
                try simulation.run()
            } catch {
                // The same day with all rules is a good one.
                var whole = Simulation(seed: seed, Self.roughSetup(seed))
                return try whole.run()
            }
        }
        Issue.record("\(rule) was left out and nothing noticed")
    }

    @Test func everyRuleIsTried() {
        #expect(Set(Self.noticing.map(\.0)) == Set(RaftRule.allCases))
    }

    private static func roughSetup(_ seed: Int, broken: Set<RaftRule> = []) -> Simulation.Setup {
        var setup = Simulation.Setup()
        setup.broken = broken
        setup.nodes = [3, 5][seed % 2]
        setup.mostEntries = [1, 2, 64][seed % 3]
        // One entry at a time takes long to catch up.
        (setup.calmTicks, setup.quietTicks) = (2_800, 1_300)
        (setup.crashEvery, setup.cutEvery) = seed % 4 < 2 ? (700, 300) : (100, 60)
        return setup
    }
}
