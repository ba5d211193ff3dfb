import Foundation
import Testing

/// Words that name no migration: help, version, completion, mistakes.
@Suite struct CommandWordTests {
    private static let commands: [[String]] = [
        [], ["operator"], ["operator", "migrate"], ["check"], ["checksum"], ["inspect"], ["inspect", "ls"],
        ["inspect", "du"], ["inspect", "stat"], ["inspect", "pages"], ["inspect", "snapshot"], ["snapshot"],
        ["snapshot", "verify"], ["snapshot", "diff"], ["raft"], ["raft", "fix-peers"],
        ["raft", "compact"], ["prove"], ["completion"], ["version"], ["help", "backends"], ["reference"],
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

    /// Every command there is, so that a new one cannot be forgotten above.
    @Test func noHelpIsWiderThanATerminal() throws {
        let sandbox = try Sandbox()
        let commands = try sandbox.sealift(["reference", "commands"]).output.matches(of: /(?m)^### `sealift ([^`]+)`/)
            .map { $0.output.1.split(separator: " ").map(String.init) }
        #expect(commands.count > 25)
        for command in commands {
            let help = try sandbox.sealift(command + ["-help"])
            #expect(help.code == 0)
            for line in help.outputLines where line.count > 100 { Issue.record("\(command): \(line)") }
        }
    }

    private static let mistakes: [(words: [String], code: Int32, says: String)] = [
        ([], 127, "Usage: sealift"), (["migrate"], 127, "has no command \"migrate\""),
        (["operater"], 127, "Did you mean \"operator\"?"), (["operator"], 1, "Usage: sealift operator"),
        (["operator", "migrat"], 127, "Did you mean \"migrate\"?"), (["-config", "x"], 1, "Put flags after"),
        (["completion", "tcsh"], 1, "bash, zsh, fish"), (["inspect", "stat"], 1, "Must specify exactly one config"),
        (["help", "backends", "rafd"], 1, "Known are raft, file"),
        (["help", "chekc"], 127, "has no command \"chekc\""),
        (["reference"], 1, "Name one: commands"), (["reference", "man", "nothing"], 1, "no command sealift nothing"),
        (["check", "-digest-only"], 1, "flag provided but not defined: -digest-only"),
    ]

    @Test(arguments: mistakes)
    func mistakesGoToStandardError(_ words: [String], _ code: Int32, _ says: String) throws {
        let outcome = try Sandbox().sealift(words)
        #expect(outcome.code == code)
        #expect(outcome.output == "")
        #expect(outcome.errors.contains(says), "\(outcome.errors)")
    }

    @Test(arguments: [[], ["operator"], ["operator", "migrate"], ["check"]])
    func helpOfACommandIsItsOwn(_ command: [String]) throws {
        let sandbox = try Sandbox()
        #expect(try sandbox.sealift(["help"] + command).output == sandbox.sealift(command + ["-help"]).output)
    }

    @Test func backendsAndTheirOptionsAreListed() throws {
        let sandbox = try Sandbox()
        let list = try sandbox.sealift(["help", "backends"])
        #expect(list.code == 0)
        for kind in ["raft", "file", "sqlite", "dynamodb", "dynamodb_export", "raft_snapshot", "inmem"] {
            #expect(list.outputLines.contains { $0.hasPrefix("  \(kind) ") }, "\(list.output)")
            let page = try sandbox.sealift(["reference", "backends"])
            #expect(page.output.contains("### `\(kind)`"))
        }
        let one = try sandbox.sealift(["help", "backends", "dynamodb"])
        #expect(one.output.contains("\n  table (text)\n"))
        #expect(one.output.contains("AWS_DYNAMODB_TABLE wins over the file"))
        #expect(one.output.contains("vault-dynamodb-backend"))
        #expect(one.outputLines.allSatisfy { $0.count <= 100 })
        let forPrograms = try sandbox.sealift(["help", "backends", "-format=json", "raft"])
        let object = try JSONSerialization.jsonObject(with: Data(forPrograms.output.utf8)) as? [String: Any]
        let names = (object?["options"] as? [[String: Any]])?.compactMap { $0["name"] as? String }
        #expect(
            object?["type"] as? String == "raft" && names == ["path", "node_id", "node", "node_id_file", "apply_log"])
        #expect((object?["ignored"] as? [String])?.contains("retry_join") == true)
    }

    /// Every word that begins a line of a page in roff is a request that man(7) has, and no text became one.
    @Test func manPagesAreRoff() throws {
        let sandbox = try Sandbox()
        for command in [
            [], ["operator", "migrate"], ["check"], ["practice-table"], ["help", "backends"], ["raft", "fix-peers"],
        ] {
            let page = try sandbox.sealift(["reference", "man"] + command)
            #expect(page.code == 0 && page.output.hasPrefix(".TH \""))
            let requests: Set = [".TH", ".SH", ".PP", ".TP", ".B", ".I", ".RS", ".RE", ".nf", ".fi"]
            for line in page.outputLines where line.hasPrefix(".") || line.hasPrefix("'") {
                #expect(requests.contains(String(line.prefix { $0 != " " })), "\(line)")
            }
            #expect(page.outputLines.filter { $0 == ".nf" }.count == page.outputLines.filter { $0 == ".fi" }.count)
        }
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
