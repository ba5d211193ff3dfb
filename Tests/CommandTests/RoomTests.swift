import Foundation
import Testing

/// A file system that is too small, in bytes or in inodes, is noticed before the first write.
@Suite struct RoomTests {
    /// Source, destination, options of the small file system, and what is lacking.
    private static let cases: [(source: String, destination: String, options: String, text: String?)] = [
        ("file", "file", "size=64m,nr_inodes=200", "inodes free"),
        ("raft", "file", "size=64m,nr_inodes=200", "inodes free"),
        ("file", "file", "size=1m,nr_inodes=9000", "the copy needs about"),
        ("sqlite", "file", "size=1m,nr_inodes=9000", "the copy needs about"),
        ("file", "sqlite", "size=1m,nr_inodes=9000", "the copy needs about"),
        ("file", "raft", "size=1m,nr_inodes=9000", "the copy needs about"),
        ("raft", "sqlite", "size=64m,nr_inodes=2", "inodes free"),
        ("file", "sqlite", "size=64m,nr_inodes=2", "inodes free"),
        ("file", "file", "size=64m,nr_inodes=9000", nil), ("file", "sqlite", "size=64m,nr_inodes=9000", nil),
    ]

    /// Runs `body` in the sandbox's folder, in a space of mounts of its own, with $1 for the program and $2 for the file.
    private func start(_ sandbox: Sandbox, _ file: String, _ body: String) throws -> Outcome {
        try sandbox.start(
            program: ["/usr/bin/unshare"] + (geteuid() == 0 ? ["-m"] : ["-r", "-m"])
                + ["/bin/sh", "-ec", "cd '\(sandbox.path)'; \(body)", "sh", Sandbox.program, file]
        ).outcome()
    }

    /// A folder of the same file system mounted at the destination: nothing can be renamed into its place. An empty
    /// `node-id` in it is no node's.
    @Test(arguments: ["", ": > host/node-id;"])
    func aMountOfTheSameFileSystemIsFilledInside(_ before: String) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        for name in ["host", "dst"] { try makeFolder("\(sandbox.path)/\(name)") }
        let block = "storage_destination \"raft\" {\n  path = \"\(sandbox.path)/dst\"\n}\n"
        let file = try sandbox.write(
            "c.hcl", source.block("storage_source") + block + "cluster_addr = \"https://10.0.0.11:8201\"\n")
        let outcome = try start(
            sandbox, file,
            "\(before) mount --bind host dst; \"$1\" operator migrate -config \"$2\" -state-dir state; ls -A host")
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.outputLines.suffix(3) == ["node-id", "raft", "vault.db"], "\(outcome.output)")
        #expect(try text(of: "\(sandbox.path)/host/node-id").count == 36)
    }

    /// A node's file never shrinks: what it holds counts, not its length.
    @Test func anEmptiedFileNeedsNoMoreRoomThanItHolds() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.unpack(.raftOpenBao)
        try sandbox.shell("truncate -s +80M '\(source.path)/vault.db'")
        try makeFolder("\(sandbox.path)/small")
        let file = try sandbox.configuration(source, .raft("\(sandbox.path)/small/dst"))
        let outcome = try start(
            sandbox, file,
            "mount -t tmpfs -o size=24m tmpfs small; \"$1\" operator migrate -config \"$2\" -state-dir state")
        #expect(outcome.code == 0, "\(outcome.errors)")
    }

    /// A dry run finds out that the migration marker could not be set.
    @Test(arguments: [true, false])
    func aSourceThatMayOnlyBeReadIsAnObstacle(_ isDryRun: Bool) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let file = try sandbox.configuration(source, .raft("\(sandbox.path)/out/dst"))
        try makeFolder("\(sandbox.path)/out")
        let flags = isDryRun ? "-dry-run" : ""
        let script =
            "mount --bind src src; mount -o remount,ro,bind src; "
            + "exec \"$1\" operator migrate -config \"$2\" -state-dir state \(flags)"
        let outcome = try start(sandbox, file, script)
        #expect(outcome.code == 2, "\(outcome.output)")
        #expect(outcome.errors.contains("-read-only-source"), "\(outcome.errors)")
        #expect(!exists("\(sandbox.path)/out/dst") && !exists("\(sandbox.path)/out/dst.sealift-building"))
        #expect(try start(sandbox, file, script + " -read-only-source").code == 0)
    }

    @Test(arguments: cases)
    func tooLittleRoomIsAnObstacle(
        _ given: (source: String, destination: String, options: String, text: String?)
    ) throws {
        let sandbox = try Sandbox()
        var source = try sandbox.makeLargeFileStore("src", count: 1000, seed: 6)
        if given.source != "file" {
            let other = sandbox.store(given.source, "from")
            #expect(try sandbox.migrate(try sandbox.configuration(source, other)).code == 0)
            source = other
        }
        try makeFolder("\(sandbox.path)/small")
        let destination = sandbox.store(given.destination, "small/dst")
        let file = try sandbox.configuration(source, destination)
        for flags in ["-dry-run", ""] {
            // A mount of its own, gone with the shell; whoever is not root becomes so in a space of users.
            let script = """
                mount -t tmpfs -o \(given.options) tmpfs '\(sandbox.path)/small' || exit 99
                '\(Sandbox.program)' operator migrate -config '\(file)' -state-dir '\(sandbox.path)/state' \(flags)
                code=$?
                ls -A '\(sandbox.path)/small'
                exit $code
                """
            let outcome = try sandbox.start(
                program: ["/usr/bin/unshare"] + (geteuid() == 0 ? ["-m"] : ["-r", "-m"]) + ["/bin/sh", "-c", script]
            ).outcome()
            guard let text = given.text else {
                #expect(outcome.code == 0, "\(outcome.errors)")
                continue
            }
            #expect(outcome.code == 2, "\(outcome.errors)")
            #expect(outcome.errors.contains("/small has ") && outcome.errors.contains(text), "\(outcome.errors)")
            #expect(outcome.output.isEmpty, "\(outcome.output)")
        }
    }
}
