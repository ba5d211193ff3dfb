import Foundation
import Testing

/// Words that name no migration: help, version, completion, mistakes.
@Suite struct CommandWordTests {
    private static let commands: [[String]] = [
        [], ["operator"], ["operator", "migrate"], ["check"], ["checksum"], ["inspect"], ["inspect", "ls"],
        ["inspect", "du"], ["inspect", "stat"], ["completion"], ["version"],
    ]

    @Test(arguments: commands, ["-h", "-help", "--help"])
    func helpGoesToStandardOutput(_ command: [String], _ flag: String) throws {
        let outcome = try Sandbox().sealift(command + [flag])
        #expect(outcome.code == 0)
        #expect(outcome.errors == "")
        #expect(outcome.output.hasPrefix("Usage: \((["sealift"] + command).joined(separator: " "))"))
        #expect(outcome.outputLines.allSatisfy { $0.count <= 100 })
        if command == ["operator", "migrate"] {
            for flag in ["config", "start", "reset", "max-parallel", "log-level", "dry-run", "practice", "state-dir"] {
                #expect(outcome.output.contains("\n  -\(flag)"), "\(flag) is not in the help")
            }
        }
    }

    private static let mistakes: [(words: [String], code: Int32, says: String)] = [
        ([], 127, "Usage: sealift"), (["migrate"], 127, "has no command \"migrate\""),
        (["operater"], 127, "Did you mean \"operator\"?"), (["operator"], 1, "Usage: sealift operator"),
        (["operator", "migrat"], 127, "Did you mean \"migrate\"?"), (["-config", "x"], 1, "Put flags after"),
        (["completion", "tcsh"], 1, "bash, zsh, fish"), (["inspect", "stat"], 1, "Must specify exactly one config"),
        (["check", "-side=source"], 1, "flag provided but not defined: -side"),
    ]

    @Test(arguments: mistakes)
    func mistakesGoToStandardError(_ words: [String], _ code: Int32, _ says: String) throws {
        let outcome = try Sandbox().sealift(words)
        #expect(outcome.code == code)
        #expect(outcome.output == "")
        #expect(outcome.errors.contains(says), "\(outcome.errors)")
    }

    @Test(arguments: [["version"], ["-v"], ["-version"], ["--version"]])
    func tellsItsVersion(_ words: [String]) throws {
        let outcome = try Sandbox().sealift(words)
        #expect(outcome.code == 0)
        #expect(outcome.output.range(of: #"^Sealift v\d+\.\d+\.\d+\n$"#, options: .regularExpression) != nil)
    }

    @Test(arguments: [
        ("bash", "bash --norc -c 'set -e; . SCRIPT; complete -p sealift'"),
        ("zsh", "zsh -f -c 'compdef() { print compdef $2; }; . SCRIPT'"),
        ("fish", "fish --no-config -c 'source SCRIPT; complete -C \"sealift oper\"'"),
    ])
    func completionScriptsLoad(_ shell: String, _ command: String) throws {
        let sandbox = try Sandbox()
        let outcome = try sandbox.sealift(["completion", shell])
        #expect(outcome.code == 0)
        let script = try sandbox.write("script", outcome.output)
        #expect(try sandbox.shell(command.replacing("SCRIPT", with: script)) != "")
    }
}
