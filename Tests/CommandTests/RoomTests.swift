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
