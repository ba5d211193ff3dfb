import DynamoDBBackend
import Storage
import StorageTestKit
import Synchronization

/// Tables of a server on this machine, each made for one promise.
final class DynamoDBHarness: StorageHarness {
    let name: String
    let manyEntries: Int
    private let endpoint: String
    private static let count = Mutex(0)

    let differences: [Difference: String] = [
        .noEmptyKey: "no key attribute may be empty",
        .noUncleanedKeys: "Path and Key are made by path joining",
        .noParentReferences: "path joining takes .. away",
        .noInvalidUTF8: "key attributes are of type S, which is UTF-8",
        .noLargeValues: "an item has at most 400 KB",
        .noLongSegments: "none is refused here below 1,024 bytes",
        .hidesUnderscoreNames: "the stock backend hides its lock so, and every other such name with it",
        .scansInNoOrder: "a table is scanned in the order of a hash",
    ]

    init(_ name: String, endpoint: String, manyEntries: Int) {
        self.name = name
        self.endpoint = endpoint
        self.manyEntries = manyEntries
    }

    /// A table name that no other test uses.
    static func freshTable() -> String {
        count.withLock { count in
            count += 1
            return "promise-\(count)"
        }
    }

    func open(_ table: String, _ purpose: OpenPurpose) throws -> any FullStore {
        try openTable(table, endpoint, purpose)
    }

    func makeEmpty() throws -> any FullStore {
        let store = try open(Self.freshTable(), .destination(DestinationContext()))
        // The table is made by the first write, as for a destination.
        try store.put("made", [1])
        try store.delete("made")
        return store
    }

    func reopen(_ store: any FullStore) throws -> any FullStore {
        store.close()
        let table = store.identity.text.split(separator: "#").last.map(String.init) ?? ""
        return try open(table, .source(writesMarker: true))
    }
}

/// Opens a table of a server on this machine.
func openTable(
    _ table: String, _ endpoint: String, _ purpose: OpenPurpose, _ options: [String: String] = [:],
    environment: [String: String] = [:]
) throws -> any FullStore {
    var settings = [
        "table": table, "endpoint": endpoint, "region": "eu-central-1", "access_key": "AKIATEST", "secret_key": "test",
        "create_table": "on-demand",
    ]
    settings.merge(options) { $1 }
    return try DynamoDBBackend.driver().openFull(
        BackendSettings(
            block: "storage_source", settings: settings.map { BackendSetting(name: $0.key, value: $0.value) },
            environment: environment), purpose)
}
