import Foundation
import Glibc
import OpenBaoTestKit
import Synchronization
import TestSupport
import Testing

/// A node dies under load, and its directory is read with what its log holds behind the data.
@Suite struct LogTailTests {
    private static let writers = 6
    /// Secrets that are acknowledged before the data is copied, behind that, and before the node is killed.
    private static let counts = (before: 60, after: 150)

    /// `vault.db` as it was some time before, and the log as the killed node left it: the copy that backups make of a
    /// node that runs. Everything acknowledged is there, as on a server that is started on the same copy.
    @Test func everythingThatAKilledNodeHadAcknowledgedIsRead() async throws {
        try await Journey.run { folder in
            let node = try Node(.newest, "node1", in: folder, .raft())
            try node.start()
            let keys = try node.initialise()
            try node.unseal(keys)
            _ = try Node.active(of: [node])
            for (mount, version) in [("kv1", "1"), ("kv2", "2")] {
                try node.api.ask("POST", "sys/mounts/\(mount)", #"{"type":"kv","options":{"version":"\#(version)"}}"#)
            }
            try eventually("kv2 takes secrets") { try node.api.send("GET", "kv2/config").status == 200 }

            let load = Load(node.api)
            load.start(Self.writers)
            try eventually("some are acknowledged") { load.count > Self.counts.before }
            // Whatever it stands still in: bbolt never writes over what its last meta page names.
            try node.freeze()
            let crashed = "\(folder)/crashed"
            try runProgram("/bin/mkdir", ["-p", crashed])
            try runProgram("/bin/cp", ["-a", "\(node.data)/vault.db", crashed])
            let early = load.count
            try node.thaw()
            try eventually("more are acknowledged") { load.count > early + Self.counts.after }
            node.kill()
            load.stop()
            try runProgram("/bin/cp", ["-a", "\(node.data)/raft", crashed])
            let acknowledged = load.acknowledged
            try demand(
                acknowledged.expectations.count > early + Self.counts.after, "\(acknowledged.expectations.count)")

            // Nobody has said what is to become of the log: nothing is written.
            let refused = try Node(.newest, "refused", in: folder, .raft())
            let (code, said) = try Self.migrate(crashed, nil, to: refused, folder)
            try demand(code == 2 && said.contains("apply_log = \"all\""), said)
            try demand(!FileManager.default.fileExists(atPath: refused.data), said)

            // A server does it on a copy of the copy.
            let restarted = try Node(.newest, "node1", in: "\(folder)/restarted", .raft())
            try runProgram("/bin/cp", ["-a", crashed, restarted.data])
            try restarted.start()
            try restarted.unseal(keys)
            _ = try Node.active(of: [restarted])
            try acknowledged.check(restarted.api)
            restarted.stop()

            for way in ["all", "committed"] {
                let fresh = try Node(.newest, "fresh-\(way)", in: folder, .raft())
                let (code, said) = try Self.migrate(crashed, way, to: fresh, folder)
                try demand(code == 0 && said.contains("of raft/raft.db were read with the data"), said)
                try fresh.start()
                try fresh.unseal(keys)
                _ = try Node.active(of: [fresh])
                try acknowledged.check(fresh.api)
                fresh.stop()
            }
            try Self.compare(crashed, restarted.data, folder)
        }
    }

    /// Every entry is the same but for what a start writes.
    private static func compare(_ crashed: String, _ restarted: String, _ folder: String) throws {
        let ours = try manifest(crashed, "all", folder)
        let theirs = try manifest(restarted, nil, folder)
        let plain = try manifest(crashed, "none", folder)
        try demand(ours.count > plain.count + 100, "\(ours.count) entries with the log, \(plain.count) without")
        let different = Set(ours.keys).union(theirs.keys).filter { ours[$0] != theirs[$0] }
        let left = different.filter { key in !Self.writtenByAStart.contains { key.hasPrefix($0) } }
        try demand(left.isEmpty, "\(left.count) entries differ: \(left.sorted().prefix(20))")
    }

    /// What a server writes when it takes over: who leads, how its cluster may be reached, counters.
    private static let writtenByAStart = ["core/leader/", "core/cluster/", "core/lock", "core/raft/", "sys/counters/"]

    /// The digests of a directory's entries by key.
    private static func manifest(_ path: String, _ way: String?, _ folder: String) throws -> [String: String] {
        let file = "\(folder)/\(UUID().uuidString).hcl"
        try source(path, way).write(toFile: file, atomically: false, encoding: .utf8)
        let output = "\(file).txt"
        try BuiltProgram.run(["checksum", "-config", file, "-side=source", "-output", output], home: folder)
        let lines = try String(contentsOfFile: output, encoding: .utf8).split(separator: "\n")
        var found: [String: String] = [:]
        for line in lines where !line.hasPrefix("#") { found[String(line.dropFirst(66))] = String(line.prefix(64)) }
        return found
    }

    private static func source(_ path: String, _ way: String?) -> String {
        let option = way.map { "  apply_log = \"\($0)\"\n" } ?? ""
        return "storage_source \"raft\" {\n  path = \"\(path)\"\n\(option)}\n"
    }

    private static func migrate(
        _ path: String, _ way: String?, to node: Node, _ folder: String
    ) throws -> (code: Int32, said: String) {
        let file = "\(folder)/migrate.hcl"
        let text =
            source(path, way)
            + "storage_destination \"raft\" {\n  path = \"\(node.data)\"\n  node_id = \"\(node.name)\"\n}\n"
            + "cluster_addr = \"\(node.clusterAddress)\"\n"
        try text.write(toFile: file, atomically: false, encoding: .utf8)
        let command = "\"$0\" operator migrate -practice -config \"$1\" 2>&1; echo \"code $?\""
        let said = try runProgram(
            "/bin/sh", ["-c", command, BuiltProgram.path, file],
            ["HOME": folder, "XDG_STATE_HOME": "\(folder)/state"])
        let code = said.split(separator: "\n").last.flatMap { Int32($0.dropFirst(5)) }
        return (code ?? -1, said)
    }
}

/// Writes secrets by several threads until the node is gone, and keeps those that it acknowledged.
private final class Load: Sendable {
    private struct State {
        var acknowledged = Contents()
        var isStopped = false
    }

