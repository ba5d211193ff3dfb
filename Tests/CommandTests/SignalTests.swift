import Foundation
import TestSupport
import Testing

/// Whatever a shell, a cron job or a job system does to a run, the source's marker does not stay behind.
@Suite(.serialized) struct SignalTests {
    private static let ending = [
        SIGHUP, SIGINT, SIGQUIT, SIGALRM, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, 34, 64,
    ]

    @Test(arguments: ending)
    func aSignalStopsInGoodOrder(_ signal: Int32) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeLargeFileStore("src", count: 5000, seed: 51)
        let words = ["operator", "migrate", "-config", try sandbox.configuration(source, sandbox.store("raft", "dst"))]
        let marker = "\(source.path)/core/_migration"
        // A run may be over before the signal comes.
        for _ in 0..<10 {
            let running = try sandbox.start(words)
            try waitUntil("the marker is set") { exists(marker) || running.program.ends(within: 0) }
            running.program.send(signal)
            let outcome = try running.outcome()
            #expect(!exists(marker))
            if outcome.code == 130 { return }
            #expect(outcome.code == 0 || outcome.code == -signal, "\(outcome.errors)")
            try? FileManager.default.removeItem(atPath: "\(sandbox.path)/dst")
        }
        Issue.record("no run could be interrupted")
    }

    /// Supervisors send several signals for one.
    @Test func severalSignalsAreOne() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeLargeFileStore("src", count: 5000, seed: 52)
        let words = ["operator", "migrate", "-config", try sandbox.configuration(source, sandbox.store("file", "dst"))]
        let marker = "\(source.path)/core/_migration"
        let running = try sandbox.start(words)
        try waitUntil("the marker is set") { exists(marker) || running.program.ends(within: 0) }
        for signal in [SIGTERM, SIGHUP, SIGTERM, SIGINT] { running.program.send(signal) }
        let outcome = try running.outcome()
        #expect(outcome.code == 130 || outcome.code == 0, "\(outcome.errors)")
        #expect(!exists(marker))
    }

    /// Under `nohup`.
    @Test func whatIsIgnoredStaysIgnored() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeLargeFileStore("src", count: 5000, seed: 53)
        let words = ["operator", "migrate", "-config", try sandbox.configuration(source, sandbox.store("raft", "dst"))]
        let running = try sandbox.startShell("trap '' HUP USR1; exec \"$0\" \"$@\"", words)
        let marker = "\(source.path)/core/_migration"
        try waitUntil("the marker is set") { exists(marker) || running.program.ends(within: 0) }
        for signal in [SIGHUP, SIGUSR1] { running.program.send(signal) }
        let outcome = try running.outcome()
        #expect(outcome.code == 0, "\(outcome.errors)")
    }

    /// Each limit with exit codes that may come of it.
    private static let limits: [(limit: String, codes: Set<Int32>, says: String)] = [
        ("ulimit -f 100", [2], "ile too large"), ("ulimit -n 6", [2], "too many open files"),
        ("ulimit -n 12", [2], "too many open files"), ("ulimit -v 100000", [2], "(ulimit -v, ulimit -d)"),
        ("ulimit -v 300000", [0], ""), ("ulimit -v 600000", [0], ""),
        ("ulimit -d 100000", [2], "(ulimit -v, ulimit -d)"),
        ("ulimit -d 300000", [0], ""), ("ulimit -s 512", [0], ""),
    ]

    @Test(arguments: limits, ["raft", "sqlite"])
    func aLimitIsAnErrorOrNone(_ limit: (limit: String, codes: Set<Int32>, says: String), _ kind: String) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeLargeFileStore("src", count: 5000, seed: 54)
        let destination = sandbox.store(kind, "dst")
        let words = ["operator", "migrate", "-config", try sandbox.configuration(source, destination)]
        let outcome = try sandbox.startShell("\(limit.limit) && exec \"$0\" \"$@\"", words).outcome()
        #expect(limit.codes.contains(outcome.code), "\(limit) \(outcome.code): \(outcome.errors)")
        #expect(limit.says.isEmpty || outcome.errors.contains(limit.says), "\(limit): \(outcome.errors)")
        // The state folder's disk is no fault of the source.
        #expect(!outcome.errors.contains("error reading entry: write "), "\(outcome.errors)")
        #expect(!exists("\(source.path)/core/_migration"))
        if outcome.code == 0 { #expect(try sandbox.digest(of: destination) == sandbox.digest(of: source)) }
    }
}
