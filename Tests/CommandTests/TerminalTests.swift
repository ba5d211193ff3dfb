import Foundation
import Testing

/// What the program does on a terminal.
@Suite struct TerminalTests {
    private static let colour = #"\x1B\[[0-9;]*m"#

    @Test(arguments: [30, 80, 200])
    func aLiveBlockComesAndGoes(_ columns: Int) throws {
        let (screen, code) = try migrate(columns: columns, [:])
        #expect(code == 0, "\(screen.text)")
        let shown = screen.frames.flatMap { $0 }
        #expect(shown.contains { $0.contains("entries/s") }, "no block was shown")
        #expect(shown.contains { $0.hasPrefix("copying") || $0.hasPrefix("comparing") })
        #expect(screen.text.range(of: Self.colour, options: .regularExpression) != nil)
        let block = shown.filter { $0.hasPrefix("copying") || $0.contains("entries/s") || $0.hasPrefix("  at ") }
        #expect(block.allSatisfy { $0.count < columns }, "the block is as wide as the terminal")
        #expect(!(shown + screen.rows).contains { $0.contains("unknown sequence") })
        expectOnlyTheResult(screen)
    }

    @Test(arguments: ["NO_COLOR", "VAULT_CLI_NO_COLOR"])
    func coloursCanBeSwitchedOff(_ variable: String) throws {
        let (screen, code) = try migrate(columns: 80, [variable: "1"])
        #expect(code == 0)
        #expect(screen.text.range(of: Self.colour, options: .regularExpression) == nil)
        #expect(screen.frames.flatMap { $0 }.contains { $0.contains("entries/s") })
        expectOnlyTheResult(screen)
    }

    @Test(arguments: [[], ["-format=json"]])
    func aDumbTerminalGetsLines(_ flags: [String]) throws {
        let (screen, code) = try migrate(columns: 80, ["TERM": "dumb"], flags)
        #expect(code == 0)
        #expect(!screen.text.contains("\u{1B}"))
        let lines = screen.text.components(separatedBy: "\r\n")
        let result = flags.isEmpty ? "Success! All of the keys have been migrated." : "{\"event\":\"result\""
        #expect(lines.contains { $0.hasPrefix(result) }, "\(lines)")
    }

    @Test(arguments: [([:], true), (["NO_COLOR": "1"], false), (["TERM": "dumb"], false), (["NO_COLOR": ""], true)])
    func errorsAreRedWhereColoursAreAllowed(_ variables: [String: String], _ isRed: Bool) throws {
        let sandbox = try Sandbox()
        let screen = try Screen(columns: 80)
        let code = try screen.watch(sandbox.start(["operator", "migrate"], on: screen, adding: variables))
        #expect(code == 1)
        let message = "Must specify exactly one config path using -config"
        #expect(screen.text == (isRed ? "\u{1B}[31m\(message)\u{1B}[0m\r\n" : "\(message)\r\n"))
    }

    /// The interrupt must come while the block is there; how soon that is depends on the machine, so several moments are
    /// tried until one fits.
    @Test func anInterruptLeavesNoBlock() throws {
        var hits = 0
        for (attempt, moment) in ([300, 200, 400, 120, 600, 80, 50] as [Int32]).enumerated() where hits == 0 {
            let sandbox = try Sandbox()
            let source = try sandbox.makeLargeFileStore("src", count: 20_000 + 5_000 * attempt, seed: 32)
            let file = try sandbox.configuration(source, .sqlite("\(sandbox.path)/dst.db"))
            let screen = try Screen(columns: 80)
            let program = try sandbox.start(["operator", "migrate", "-config", file], on: screen)
            if !program.ends(within: moment) { program.send(SIGINT) }
            let code = try screen.watch(program)
            guard code == 130, screen.frames.flatMap({ $0 }).contains(where: { $0.contains("entries/s") }) else {
                continue
            }
            hits += 1
            let rows = screen.rows.filter { !$0.isEmpty }
            #expect(rows.first == "==> Migration shutdown triggered")
            #expect(rows.dropFirst().first?.hasPrefix("Interrupted.") == true, "\(rows)")
        }
        #expect(hits == 1, "no interrupt came while the block was there")
    }

    private func migrate(
        columns: Int, _ variables: [String: String], _ flags: [String] = []
    ) throws -> (Screen, Int32) {
        let sandbox = try Sandbox()
        let source = try sandbox.makeLargeFileStore("src", count: 50_000, seed: 31)
        let file = try sandbox.configuration(source, .sqlite("\(sandbox.path)/dst.db"))
        let screen = try Screen(columns: UInt16(columns))
        let words = ["operator", "migrate", "-config", file] + flags
        return (screen, try screen.watch(sandbox.start(words, on: screen, adding: variables)))
    }

    private func expectOnlyTheResult(_ screen: Screen) {
        let rows = screen.rows.filter { !$0.isEmpty }
        #expect(rows.first == "Success! All of the keys have been migrated.", "\(rows)")
        #expect(!rows.contains { $0.contains("entries/s  ") || $0.hasPrefix("  at ") }, "the block was left: \(rows)")
    }
}

extension Sandbox {
    /// Starts the program on a terminal.
    fileprivate func start(
        _ words: [String], on screen: Screen, adding variables: [String: String] = [:]
    ) throws -> RunningProgram {
        let terminal = environment.merging(["TERM": "xterm-256color"]) { $1 }.merging(variables) { $1 }
        return try RunningProgram(
            [Self.program] + words, environment: terminal, streams: (screen.device, screen.device, screen.device))
    }
}
