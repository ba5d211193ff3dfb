import SQLiteBackend
import Storage
import StorageTestKit
import Synchronization
import Testing

@Suite struct SQLiteConformanceTests {
    @Test(arguments: Promise.all)
    func keeps(_ promise: Promise) throws {
        try promise.check(SQLiteHarness())
    }
}

final class SQLiteHarness: StorageHarness {
    let name = "sqlite"
    private let folder: TemporaryFolder
    private let count = Mutex(0)

    init() throws {
        folder = try TemporaryFolder()
    }

    func makeEmpty() throws -> any FullStore {
        let number = count.withLock { count in
            count += 1
            return count
        }
        return try SQLiteBackend(path: "\(folder.path)/store\(number).db", mustExist: false)
    }

    func reopen(_ store: any FullStore) throws -> any FullStore {
        store.close()
        return try SQLiteBackend(path: store.location, mustExist: true)
    }
}
