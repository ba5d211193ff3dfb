import HTTPServer
import OpenBaoTestKit
import RaftClusterBackend
import Storage
import StorageTestKit
import Synchronization
import TestSupport
import Testing

/// What answers under the address of a cluster, and is none.
@Suite struct StrangerTests {
    private static let key: StorageKey = "core/keyring"
    private static let entries = [TestEntry(key, [1, 2, 3])]

    /// Everything that would read something, or believe that something was written.
    private static let uses: [(String, @Sendable (RaftClusterBackend) throws -> Void)] = [
        ("get", { _ = try $0.get(key) }),
        ("put", { try $0.put(key, [1]) }),
        ("delete", { try $0.delete(key) }),
        ("replace", { _ = try $0.replace(key, nil, with: [1]) }),
        ("list", { _ = try $0.list("") }),
        ("scan", { _ = try $0.contents() }),
        ("fill", { try $0.fill(entries) }),
        ("findings", { _ = try $0.destinationFindings() }),
        ("prove", { try prove($0) }),
    ]

    private static func prove(_ store: RaftClusterBackend) throws {
        _ = try store.bulkLoader(LoadPlan()).proveCopies(
            keyspaceDigest: String(repeating: "0", count: 64), isCancelled: { false })
    }

    private func open(_ port: UInt16) throws -> RaftClusterBackend {
        var settings = ClusterClient.Settings(addresses: ["http://127.0.0.1:\(port)"])
        settings.patience = .milliseconds(200)
        return try RaftClusterBackend(settings)
    }

    private func server(_ answer: @escaping @Sendable () -> HTTPServerResponse) throws -> HTTPServer {
        try HTTPServer(address: SocketAddress(host: "127.0.0.1", port: 0)) { _ in answer() }
    }

    @Test(arguments: [200, 204, 301, 307, 400, 403, 404, 410, 429, 472, 500, 503])
    func noAnswerOfAnotherServerCounts(_ status: Int) throws {
        for text in ["", "{}", "{\"index\": 7}", "<html>"] {
            let server = try server { HTTPServerResponse(status: status, text: status == 204 ? "" : text) }
            defer { server.stop() }
            let store = try open(server.port)
            defer { store.close() }
            for (name, use) in Self.uses {
                let error = #expect(throws: StorageError.self, "\(name), \(status), \(text)") { try use(store) }
                guard status < 500 else { continue }
                #expect(error?.code == .configuration, "\(name): \(error?.message ?? "")")
                #expect(error?.message.contains("no node of a Raft log store") == true, "\(name)")
            }
        }
    }

    /// Of a node, or of what is in its place.
    @Test(arguments: ["", "{}", "[]", #"{"index": 0}"#, #"{"nodes": []}"#, #"{"nodes": [{"node_id": "n1"}]}"#])
    func anAnswerThatSaysNothingAcknowledgesNothing(_ text: String) throws {
        let server = try server {
            var answer = HTTPServerResponse(status: 200, text: text)
            answer.headers.append(("X-Sealift-API", "1"))
            return answer
        }
        defer { server.stop() }
        let store = try open(server.port)
        defer { store.close() }
        for (name, use) in Self.uses where name != "get" && !(name == "list" && text.isEmpty) {
            #expect(throws: StorageError.self, "\(name), \(text)") { try use(store) }
        }
    }

    /// A node takes 65 MiB at once, and an entry may have 60 of them.
    @Test func aGreatEntryFitsBehindManySmallOnes() throws {
        let folder = try TemporaryFolder()
        let cluster = try LogStoreCluster(1, in: folder.path)
        try cluster.form()
        defer { cluster.kill(0) }
        let store = try RaftClusterBackend(ClusterClient.Settings(addresses: cluster.places.map(\.api)))
        defer { store.close() }
        var entries = (0..<15).map { TestEntry(StorageKey("a/\($0 + 10)"), [UInt8](repeating: 1, count: 520 << 10)) }
        entries.append(TestEntry("b/great", [UInt8](repeating: 2, count: 60 << 20)))
        entries.append(TestEntry("c", [3]))
        try store.fill(entries)
        #expect(try store.contents() == entries)
    }
}