    private let api: ServerAPI
    private let state = Mutex(State())
    private let group = DispatchGroup()

    init(_ api: ServerAPI) { self.api = api }

    var count: Int { state.withLock { $0.acknowledged.expectations.count } }
    var acknowledged: Contents { state.withLock { $0.acknowledged } }

    func start(_ threads: Int) {
        for thread in 0..<threads {
            group.enter()
            Thread.detachNewThread { [self] in
                defer { group.leave() }
                var number = 0
                while !state.withLock({ $0.isStopped }) {
                    number += 1
                    // A node that is gone does not answer.
                    guard (try? write(thread, number)) != nil else { return }
                }
            }
        }
    }

    /// Waits for the threads, which end with the node.
    func stop() {
        state.withLock { $0.isStopped = true }
        group.wait()
    }

    private func write(_ thread: Int, _ number: Int) throws {
        // Every now and then a write that is cut into pieces, and one that is taken back.
        let size = number % 12 == 5 ? 700_000 : 20 + number % 7 * 300
        let data = "{\"value\":\"\(number) \(String(repeating: "x", count: size))\"}"
        let digest = try JSONValue(parsing: data.utf8).digest()
        if number % 2 == 0 {
            let path = "kv2/data/\(thread)/\(number)"
            try api.ask("POST", path, "{\"data\":\(data)}")
            add(OpenBaoTestKit.Expectation(path, field: "data.data", digest: digest))
        } else {
            let path = "kv1/\(thread)/\(number)"
            try api.ask("POST", path, data)
            guard number % 5 == 0 else { return add(OpenBaoTestKit.Expectation(path, field: "data", digest: digest)) }
            // Whether it is there while the answer is out, nobody knows.
            try api.ask("DELETE", path)
            add(OpenBaoTestKit.Expectation(path, status: 404))
        }
    }

    private func add(_ expectation: OpenBaoTestKit.Expectation) { state.withLock { $0.acknowledged.add(expectation) } }
}
