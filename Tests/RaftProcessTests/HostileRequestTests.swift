import Foundation
import OpenBaoTestKit
import RaftClusterBackend
import RaftFormat
import Storage
import StorageTestKit
import TestSupport
import Testing

/// A node that is open to whoever has the token, and those who have not or send something else than requests.
@Suite(.serialized) struct HostileRequestTests {
    private static let token = "token-that-nobody-may-see"
    private static let value = "value-that-nobody-may-see"
    private static let shared = Result { () throws -> (LogStoreCluster, TemporaryFolder) in
        atexit { HostileRequestTests.end() }
        let folder = try TemporaryFolder()
        let cluster = try LogStoreCluster(1, in: folder.path, more: "log_level = \"trace\"", token: token)
        try cluster.form()
        _ = try cluster.leader()
        return (cluster, folder)
    }

    private static func end() {
        guard let (cluster, folder) = try? shared.get() else { return }
        cluster.kill(0)
        try? FileManager.default.removeItem(atPath: folder.path)
    }

    private let cluster: LogStoreCluster
    private var port: Int { cluster.places[0].apiPort }

    init() throws {
        cluster = try Self.shared.get().0
    }

    /// The status of an answer to a request that is sent as it is.
    private func status(
        _ method: String, _ target: String, _ headers: [String] = [], body: [UInt8] = [], token: String? = token
    ) -> Int? {
        var lines = ["\(method) \(target) HTTP/1.1", "Host: localhost", "Connection: close"] + headers
        if let token { lines.append("X-Vault-Token: \(token)") }
        if !body.isEmpty { lines.append("Content-Length: \(body.count)") }
        let head = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
        let answer = exchange(head + body, on: port, endsStream: false)
        return String(decoding: answer.prefix(100), as: UTF8.self).split(separator: " ").dropFirst().first.flatMap {
            Int($0)
        }
    }

    @Test func nothingIsOpenWithoutTheToken() throws {
        let before = try cluster.api(0).ask("GET", "sealift/nodes")["nodes"]?.elements.first?["last_index"]?.integer
        let reads = [
            "sys/metrics", "sys/storage/raft/configuration", "sealift/entries", "sealift/list", "sealift/nodes",
        ]
        let writes = [
            "sealift/entries", "sealift/commands", "sealift/prove", "sealift/peers", "sys/storage/raft/join",
            "sys/storage/raft/remove-peer", "sys/storage/raft/transfer-leadership",
        ]
        let tokens = [
            nil, "", "wrong-token", String(Self.token.dropLast()), Self.token + "x", " ", Self.token.uppercased(),
        ]
        for token in tokens {
            for path in reads { #expect(status("GET", "/v1/\(path)", token: token) == 403, "\(path)") }
            for path in writes {
                #expect(status("POST", "/v1/\(path)", token: token) == 403, "\(path)")
                #expect(status("POST", "/v1/\(path)", body: Array("{}".utf8), token: token) == 403, "\(path)")
            }
            #expect(status("GET", "/v1/sys/health", token: token) == 200)
            #expect(status("GET", "/v1/sys/leader", token: token) == 200)
        }
        let after = try cluster.api(0).ask("GET", "sealift/nodes")["nodes"]?.elements.first?["last_index"]?.integer
        #expect(after == before)
    }

    @Test func theBodyOfAStrangerIsNotWaitedFor() {
        #expect(status("POST", "/v1/sealift/entries", ["Content-Length: 60000000"], token: "wrong-token") == 403)
        #expect(status("POST", "/v1/sealift/entries", ["Transfer-Encoding: chunked"], token: nil) == 403)
    }

    @Test func whatIsTooLargeIsRefusedBeforeItIsRead() {
        for path in ["sealift/entries", "sealift/commands", "sealift/peers"] {
            #expect(status("POST", "/v1/\(path)", ["Content-Length: 69000000"]) == 413, "\(path)")
        }
        #expect(status("POST", "/v1/sealift/entries", ["Content-Length: 9223372036854775807"]) == 413)
    }

    @Test func whatNobodyKnowsIsNotFound() {
        for path in ["/", "/v1", "/v1/", "/v2/sys/metrics", "/v1/sealift", "/v1/sealift/entries/", "/v1//sys/metrics"] {
            #expect(status("GET", path) == 404, "\(path)")
        }
        for method in ["DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "PUT"] {
            #expect(status(method, "/v1/sealift/entries") == 404, "\(method)")
        }
        #expect(status("GET", "/v1/sealift/prove") == 404)
    }

    @Test func garbageIsRefusedAndTheNodeGoesOn() throws {
        var random = SeededRandom(fuzz: 808)
        for _ in 0..<Effort.rounds(200) {
            // 0xff begins no field of a command, no length that fits and no JSON.
            let garbage = [0xff] + random.bytes(1 + random.below(3000))
            for path in ["sealift/entries", "sealift/commands", "sealift/peers", "sys/storage/raft/join"] {
                #expect(status("POST", "/v1/\(path)", body: garbage) == 400, "\(path): \(garbage)")
            }
        }
        for path in ["remove-peer", "transfer-leadership", "join"] {
            for text in ["{", "[]]", "{\"server_id\": 1", "nothing"] {
                #expect(
                    status("POST", "/v1/sys/storage/raft/\(path)", body: Array(text.utf8)) == 400, "\(path) \(text)")
            }
        }
        for query in ["entry", "entry?key=", "entry?key=0", "entry?key=zz", "list?prefix=1", "entries?from=x"] {
            let status = status("GET", "/v1/sealift/\(query)")
            #expect(status == (query == "entry?key=" ? 204 : 400), "\(query)")
        }
        for query in ["bytes=-1", "bytes=99999999999999999999", "entries=0", "entries=-9223372036854775808"] {
            #expect(status("GET", "/v1/sealift/entries?\(query)") == 200, "\(query)")
        }
        for _ in 0..<Effort.rounds(200) { exchange(random.bytes(1 + random.below(400)), on: port) }
        #expect(status("GET", "/v1/sys/health") == 200)
    }

    @Test func theLogHasNeitherTokenNorValues() throws {
        var settings = ClusterClient.Settings(addresses: [cluster.places[0].api])
        settings.token = Self.token
        let store = try RaftClusterBackend(settings)
        defer { store.close() }
        let key = StorageKey("hostile/key")
        try store.put(key, Array(Self.value.utf8))
        #expect(try store.replace(key, Array("other".utf8), with: Array((Self.value + "2").utf8)) == false)
        #expect(try store.get(key) == Array(Self.value.utf8))
        var command = LogCommandWriter()
        key.bytes.withUnsafeBytes { key in
            Array(Self.value.utf8).withUnsafeBytes { command.put(key, $0, expected: nil) }
        }
        #expect(status("POST", "/v1/sealift/entries", body: [0xff] + command.bytes) == 400)
        #expect(status("POST", "/v1/sealift/peers", body: command.bytes) == 400)
        #expect(
            status("POST", "/v1/sealift/peers", ["Authorization: Bearer \(Self.token)"], body: [1], token: nil) == 400)
        exchange([0xff] + Array(Self.value.utf8), on: cluster.places[0].heardPort)
        var log = ""
        try waitUntil("the node tells of a bad connection") {
            log = try String(contentsOfFile: cluster.logFile(0), encoding: .utf8)
            return log.contains("a connection was closed")
        }
        for secret in [Self.token, Self.value, "wrong-token"] { #expect(!log.contains(secret), "\(secret)") }
    }
}
