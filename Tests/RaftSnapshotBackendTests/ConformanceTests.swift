import Storage
import StorageTestKit
import Testing

@testable import RaftSnapshotBackend

/// Every promise, of an archive that is kept in memory and of one that is read from its beginning each time.
@Suite struct SnapshotConformanceTests {
    @Test(arguments: Promise.all, [true, false])
    func keeps(_ promise: Promise, inMemory: Bool) throws {
        try promise.check(SnapshotHarness(inMemory: inMemory))
    }
}

private final class SnapshotHarness: StorageHarness {
    let name: String
    let differences: [Difference: String] = [.noEmptyKey: "a server gives up a restore at an empty key"]
    private let folder: TemporaryFolder
    private let limit: SortedEntries.Limit

    init(inMemory: Bool) throws {
        name = "raft_snapshot, \(inMemory ? "small" : "large")"
        limit = inMemory ? SortedEntries.Limit() : .nothing
        folder = try TemporaryFolder()
    }

    /// Looking for an entry of a large archive reads it from its beginning.
    var manyEntries: Int { 20_000 }

    func makeEmpty() throws -> any FullStore {
        try RebuiltArchive(path: "\(folder.path)/\(UInt64.random(in: 0 ... .max)).snap", limit: limit)
    }

    func reopen(_ store: any FullStore) throws -> any FullStore {
        let path = store.location
        store.close()
        return try RebuiltArchive(path: path, limit: limit)
    }
}
