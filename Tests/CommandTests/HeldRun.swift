import Foundation
import TestSupport
import Testing

/// A migration with a live view that waits for its source's service until it is released.
final class HeldRun {
    let sandbox: Sandbox
    let state: String
    /// The page, with a slash at the end.
    let url: String
    let started: Sandbox.Started
    let server: PracticeServer

    /// - Parameters:
    ///   - items: What the source has.
    ///   - milliseconds: How long the service takes for each answer.
    init(
        _ flags: [String] = [], address: String = "127.0.0.1:0", items: TableItems = .many(10, seed: 5),
        milliseconds: Int = 0
    ) throws {
        let sandbox = try Sandbox()
        let file = try sandbox.write("items.jsonl", items.text)
        server = try PracticeServer(sandbox, ["-import", file, "-fault", "slow=1,slow-ms=\(milliseconds)"])
        let configuration = try sandbox.configuration(server.store(), .raft("\(sandbox.path)/raft"))
        let state = "\(sandbox.path)/state"
        try server.halt()
        let started = try sandbox.start(
            ["operator", "migrate", "-config", configuration, "-state-dir", state, "-max-parallel=1", "-ui", address]
                + flags)
        var found: String?
        try waitUntil("the live view is there") {
            found = try text(of: started.errors).firstMatch(of: /Live view: (http:\S+\/)\n/).map { String($0.output.1) }
            return found != nil || started.program.ends(within: 1)
        }
        url = try #require(found, "the live view does not come")
        (self.sandbox, self.state, self.started) = (sandbox, state, started)
    }

    deinit { server.goOn() }

    /// Lets the run go on.
    func release() { server.goOn() }

    /// Asks for something with curl.
    ///
    /// - Returns: Status, headers and body.
    func ask(_ path: String, _ words: String = "") throws -> (status: Int, head: String, body: String) {
        let answer = try sandbox.shell("curl -sS -i --max-time 60 \(words) '\(url)\(path)'")
        let parts = answer.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let status = parts[0].split(separator: " ").dropFirst().first.flatMap { Int($0) }
        return (try #require(status, "\(answer)"), parts[0], parts.count > 1 ? parts[1] : "")
    }
}
