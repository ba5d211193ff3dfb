import Flags
import Testing

@Suite struct HelpTests {
    @Test func commandHelpIsInVaultsManner() {
        let expected = """
            Usage: sealift operator migrate [options]

              This command starts a storage backend migration process to copy all data
              from one backend to another.

              Stop Vault first.

              Start a migration with a configuration file:

                  $ sealift operator migrate -config=migrate.hcl

            Command Options:

              -config=<path>
                  Path to a configuration file. It should contain only migrator
                  directives.

              -start=<string>
                  Only copy keys lexicographically at or after this value.

              -reset
                  Reset the migration lock. No migration will occur.

              -max-parallel=<int>
                  Copies under way at most. The default is 10.

              -log-level=<string>
                  Log verbosity level. The default is info. This can also be specified via
                  the SEALIFT_LOG_LEVEL or VAULT_LOG_LEVEL environment variable.

            """
        #expect(Sample.migrate.helpText(width: 80).hasPrefix(expected))
        #expect(!Sample.migrate.helpText(width: 80).contains("debug-dump"))
    }

    @Test(arguments: [0, 20, 60, 132])
    func linesKeepTheWidth(_ width: Int) {
        let lines = Sample.migrate.helpText(width: width).split(separator: "\n")
        #expect(lines.allSatisfy { $0.count <= max(width - 2, 40) || $0.contains("sealift ") })
    }

    @Test func groupHelpListsCommands() {
        let root = """
            Usage: sealift <command> [args]

              Moves Vault's data between storage backends.

            Commands:
                operator    Work on stores
                version     Prints the version

            """
        #expect(Sample.root.helpText() == root)
        #expect(
            Sample.root.subcommands[0].helpText().hasPrefix("Usage: sealift operator <subcommand> [options] [args]\n"))
        #expect(Sample.inspect.helpText().contains("Usage: sealift operator inspect FILE\n"))
        #expect(Sample.inspect.helpText().contains("Arguments:\n\n  FILE\n      The file"))
    }

    @Test func referenceHasEveryFlag() {
        let text = Sample.root.referenceMarkdown()
        #expect(text.contains("### `sealift operator migrate`\n\n    sealift operator migrate [options]\n"))
        let row = "| `-log-level=<string>` | `info` | `SEALIFT_LOG_LEVEL`, `VAULT_LOG_LEVEL` | Log verbosity level. |\n"
        #expect(text.contains(row))
        #expect(text.contains("| `-skip=<prefix>` |  | `SEALIFT_SKIP` | Prefix that isn't copied. Repeatable. |"))
        #expect(text.contains("- `FILE`: The file"))
        #expect(!text.contains("debug-dump"))
    }
}

@Suite struct ResolutionTests {
    @Test(arguments: [
        (["operator", "migrate", "-config", "x"], "command sealift operator migrate -config x"),
        (["operator", "migrate", "-h"], "help sealift operator migrate"),
        (["operator", "-help"], "help sealift operator"), (["--help"], "help sealift"),
        (["-v"], "version"), (["--version"], "version"),
        ([], "incomplete sealift 127"), (["operator"], "incomplete sealift operator 1"),
        (["opertor"], "127 sealift has no command \"opertor\".\nDid you mean \"operator\"?"),
        (["operator", "zzz"], "127 sealift operator has no command \"zzz\".\nSee: sealift operator -help"),
        (["-x"], "1 Invalid flags before the subcommand: \"-x\". Put flags after the subcommand."),
    ])
    func findsTheCommand(_ arguments: [String], _ expected: String) {
        #expect(describe(arguments) == expected)
    }

    private func describe(_ arguments: [String]) -> String {
        do throws(FlagError) {
            switch try Sample.root.resolve(arguments) {
            case .command(let command, let rest):
                let words = rest.map { String(decoding: $0, as: UTF8.self) }
                return "command \(command.commandLine) \(words.joined(separator: " "))"
            case .help(let command): return "help \(command.commandLine)"
            case .version: return "version"
            case .incomplete(let command, let exitCode): return "incomplete \(command.commandLine) \(exitCode)"
            }
        } catch {
            return "\(error.exitCode) \(error.message)"
        }
    }
}
