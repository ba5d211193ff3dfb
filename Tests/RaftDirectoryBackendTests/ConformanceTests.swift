import Storage
import StorageTestKit
import Testing

@Suite struct RaftDirectoryConformanceTests {
    @Test(arguments: Promise.all)
    func keeps(_ promise: Promise) throws {
        try promise.check(RaftDirectoryHarness())
    }
}

private final class RaftDirectoryHarness: StorageHarness {
    let name = "raft"
    let differences: [Difference: String] = [.noEmptyKey: "bbolt keeps no empty key"]
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    func makeEmpty() throws -> any FullStore {
        try RebuiltStore(path: "\(folder.path)/store-\(UInt64.random(in: 0 ... .max))")
    }

    func reopen(_ store: any FullStore) throws -> any FullStore {
        let path = store.location
        store.close()
        return try RebuiltStore(path: path)
    }
}
