import Foundation
import OpenBaoTestKit
import Synchronization
import TestSupport
import Testing

/// Nodes of a real cluster are stopped, mended by the program, and started again.
@Suite struct MaintenanceTests {
    /// As many entries are written and deleted as fill pages that are free later.
    private static let churn = Effort.isThorough ? 100_000 : 3_000

    /// Node after node of a cluster that has written and deleted much is made smaller and goes on; all three get other
    /// addresses at once, in each way there is; the cluster survives the loss of a node.
    @Test func aClusterGoesOnWithFilesWrittenAnewAndOtherAddresses() async throws {
        try await Journey.run { folder in
            let nodes = try Cluster.make(in: folder)
            let keys = try nodes[0].initialise()
            for node in nodes { try node.unseal(keys) }
            try nodes[0].waitForVotes(of: nodes, keys)
            let contents = try Filling.fill(nodes[0].api, seed: 8)
            try Churn(nodes[0].api).run(Self.churn)

            for node in nodes {
                node.stop()
                try Maintenance(node, folder).compact()
                try node.start()
                try node.unseal(keys)
                let active = try Node.active(of: nodes)
                try active.waitForVotes(of: nodes, keys)
                try active.api.ask("POST", "kv2/data/after-\(node.name)", #"{"data":{"password":"new"}}"#)
                try eventually("\(node.name) has caught up") {
                    try Self.lag(of: node, behind: active) == 0
                }
                try contents.check(active.api)
            }

            for method in ["vault-db", "peers-json"] {
                for node in nodes { node.stop() }
                for node in nodes { try node.moveClusterListener() }
                for node in nodes { try Maintenance(node, folder).move(nodes, method) }
                for node in nodes { try node.start() }
                for node in nodes { try node.unseal(keys) }
                let active = try Node.active(of: nodes)
                try active.waitForVotes(of: nodes, keys)
                try active.api.ask("POST", "kv2/data/by-\(method)", #"{"data":{"password":"new"}}"#)
                try contents.check(active.api)
                let addresses = try active.api.ask("GET", "sys/storage/raft/configuration")["data.config.servers"]?
                    .elements.compactMap { $0["address"]?.text }
                try demand(
                    Set(addresses ?? []) == Set(nodes.map(\.clusterHostAndPort)), "\(addresses ?? []) after \(method)")
                for node in nodes {
                    try demand(
                        !FileManager.default.fileExists(atPath: "\(node.data)/raft/peers.json"), "it is consumed")
                }
            }

            let lost = try Node.active(of: nodes)
            lost.kill()
            let left = nodes.filter { $0 !== lost }
            let active = try Node.active(of: left)
            try contents.check(active.api)
            for name in nodes.map({ "after-\($0.name)" }) + ["by-vault-db", "by-peers-json"] {
                let written = try active.api.text("data.data.password", "GET", "kv2/data/\(name)")
                try demand(written == "new", name)
            }
        }
    }

    /// The directory of a Vault node whose address nobody can reach any more is made smaller, gets another address, and
    /// becomes a cluster of three that survives the loss of the first.
    @Test(arguments: ["vault-db", "peers-json"])
    func aVaultsDirectoryBecomesAClusterElsewhere(_ method: String) async throws {
        try await Journey.run { folder in
            let fixture = Fixture("raft-vault-native")
            let keys = try UnsealKeys(fileAt: fixture.served("init.json"))
            let contents = try Contents(fileAt: fixture.served("expected.txt"))
            let node = try Node(.newest, "node1", in: folder, .raft())
            try fixture.unpack(into: "\(folder)/unpacked")
            try FileManager.default.moveItem(atPath: "\(folder)/unpacked/data", toPath: node.data)
            try Maintenance(node, folder).compact()
            try Maintenance(node, folder).move([node], method)
            try Cluster.grow(from: node, keys, contents, in: folder)
        }
    }

    /// How many entries of the log a node has not applied that the active one has.
    private static func lag(of node: Node, behind active: Node) throws -> Int {
        let servers = try active.api.ask("GET", "sys/storage/raft/autopilot/state")["data.servers"]
        guard let leader = servers?[active.name]?["last_index"]?.integer,
            let follower = servers?[node.name]?["last_index"]?.integer,
            servers?[node.name]?["healthy"]?.boolean == true
        else { throw ServerFailure("autopilot does not know \(node.name)") }
        return max(leader - follower, 0)
    }
}

/// What is done to one stopped node.
private struct Maintenance {
    private let node: Node
    private let folder: String

    init(_ node: Node, _ folder: String) {
        self.node = node
        self.folder = folder
    }

    private func run(_ words: String...) throws -> String {
        try BuiltProgram.run(["raft"] + words, home: folder)
    }

    /// Makes both files smaller, and lets the original library compare them.
    func compact() throws {
        let dry = try run("compact", "-dry-run", node.data)
        try demand(dry.contains("would give"), dry)
        let said = try run("compact", node.data)
        try demand(said.contains("gave") && said.contains("read back and equal"), said)
        for file in ["vault.db", "raft/raft.db"] {
            let path = "\(node.data)/\(file)"
            let parent = URL(filePath: path).deletingLastPathComponent().path
            let name = URL(filePath: path).lastPathComponent
            let kept = try FileManager.default.contentsOfDirectory(atPath: parent).filter {
                $0.hasPrefix("\(name).before-compact-")
            }
            try demand(kept.count == 1, "\(kept) beside \(file)")
            let old = "\(parent)/\(kept[0])"
            let (bytes, oldBytes) = (try size(path), try size(old))
            try demand(bytes < oldBytes, "\(file): \(bytes) bytes, before \(oldBytes)")
            try GoProgram.boltcheck.run("check", path)
            for file in [path, old] { try GoProgram.boltcheck.run("dump", file, "\(file).dump") }
            try runProgram("/usr/bin/cmp", ["\(path).dump", "\(old).dump"])
            for file in [path, old] { try FileManager.default.removeItem(atPath: "\(file).dump") }
        }
    }

    private func size(_ path: String) throws -> Int {
        try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
    }

    /// Gives every node of the cluster its present address.
    func move(_ nodes: [Node], _ method: String) throws {
        var words = ["raft", "fix-peers", "-practice", "-node-id", node.name, "-method", method]
        for node in nodes { words += ["-set-address", "\(node.name)=\(node.clusterHostAndPort)"] }
        try BuiltProgram.run(words + [node.data], home: folder)
        if method == "vault-db" { try GoProgram.boltcheck.run("check", "\(node.data)/vault.db") }
    }
}

/// Writes many entries of all sizes and deletes them again but for a few, by several threads.
private struct Churn {
    private static let threads = 8
    private let api: ServerAPI

    init(_ api: ServerAPI) { self.api = api }

    func run(_ count: Int) throws {
        try api.ask("POST", "sys/mounts/churn", #"{"type":"kv","options":{"version":"1"}}"#)
        try inParallel(count) { number in
            let value = String(repeating: "x", count: 100 + number % 17 * 150)
            try api.ask("POST", "churn/\(number % 97)/\(number)", "{\"v\":\"\(value)\"}")
        }
        try inParallel(count) { number in
            if number % 50 != 0 { try api.ask("DELETE", "churn/\(number % 97)/\(number)") }
        }
    }

    private func inParallel(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws {
        let failures = Failures()
        let group = DispatchGroup()
        for thread in 0..<Self.threads {
            group.enter()
            Thread.detachNewThread {
                defer { group.leave() }
                do {
                    for number in stride(from: thread, to: count, by: Self.threads) { try body(number) }
                } catch {
                    failures.add(error)
                }
            }
        }
        group.wait()
        try failures.check()
    }
}

private final class Failures: Sendable {
    private let first = Mutex<(any Error)?>(nil)

    func add(_ error: any Error) { first.withLock { $0 = $0 ?? error } }

    func check() throws { if let error = first.withLock({ $0 }) { throw error } }
}
