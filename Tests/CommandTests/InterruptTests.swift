import Foundation
import TestSupport
import Testing

/// Runs that are told to stop, or killed, at seeded moments.
@Suite(.serialized) struct InterruptTests {
    private static let kinds = ["raft", "sqlite", "file"]

    @Test(arguments: kinds)
    func aSignalStopsCleanly(_ kind: String) throws {
        let trial = try Trial(kind, count: 20_000, seed: 11)
        var random = SeededRandom(12)
        var interrupted = 0
        for round in 0..<6 {
            let signal = round.isMultiple(of: 2) ? SIGINT : SIGTERM
            let running = try trial.sandbox.start(trial.words)
            if !running.program.ends(within: trial.moment(&random)) { running.program.send(signal) }
            let outcome = try running.outcome()
            #expect(outcome.code == 130 || outcome.code == 0 || outcome.code == -signal, "\(outcome.errors)")
            if outcome.code == 130 {
                interrupted += 1
                #expect(outcome.output == "==> Migration shutdown triggered\n\n")
                #expect(outcome.messages.last?.hasPrefix("Interrupted.") == true, "\(outcome.errors)")
                if kind == "raft" { #expect(!exists(trial.destination.path)) }
            }
            #expect(!exists("\(trial.source.path)/core/_migration"))
            try trial.expectNothingHalf(isDone: outcome.code == 0)
            if outcome.code == 0 { try trial.startOver() }
        }
        #expect(interrupted > 0)
        try trial.complete()
    }

    @Test(arguments: kinds)
    func aKillIsTakenUp(_ kind: String) throws {
        let trial = try Trial(kind, count: 3000, seed: 21)
        var random = SeededRandom(22)
        var kills = 0
        let wanted = Effort.isThorough ? 30 : 9
        // Most runs are killed; a program that ends by itself each time must not be tried for ever.
        for _ in 0..<60 where kills < wanted {
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let running = try trial.sandbox.start(trial.words)
                if !running.program.ends(within: trial.moment(&random)) { running.program.send(SIGKILL) }
                let outcome = try running.outcome()
                let isDone = outcome.output.contains("Success!")
                #expect(outcome.code == -SIGKILL || (outcome.code == 0 && isDone), "\(outcome.errors)")
                kills += outcome.code == -SIGKILL ? 1 : 0
                try trial.expectNothingHalf(isDone: isDone)
                if isDone { try trial.startOver() }
            }
            try trial.complete()
            try trial.startOver()
        }
        #expect(kills >= wanted, "only \(kills) runs could be killed")
    }
}

/// A migration that is cut off again and again.
private final class Trial {
    let sandbox: Sandbox
    let source: Store
    let destination: Store
    let words: [String]
    private let digest: String
    private let milliseconds: Int32

    init(_ kind: String, count: Int, seed: UInt64) throws {
        sandbox = try Sandbox()
        source = try sandbox.makeLargeFileStore("src", count: count, seed: seed)
        destination = sandbox.store(kind, "dst")
        words = ["operator", "migrate", "-config", try sandbox.configuration(source, destination)]
        digest = try sandbox.digest(of: source)
        let begin = ContinuousClock.now
        let outcome = try sandbox.sealift(words)
        milliseconds = Int32((ContinuousClock.now - begin) / .milliseconds(1))
        #expect(outcome.code == 0, "\(outcome.errors)")
        try startOver()
    }

    /// A moment between start and end of an undisturbed run.
    func moment(_ random: inout SeededRandom) -> Int32 {
        Int32.random(in: 0...milliseconds, using: &random)
    }

    /// Removes the destination.
    func startOver() throws {
        try? FileManager.default.removeItem(atPath: destination.path)
        #expect(!exists(destination.path))
    }

    /// Whatever stands under the destination's name is whole, or no server starts on it.
    func expectNothingHalf(isDone: Bool) throws {
        guard exists(destination.path) else {
            #expect(!isDone)
            return
        }
        switch destination {
        case .raft: #expect(try sandbox.digest(of: destination) == digest)
        case .dynamodb: Issue.record("a table is no file")
        case .file(let path):
            let isGuarded = exists("\(path)/core/_migration")
            if isDone { #expect(!isGuarded) }
            let names = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
            // A folder, and the marker on its way to its name, hold nothing yet.
            let isBare = !names.contains { $0.contains("/_") }
            guard !isGuarded, !isBare else { return }
            #expect(try sandbox.digest(of: destination) == digest)
        case .sqlite(let path):
            let count = "SELECT count(*) FROM sqlite_master WHERE name = 'vault_kv_store'"
            guard try sandbox.sql(path, count) == "1\n" else { return }
            let marker = "SELECT count(*) FROM vault_kv_store WHERE key = CAST('core/migration' AS BLOB)"
            let isGuarded = try sandbox.sql(path, marker) == "1\n"
            if isDone { #expect(!isGuarded) }
            guard !isGuarded, try sandbox.sql(path, "SELECT count(*) FROM vault_kv_store") != "0\n" else { return }
            #expect(try sandbox.digest(of: destination) == digest)
        }
    }

    /// Runs the same command to its end, which leaves what an undisturbed run leaves.
    func complete() throws {
        let outcome = try sandbox.sealift(words)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("sha256:\(digest)"))
        #expect(try sandbox.digest(of: destination) == digest)
        #expect(!exists("\(source.path)/core/_migration"))
        let names = try FileManager.default.contentsOfDirectory(atPath: sandbox.path)
        let expected: Set = ["home", "src", "dst", "dst.db", "dst.sealift", "migrate.hcl", "checksum.hcl"]
        #expect(Set(names).isSubset(of: expected), "left behind: \(names)")
        try expectNothingHalf(isDone: true)
        guard case .file(let path) = destination else { return }
        // Entry for entry the same files: nothing that a killed run was writing is left between them.
        let (there, here) = (
            try sandbox.shell("cd '\(path)' && find . | sort"),
            try sandbox.shell("cd '\(source.path)' && find . | sort")
        )
        #expect(there == here)
    }
}
