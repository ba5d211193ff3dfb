import DynamoDBBackend
import FileBackend
import InMemoryBackend
import RaftClusterBackend
import RaftDirectoryBackend
import RaftSnapshotBackend
import SQLiteBackend
import Storage

/// Every storage backend a configuration file can name: the one place that knows them all.
let backendDrivers: [BackendDriver] = [
    RaftDirectoryBackend.driver(),
    FileBackend.driver(),
    FileBackend.driver(kind: "file_transactional"),
    SQLiteBackend.driver(),
    DynamoDBBackend.driver(),
    DynamoDBExport.driver(),
    SnapshotSource.driver(),
    RaftClusterBackend.driver(),
    InMemoryBackend.driver(),
    InMemoryBackend.driver(kind: "inmem_ha"),
    InMemoryBackend.driver(kind: "inmem_transactional"),
    InMemoryBackend.driver(kind: "inmem_transactional_ha"),
]
