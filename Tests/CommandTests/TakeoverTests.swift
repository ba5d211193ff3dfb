import Foundation
import TestSupport
import Testing

/// Two runs of one job: at the same time, or one after the other was killed.
@Suite struct TakeoverTests {
    @Test(arguments: ["file", "sqlite", "raft"])
    func aRunThatIsAliveIsNotDisturbed(_ kind: String) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeLargeFileStore("src", count: 20_000, seed: 41)
        let destination = sandbox.store(kind, "dst")
        let file = try sandbox.configuration(source, destination)
        let first = try sandbox.start(["operator", "migrate", "-config", file])
        let marker = "\(source.path)/core/_migration"
        // Halted while it makes a database, it would hold that database's lock, and others were told of that.
        try waitUntil("both sides are guarded") {
            exists(marker) && isGuarded(destination) || first.program.ends(within: 1)
        }
        first.program.send(SIGSTOP)
        let second = try sandbox.migrate(file)
        #expect(second.code == 2)
        #expect(second.errors.contains("is locked: another run of this migration is going on"), "\(second.errors)")
        let third = try sandbox.migrate(file, ["-state-dir", "\(sandbox.path)/elsewhere"])
        #expect(third.code == 2)
        #expect(third.errors.contains("storage migration in progress (started: "), "\(third.errors)")
        #expect(third.errors.contains("on this host is at it"), "\(third.errors)")
        #expect(exists(marker))
        first.program.send(SIGCONT)
        let outcome = try first.outcome()
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(!exists(marker))
        #expect(try sandbox.digest(of: destination) == sandbox.digest(of: source))
    }

    private func isGuarded(_ destination: Store) -> Bool {
        switch destination {
        case .file(let path): return exists("\(path)/core/_migration")
        case .raft(let path): return exists("\(path).sealift-building/node")
        case .sqlite(let path):
            let marker = "SELECT count(*) FROM vault_kv_store WHERE CAST(key AS TEXT) = 'core/migration'"
            return (try? runProgram("sqlite3", ["-readonly", path, marker])) == "1\n"
        case .dynamodb: return true
        }
    }

    /// Process numbers come again: one that now belongs to another program is not taken for the run.
    @Test func aMarkerWhoseProcessIsAnotherProgramIsTakenUp() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let file = try sandbox.configuration(source, .file("\(sandbox.path)/dst"))
        let state = "\(sandbox.path)/state"
        #expect(try sandbox.migrate(file, ["-state-dir", state]).code == 0)
        let job = try text(of: "\(state)/job").prefix(16)
        let host = try sandbox.shell("uname -n").dropLast()
        let owner = "{\"host\":\"\(host)\",\"job\":\"\(job)\",\"pid\":\(getpid())}"
        let marker = "{\"sealift\":\(owner),\"start\":\"2026-01-02T03:04:05Z\"}"
        let envelope = "{\"Value\":\"\(Data(marker.utf8).base64EncodedString())\"}\n"
        try sandbox.write("src/core/_migration", envelope)
        try sandbox.write("dst/core/_migration", envelope)
        let outcome = try sandbox.migrate(file)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(!exists("\(sandbox.path)/src/core/_migration") && !exists("\(sandbox.path)/dst/core/_migration"))
    }

    /// A run that was killed between its proof and its last word has nothing left to copy.
    @Test(arguments: ["file", "sqlite", "raft"])
    func aProvenDestinationIsOnlyLookedAtAgain(_ kind: String) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised + [SampleEntry("sys/a")])
        let destination = sandbox.store(kind, "dst")
        let file = try sandbox.configuration(source, destination)
        let state = ["-state-dir", "\(sandbox.path)/state"]
        let first = try sandbox.migrate(file, state)
        #expect(first.code == 0, "\(first.errors)")
        #expect(!exists("\(sandbox.path)/state/proven"))
        try sandbox.write("state/proven", "\(try sandbox.digest(of: source))\n")
        let before = try snapshot(destination.path)
        let again = try sandbox.migrate(file, state)
        #expect(again.code == 0, "\(again.errors)")
        #expect(again.output.contains("an earlier run of this migration was cut off"))
        #expect(again.output.contains("3 of 3 entries read back and equal"))
        #expect(try snapshot(destination.path) == before)
        #expect(!exists("\(sandbox.path)/state/proven"))

        // What was changed since is not passed off as proven.
        try sandbox.write("state/proven", "\(try sandbox.digest(of: source))\n")
        try sandbox.write("src/sys/_a", "{\"Value\":\"AAEE\"}\n")
        let changed = try sandbox.migrate(file, state)
        #expect(changed.code == 2, "\(changed.output)")
        #expect(try snapshot(destination.path, times: false) == self.timeless(before))
    }

    /// A run that was killed after it had let go of the destination leaves its marker on the source. What a server has
    /// written to the destination since is not replaced by the next run.
    @Test(arguments: ["file", "sqlite"], [true, false])
    func aDestinationThatWasLetGoIsNotReplaced(_ kind: String, _ wasProven: Bool) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised + [SampleEntry("sys/a")])
        let destination = sandbox.store(kind, "dst")
        let file = try sandbox.configuration(source, destination)
        let state = "\(sandbox.path)/state"
        #expect(try sandbox.migrate(file, ["-state-dir", state]).code == 0)
        let job = try text(of: "\(state)/job").prefix(16)
        let marker = "{\"sealift\":{\"host\":\"\",\"job\":\"\(job)\",\"pid\":0},\"start\":\"2026-01-02T03:04:05Z\"}"
        try sandbox.write("src/core/_migration", "{\"Value\":\"\(Data(marker.utf8).base64EncodedString())\"}\n")
        if wasProven { try sandbox.write("state/proven", "\(try sandbox.digest(of: source))\n") }
        if kind == "file" {
            try sandbox.write("dst/sys/_a", "{\"Value\":\"AAEE\"}\n")
        } else {
            _ = try sandbox.sql(
                destination.path, "update vault_kv_store set value = x'0001' where key = cast('sys/a' as blob)")
        }
        let before = try sandbox.digest(of: destination)
        #expect(try before != sandbox.digest(of: source))
        let outcome = try sandbox.migrate(file, ["-state-dir", state])
        #expect(outcome.code == 2, "\(outcome.output)")
        #expect(outcome.errors.contains("is not empty"), "\(outcome.errors)")
        #expect(try sandbox.digest(of: destination) == before)
    }

    private func timeless(_ snapshot: [String: String]) -> [String: String] {
        snapshot.mapValues { entry in
            let parts = entry.components(separatedBy: " ")
            return "\(parts[0]) \(parts[parts.count - 1])"
        }
    }
}
