import Flags
import Glibc
import Testing

/// The scripts are loaded by the real shells; a shell that is not installed fails the test.
@Suite struct CompletionTests {
    private static let cases: [(words: [String], offers: [String])] = [
        (["sealift", ""], ["operator", "version"]),
        (["sealift", "op"], ["operator"]),
        (["sealift", "operator", ""], ["inspect", "migrate"]),
        (["sealift", "operator", "migrate", "-con"], ["-config"]),
        (["sealift", "operator", "migrate", "--con"], ["--config"]),
        (["sealift", "operator", "migrate", "-debug"], []),
        (["sealift", "operator", "migrate", "-reset", "-max"], ["-max-parallel"]),
        (["sealift", "operator", "migrate", "-log-level", ""], ["debug", "error", "info", "trace", "warn"]),
        (["sealift", "operator", "migrate", "--log-level", "t"], ["trace"]),
        (["sealift", "operator", "migrate", "-config", "mig"], ["migrate.hcl"]),
        (["sealift", "operator", "migrate", "--config", "two"], ["two words.hcl"]),
        (["sealift", "operator", "inspect", "mig"], ["migrate.hcl"]),
    ]

    @Test(arguments: Shell.allCases)
    func scriptsAreSound(_ shell: Shell) throws {
        let files = try ScriptFolder(["script": Sample.root.completionScript(for: shell)])
        #expect(try files.run([shell.rawValue, "-n", "script"]) == "")
    }

    @Test(arguments: cases)
    func bashOffers(_ words: [String], _ offers: [String]) throws {
        #expect(try bash(words) == offers)
    }

    @Test(arguments: [
        (["-log-level", "=", "t"], ["trace"]), (["-config", "="], ["migrate.hcl", "script", "two words.hcl"]),
    ])
    func bashPutsSplitWordsTogether(_ words: [String], _ offers: [String]) throws {
        #expect(try bash(["sealift", "operator", "migrate"] + words) == offers)
    }

    private func bash(_ words: [String]) throws -> [String] {
        let script = Sample.root.completionScript(for: .bash)
        let files = try ScriptFolder(["script": script, "migrate.hcl": "", "two words.hcl": ""])
        let driver = """
            source ./script
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
            [[ $(complete -p sealift) =~ -F\\ ([^ ]+) ]] && "${BASH_REMATCH[1]}"
            ((${#COMPREPLY[@]} == 0)) || printf '%s\\n' "${COMPREPLY[@]}"
            """
        return try files.run(["bash", "--norc", "-c", driver, "bash"] + words).lines.sorted()
    }

    /// Outside of a terminal zsh's completion helpers do not run; stand-ins print what they are given.
    @Test(arguments: cases)
    func zshOffers(_ words: [String], _ offers: [String]) throws {
        let script = Sample.root.completionScript(for: .zsh)
        let files = try ScriptFolder(["script": script, "migrate.hcl": "", "two words.hcl": ""])
        let driver = """
            compdef() { registered=$1 }
            compset() { true }
            compadd() { shift; print -rl -- "$@" }
            _describe() { local -a all; all=("${(@P)@[-1]}"); print -rl -- "${(@)all%%:*}" }
            _files() { print -rl -- *.hcl }
            source ./script
            words=("$@"); CURRENT=$#
            $registered
            """
        let current = words[words.count - 1]
        let found = try files.run(["zsh", "-f", "-c", driver, "zsh"] + words).lines.filter { $0.hasPrefix(current) }
        #expect(found.sorted() == offers)
    }

    @Test(arguments: cases)
    func fishOffers(_ words: [String], _ offers: [String]) throws {
        let script = Sample.root.completionScript(for: .fish)
        let files = try ScriptFolder(["script": script, "migrate.hcl": "", "two words.hcl": ""])
        let line = words.joined(separator: " ")
        let command = "source ./script; complete -C \"\(line)\""
        let found = try files.run(["fish", "--no-config", "-c", command]).lines.map { line in
            String(line.split(separator: "\t")[0])
        }
        #expect(Set(found).sorted() == offers)
    }

    @Test func fishCompletesBehindEquals() throws {
        let files = try ScriptFolder(["script": Sample.root.completionScript(for: .fish)])
        let line = "sealift operator migrate --log-level=t"
        let found = try files.run(["fish", "--no-config", "-c", "source ./script; complete -C '\(line)'"])
        #expect(found.lines.map { $0.split(separator: "\t")[0] } == ["--log-level=trace"])
    }
}

extension String {
    fileprivate var lines: [String] { split(separator: "\n").map(String.init) }
}

/// A temporary folder with files in it, removed at the end; commands run inside it.
private final class ScriptFolder {
    private let path: String
    private let names: [String]

    init(_ files: [String: String]) throws {
        var template = Array("/tmp/sealift-completion-XXXXXX".utf8CString)
        let made: UnsafeMutablePointer<CChar> = try #require(mkdtemp(&template))
        path = String(cString: made)
        names = Array(files.keys)
        for (name, text) in files {
            let file = try #require(fopen("\(path)/\(name)", "w"))
            fputs(text, file)
            fclose(file)
        }
    }

    deinit {
        for name in names { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    /// Standard output and error of a command, which must exit with 0 or 1.
    func run(_ words: [String]) throws -> String {
        let quoted = (["cd", path, "&&", "HOME=" + path] + words.map(quote)).joined(separator: " ")
        let pipe = try #require(popen(quoted + " 2>&1", "r"))
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while case let count = fread(&buffer, 1, buffer.count, pipe), count > 0 { output += buffer[..<count] }
        let status = pclose(pipe)
        let code = (status >> 8) & 0xFF
        #expect(code == 0 || code == 1, "\(words[0]) ended with status \(status)")
        return String(decoding: output, as: UTF8.self)
    }

    private func quote(_ word: String) -> String {
        "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
