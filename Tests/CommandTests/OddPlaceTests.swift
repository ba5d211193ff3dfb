import Foundation
import Testing

/// Places that the system itself has trouble with.
@Suite struct OddPlaceTests {
    @Test(arguments: ["raft", "file", "sqlite"])
    func aRelativePathNeedsAWorkingDirectory(_ kind: String) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let there: Store = kind == "raft" ? .raft("dst") : kind == "file" ? .file("dst") : .sqlite("dst.db")
        for (from, to) in [(source, there), (Store.file("src"), sandbox.store(kind, "dst"))] {
            let words = ["operator", "migrate", "-config", try sandbox.configuration(from, to)]
            let script =
                "mkdir '\(sandbox.path)/gone' && cd '\(sandbox.path)/gone' && rmdir ../gone && exec \"$0\" \"$@\""
            let outcome = try sandbox.startShell(script, words).outcome()
            #expect(outcome.code == 2, "\(outcome.errors)")
            #expect(outcome.errors.contains("the working directory was removed"), "\(outcome.errors)")
            #expect(!exists("\(source.path)/core/_migration"))
        }
    }

    /// Deeper than any path reaches: no link is to blame.
    @Test func foldersNestedTooDeepAreCalledThat() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        var folder = open(source.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        for _ in 0..<2100 {
            try #require(folder >= 0 && mkdirat(folder, "d", 0o700) == 0)
            let next = openat(folder, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            close(folder)
            folder = next
        }
        close(folder)
        defer { _ = try? sandbox.shell("rm -rf '\(source.path)'") }
        let words = [
            "operator", "migrate", "-config", try sandbox.configuration(source, .file("\(sandbox.path)/dst")),
        ]
        let outcome = try sandbox.startShell("ulimit -n 4096 && exec \"$0\" \"$@\"", words).outcome()
        #expect(outcome.code == 2)
        #expect(outcome.errors.contains("folders are nested more than 2048 deep"), "\(outcome.errors)")
        #expect(!outcome.errors.contains("link"), "\(outcome.errors)")
        #expect(!exists("\(source.path)/core/_migration"))
    }
}
