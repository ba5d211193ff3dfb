import FileBackend
import Storage
import StorageTestKit
import Synchronization
import Testing

@Suite struct FileConformanceTests {
    @Test(arguments: Promise.all)
    func keeps(_ promise: Promise) throws {
        try promise.check(FileHarness())
    }
}

final class FileHarness: StorageHarness {
    let name = "file"
    let differences: [Difference: String] = [
        .noEmptyKey: "a file needs a name",
        .noUncleanedKeys: "paths are cleaned, so such a key would come back as another",
        .noParentReferences: "servers refuse them anywhere in a path",
        .noZeroBytes: "a zero byte ends a file name",
        .noLongSegments: "a file name has at most 255 bytes, six of which are the server's",
        .noUnderscoreNeighbours: "entry x is the file _x",
    ]
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
        return try FileBackend(path: "\(folder.path)/store\(number)", mustExist: false)
    }

    func reopen(_ store: any FullStore) throws -> any FullStore {
        store.close()
        return try FileBackend(path: store.location, mustExist: true)
    }
}
