import Foundation
import Testing

/// What this program has not made is never removed, emptied or written through.
@Suite struct ForeignFilesTests {
    /// What stands where the building folder would be.
    enum Obstacle: String, CaseIterable {
        case link, danglingLink, file, unmarked, linkedMark, foreignMark, strange, linkedNode

        /// Puts it there, beside another node's directory `other`.
        func make(_ sandbox: Sandbox) throws {
            let path = "\(sandbox.path)/dst.sealift-building"
            let mark = "sealift building folder 1\n"
            switch self {
            case .link: #expect(symlink("other", path) == 0)
            case .danglingLink: #expect(symlink("nowhere", path) == 0)
            case .file: try sandbox.write("dst.sealift-building", "keep me")
            case .unmarked:
                try makeFolder("\(path)/raft")
                for name in ["vault.db", "raft/raft.db", "node-id"] {
                    try sandbox.write("dst.sealift-building/\(name)", "keep me")
                }
            case .linkedMark:
                try makeFolder(path)
                #expect(symlink("../other/vault.db", "\(path)/sealift-building") == 0)
            case .foreignMark:
                try makeFolder(path)
                try sandbox.write("dst.sealift-building/sealift-building", "something else\n")
            case .strange:
                try makeFolder("\(path)/node")
                try sandbox.write("dst.sealift-building/sealift-building", mark)
                try sandbox.write("dst.sealift-building/node/letters.txt", "keep me")
            case .linkedNode:
                try makeFolder(path)
                try sandbox.write("dst.sealift-building/sealift-building", mark)
                #expect(symlink("../other", "\(path)/node") == 0)
            }
        }
    }

    @Test(arguments: Obstacle.allCases)
    func nothingForeignIsTouchedWhereADirectoryIsBuilt(_ obstacle: Obstacle) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let other = try sandbox.migrate(
            try sandbox.configuration(source, .raft("\(sandbox.path)/other")),
            ["-state-dir", "\(sandbox.path)/home/other"])
        #expect(other.code == 0)
        let file = try sandbox.configuration(source, .raft("\(sandbox.path)/dst"))
        try obstacle.make(sandbox)
        let before = try snapshot(sandbox.path).filter { !$0.key.hasPrefix("home") && !$0.key.isEmpty }
        for flags in [["-dry-run"], []] {
            let outcome = try sandbox.migrate(file, flags)
            #expect(outcome.code == 2, "\(flags): \(outcome.output)")
            #expect(outcome.errors.contains("nothing in it is touched"), "\(outcome.errors)")
            let after = try snapshot(sandbox.path).filter { !$0.key.hasPrefix("home") && !$0.key.isEmpty }
            #expect(after == before, "\(flags)")
        }
    }

    /// A state folder that was named by mistake keeps what was in it.
    @Test(arguments: [
        "manifest.txt", "report.json", "report.html", "job", "lock", "proven", "unlisted.txt", "lost.txt",
        "obstacles.txt",
        "journal.lmdb",
    ])
    func filesOfThoseNamesInAFolderThatIsNoStateAreKept(_ name: String) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let file = try sandbox.configuration(source, .raft("\(sandbox.path)/dst"))
        try makeFolder("\(sandbox.path)/notes")
        for isLink in [false, true] {
            if isLink {
                #expect(rename("\(sandbox.path)/notes/\(name)", "\(sandbox.path)/kept") == 0)
                #expect(symlink("../kept", "\(sandbox.path)/notes/\(name)") == 0)
            } else {
                try sandbox.write("notes/\(name)", "my own words")
            }
            let before = try snapshot("\(sandbox.path)/notes", times: false)
            for flags in [["-dry-run"], []] {
                let outcome = try sandbox.migrate(file, flags + ["-state-dir", "\(sandbox.path)/notes"])
                #expect(outcome.code == 2, "\(flags): \(outcome.output)")
                #expect(outcome.errors.contains("notes/\(name) stands where"), "\(outcome.errors)")
                #expect(try snapshot("\(sandbox.path)/notes", times: false) == before)
                #expect(!exists("\(sandbox.path)/dst") && !exists("\(sandbox.path)/dst.sealift-building"))
            }
            if isLink { #expect(try text(of: "\(sandbox.path)/kept") == "my own words") }
        }
    }

    /// Entries are written under a name of our own first; a link of that name leads to somebody's file.
    @Test(arguments: ["core/.migration.temp", "sys/.a.temp"], [true, false])
    func aFileOnTheWayToAnEntrysNameIsNotWrittenThrough(_ name: String, _ isLink: Bool) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised + [SampleEntry("sys/a")])
        let file = try sandbox.configuration(source, .file("\(sandbox.path)/dst"))
        try makeFolder("\(sandbox.path)/dst/core")
        try makeFolder("\(sandbox.path)/dst/sys")
        let kept = try sandbox.write(isLink ? "kept" : "dst/\(name)", "my own words")
        if isLink { #expect(symlink(kept, "\(sandbox.path)/dst/\(name)") == 0) }
        let outcome = try sandbox.migrate(file)
        #expect(outcome.code == 2, "\(outcome.output)")
        #expect(outcome.errors.contains("is in the way of writing the entry"), "\(outcome.errors)")
        #expect(try text(of: kept) == "my own words")
        #expect(!exists("\(source.path)/core/_migration"))
    }

    /// A different identity of the node is told, not removed.
    @Test func aNodeIDThatTheConfigurationContradictsIsRefused() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let file = try sandbox.configuration(source, .raft("\(sandbox.path)/dst"))
        try makeFolder("\(sandbox.path)/dst")
        try sandbox.write("dst/node-id", "another")
        for flags in [["-dry-run"], []] {
            let outcome = try sandbox.migrate(file, flags)
            #expect(outcome.code == 2)
            #expect(outcome.errors.contains("says that this is the node another"), "\(outcome.errors)")
            #expect(outcome.errors.contains("node1"))
            #expect(try snapshot("\(sandbox.path)/dst").keys.sorted() == ["", "node-id"])
        }
        // The same id with a line feed is the same node; the file stays as it is.
        try sandbox.write("dst/node-id", "node1\n")
        let outcome = try sandbox.migrate(file)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(try text(of: "\(sandbox.path)/dst/node-id") == "node1\n")
    }
}
