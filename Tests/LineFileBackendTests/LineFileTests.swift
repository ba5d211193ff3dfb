import Foundation
import InMemoryBackend
import LineFileBackend
import Migration
import Storage
import StorageTestKit
import Synchronization
import Telemetry
import TestSupport
import Testing
import Workers

@Suite struct LineFileConformanceTests {
    @Test(arguments: Promise.all)
    func keeps(_ promise: Promise) throws {
        try promise.check(LineFileHarness())
    }
}

private final class LineFileHarness: StorageHarness {
    let name = "linefile"
    private let folder: TemporaryFolder
    private let count = Mutex(0)

    /// Every single write writes the whole file.
    let manyEntries = 20_000

    init() throws {
        folder = try TemporaryFolder()
    }

    func makeEmpty() throws -> any FullStore {
        let number = count.withLock { count in
            count += 1
            return count
        }
        return try LineFileBackend(path: "\(folder.path)/store\(number)", mustExist: false)
    }

    func reopen(_ store: any FullStore) throws -> any FullStore {
        store.close()
        // A store without entries that nothing was ever put into has no file.
        return try LineFileBackend(path: store.location, mustExist: false)
    }
}

/// What a new backend gets from its driver alone.
@Suite struct LineFileMigrationTests {
    /// One line more than the command's registry has.
    private static let drivers = [LineFileBackend.driver(), InMemoryBackend.driver()]

    @Test func aMigrationRunsWithTheDriverAlone() throws {
        try Scratch.withFolder { folder in
            let source = try LineFileBackend(path: "\(folder)/source.txt", mustExist: false)
            for key in ["core/keyring", "core/seal-config", "logical/a b/é", "sys/x"] {
                try source.put(StorageKey(key), Array(key.utf8))
            }
            source.close()
            let summary = try migrate(
                """
                storage_source "linefile" { path = "\(folder)/source.txt" }
                storage_destination "linefile" { path = "\(folder)/copy.txt" }
                """, in: folder)
            #expect(summary?.totals.entries == 4 && summary?.isProven == true)
            let copy = try LineFileBackend(path: "\(folder)/copy.txt", mustExist: true)
            // Neither side keeps its marker.
            #expect(try copy.contents().map(\.key.description).count == 4)
            #expect(!String(decoding: try Scratch.bytes("\(folder)/source.txt"), as: UTF8.self).contains("_migration"))
        }
    }

    @Test func anUnknownOptionIsRefusedWithItsPlace() throws {
        try Scratch.withFolder { folder in
            let failure = #expect(throws: MigrationFailure.self) {
                try migrate(
                    "storage_source \"linefile\" { paht = \"x\" }\nstorage_destination \"inmem\" {}\n", in: folder)
            }
            #expect(failure?.message.contains("migrate.hcl:1:29") == true, "\(failure?.message ?? "")")
            #expect(failure?.message.contains("Did you mean \"path\"?") == true)
        }
    }

    private func migrate(_ text: String, in folder: String) throws -> MigrationSummary? {
        try Scratch.write(Array(text.utf8), to: "\(folder)/migrate.hcl")
        var options = MigrationOptions()
        options.stateFolder = "\(folder)/state"
        let cancellation = CancellationToken()
        let run = MigrationRun(
            configuration: try ConfigurationFile(path: "\(folder)/migrate.hcl", environment: [:]),
            drivers: Self.drivers, options: options,
            context: RunContext(
                logger: Logger(level: .error, output: TerminalOutput(descriptor: -1)), counters: ProgressCounters(),
                cancellation: cancellation, environment: [:], version: "test"))
        var summary: MigrationSummary?
        try run.run { summary = $0 }
        return summary
    }
}
