import Foundation
import TestSupport
import Testing

/// What a power cut leaves of files that were being written when they were not synced yet: zeros, under the right name.
/// `scripts/try-power-loss` finds such states; these are those that once stopped the next run.
@Suite struct PowerLossTests {
    private static let zeros = [UInt8](repeating: 0, count: 200)

    @Test func entriesThatAreNoneAreReplaced() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised + [SampleEntry("sys/a")])
        let destination = Store.file("\(sandbox.path)/dst")
        let file = try sandbox.configuration(source, destination)
        let state = ["-state-dir", "\(sandbox.path)/state"]
        #expect(try sandbox.migrate(file, state).code == 0)
        // As the run was when it had written all entries.
        let job = try text(of: "\(sandbox.path)/state/job").prefix(16)
        let marker = "{\"sealift\":{\"host\":\"\",\"job\":\"\(job)\",\"pid\":0},\"start\":\"2026-01-02T03:04:05Z\"}"
        let envelope = "{\"Value\":\"\(Data(marker.utf8).base64EncodedString())\"}\n"
        for side in ["src", "dst"] { try sandbox.write("\(side)/core/_migration", envelope) }
        for name in ["core/_keyring", "sys/_a", "sys/.a.temp"] {
            try Scratch.write(Self.zeros, to: "\(destination.path)/\(name)")
        }
        let outcome = try sandbox.migrate(file, state)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(try snapshot(destination.path, times: false).keys == snapshot(source.path, times: false).keys)
        #expect(try sandbox.digest(of: destination) == sandbox.digest(of: source))
        // Without the marker of this job nothing that cannot be read is replaced.
        try Scratch.write(Self.zeros, to: "\(destination.path)/core/_keyring")
        #expect(try sandbox.migrate(file, state + ["-start", "core/"]).code == 2)
        #expect(try Scratch.bytes("\(destination.path)/core/_keyring") == Self.zeros)
    }

    @Test(arguments: [false, true])
    func aMarkThatIsNoneIsTakenUpIfNothingElseIsThere(_ hasMore: Bool) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let file = try sandbox.configuration(source, .raft("\(sandbox.path)/dst"))
        let building = "\(sandbox.path)/dst.sealift-building"
        try makeFolder(building)
        try Scratch.write(Self.zeros, to: "\(building)/sealift-building")
        if hasMore { try makeFolder("\(building)/node") }
        let outcome = try sandbox.migrate(file)
        #expect(outcome.code == (hasMore ? 2 : 0), "\(outcome.errors)")
        #expect(outcome.errors.contains("has no mark of Sealift in it") == hasMore, "\(outcome.errors)")
        #expect(exists("\(building)/node") == hasMore)
    }

    /// The name by which a file system that folds case is found out stays if a run is killed just then.
    @Test func aProbeThatIsLeftGoesWithTheNextRun() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let file = try sandbox.configuration(source, .file("\(sandbox.path)/dst"))
        func left() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: sandbox.path).filter { $0.hasPrefix(".sealift") }
        }
        let words = ["operator", "migrate", "-config", file, "-read-only-source", "-state-dir"]
        var (hasLeft, isDone) = (false, false)
        for step in 1...Steps.maximum where !isDone && !hasLeft {
            try sandbox.shell("rm -rf '\(sandbox.path)/dst'")
            let outcome = try sandbox.sealift(
                words + ["\(sandbox.path)/home/\(step)"],
                adding: try Steps.variables(["STEPS_KIND": "all", "STEPS_KILL": "\(step)"]))
            hasLeft = try !left().isEmpty
            isDone = outcome.code == 0
        }
        #expect(hasLeft && !isDone)
        #expect(try sandbox.sealift(words + ["\(sandbox.path)/home/last"]).code == 0)
        #expect(try left().isEmpty)
    }
}
