import Foundation
import Testing

/// Arguments, variables and names are bytes, which need not be UTF-8.
@Suite struct ByteTests {
    /// How the key that begins with the byte 0xA0 can be given.
    private static let spellings = ["$(printf '\\240')", "\\\\xa0", "\\\\xA0", "$(printf '\\237')z"]

    @Test(arguments: spellings)
    func startTakesBytesAndEscapes(_ spelling: String) throws {
        let (sandbox, file) = try sample()
        for command in ["operator migrate", "check"] {
            let words = command == "check" ? "\"$0\" check" : "\"$0\" operator migrate"
            let outcome = try sandbox.startShell("exec \(words) -config '\(file)' -start=\"\(spelling)\"").outcome()
            #expect(outcome.code == 0, "\(outcome.errors)")
            let count = command == "check" ? "= same                    1\n" : "Proven        1 of 1 "
            #expect(outcome.output.contains(count), "\(outcome.output)")
        }
        #expect(try sandbox.shell("ls '\(sandbox.path)/dst' | wc -l") == "1\n")
    }

    @Test func aBackslashThatBeginsNoEscapeIsAnError() throws {
        let (sandbox, file) = try sample()
        let outcome = try sandbox.migrate(file, ["-start=sys\\a"])
        #expect(outcome.code == 1 && outcome.errors.contains("a backslash begins an escape"), "\(outcome.errors)")
        let stat = ["inspect", "stat", "-config", file, "-side=source"]
        #expect(try sandbox.sealift(stat + ["\\xa0"]).code == 0)
        let raw = try sandbox.startShell("exec \"$0\" \"$@\" \"$(printf '\\240')\"", stat).outcome()
        #expect(raw.code == 0, "\(raw.errors)")
        #expect(raw.output.contains("key     \\xa0\n"))
    }

    @Test func aFilesNameNeedNotBeText() throws {
        let (sandbox, file) = try sample()
        let name = "\(sandbox.path)/c$(printf '\\377').hcl"
        let script = "cp '\(file)' \"\(name)\" && exec \"$0\" operator migrate -config \"\(name)\""
        let outcome = try sandbox.startShell(script).outcome()
        #expect(outcome.code == 0, "\(outcome.errors)")
        let variable = try sandbox.startShell(
            "VAULT_MIGRATE_CONFIG_PATH=\"\(name)\" exec \"$0\" operator migrate -reset"
        )
        .outcome()
        #expect(variable.code == 0, "\(variable.errors)")
        let missing = try sandbox.startShell("exec \"$0\" operator migrate -config \"$(printf 'x\\377')\"").outcome()
        #expect(missing.code == 1 && missing.errors.contains("open x\\xff: no such file"), "\(missing.errors)")
    }

    /// What could only be passed on changed is refused.
    @Test(arguments: [
        "-state-dir=\"$(printf 'x\\377')\"", "-log-level=\"$(printf 'x\\377')\"", "-chown \"$(printf '\\377')\"",
    ])
    func textsMustBeTexts(_ flag: String) throws {
        let (sandbox, file) = try sample()
        let before = try snapshot(sandbox.path + "/src")
        let outcome = try sandbox.startShell("exec \"$0\" operator migrate -config '\(file)' \(flag)").outcome()
        #expect(outcome.code == 1 && outcome.errors.contains("it is not UTF-8"), "\(outcome.errors)")
        #expect(try snapshot(sandbox.path + "/src") == before)
    }

    @Test func aHomeThatIsNoTextIsRefused() throws {
        let (sandbox, file) = try sample()
        let script = "HOME=\"$(printf '/tmp/h\\377')\" exec \"$0\" operator migrate -config '\(file)'"
        let outcome = try sandbox.startShell(script).outcome()
        #expect(outcome.code == 1 && outcome.errors.contains("the environment's HOME"), "\(outcome.errors)")
        // A variable that nobody reads does no harm, nor one that a command does not need.
        let other = try sandbox.startShell("OTHER=\"$(printf '\\377')\" exec \"$0\" operator migrate -config '\(file)'")
        #expect(try other.outcome().code == 0)
        #expect(try sandbox.startShell("HOME=\"$(printf '\\377')\" exec \"$0\" version").outcome().code == 0)
    }

    /// Two entries that every store has, and one whose key is the byte 0xA0.
    private func sample() throws -> (Sandbox, file: String) {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        try sandbox.shell("cp '\(source.path)/core/_keyring' \"\(source.path)/_$(printf '\\240')\"")
        return (sandbox, try sandbox.configuration(source, .file("\(sandbox.path)/dst")))
    }
}
