import Storage
import StorageTestKit
import Testing

@Suite struct RaftDirectoryConformanceTests {
    @Test(arguments: Promise.all)
    func keeps(_ promise: Promise) throws {
        try promise.check(RaftDirectoryHarness(usesLog: false))
    }

    /// Half of it stands in the log only.
    @Test(arguments: Promise.all)
    func keepsWithALogBehindTheData(_ promise: Promise) throws {
        try promise.check(RaftDirectoryHarness(usesLog: true))
    }
}

private final class RaftDirectoryHarness: StorageHarness {
    let name = "raft"
    let differences: [Difference: String] = [.noEmptyKey: "bbolt keeps no empty key"]
    private let folder: TemporaryFolder
    private let usesLog: Bool

    init(usesLog: Bool) throws {
        self.usesLog = usesLog
        folder = try TemporaryFolder()
    }

    func makeEmpty() throws -> any FullStore {
        try RebuiltStore(
            path: "\(folder.path)/store-\(UInt64.random(in: 0 ... .max))", usesLog: usesLog)
    }

    func reopen(_ store: any FullStore) throws -> any FullStore {
        let path = store.location
        store.close()
        return try RebuiltStore(path: path, usesLog: usesLog)
    }
}
