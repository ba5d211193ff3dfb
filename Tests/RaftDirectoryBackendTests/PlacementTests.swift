import Foundation
import Glibc
import RaftDirectoryBackend
import Storage
import TestSupport
import Testing

/// Where a directory is built and how it gets its name.
@Suite struct PlacementTests {
    private static let sample = sampleEntries(50, seed: 8)
    private static let files = ["raft", "raft/raft.db", "raft/snapshots", "vault.db"]

    private static func obstacles(_ destination: RaftDirectoryDestination) throws -> [StoreFinding] {
        try destination.destinationFindings().filter { $0.kind != .remark }
    }

    @Test(arguments: ["vault.db", "raft/x", "raft/raft.db", "notes.txt", "vault.db.bak"])
    func anythingInTheDirectoryIsNamedAndRefused(name: String) throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/raft"
            let file = URL(filePath: "\(path)/\(name)")
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Scratch.write([1], to: file.path)
            let found = try Self.obstacles(destination(path))
            #expect(found.map(\.kind) == [.obstacle(.notEmpty)])
            let message = found.first?.message ?? ""
            let top = name.prefix { $0 != "/" }
            #expect(message.contains("it holds \(top)."))
            let isState = ["vault.db", "raft"].contains(String(top))
            #expect(message.contains("cluster already has state") == isState)
            // A loader that is made all the same does not publish over it.
            let store = try destination(path)
            #expect(throws: StorageError.self) { try store.claim("a test") }
            let loader = try filled(store, Self.sample)
            let error = #expect(throws: StorageError.self) { try loader.publish() }
            #expect(error?.code == .notEmpty)
            loader.abandon()
            #expect(Scratch.names(in: folder).filter { $0.contains("building") }.isEmpty)
            #expect(try Scratch.bytes(file.path) == [1])
        }
    }

    @Test func placesThatCannotBeAreRefused() throws {
        try Scratch.withFolder { folder in
            #expect(try Self.obstacles(destination("\(folder)/no/raft")).map(\.kind) == [.obstacle(.io)])
            try Scratch.write([1], to: "\(folder)/file")
            let error = #expect(throws: StorageError.self) { try Self.obstacles(destination("\(folder)/file")) }
            #expect(error?.message.contains("is a file") == true)
            #expect(throws: StorageError.self) { try destination("") }
            #expect(try Self.obstacles(destination("\(folder)/raft///")).isEmpty)
            try build(destination("\(folder)/raft///"), Self.sample)
            #expect(Scratch.names(in: "\(folder)/raft") == Self.files)
        }
    }

    @Test func anEmptyDirectoryIsReplacedAndItsOwnerAdopted() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/raft"
            mkdir(path, 0o755)
            let owner = FileOwner(user: 12_345, group: 23_456)
            #expect(chown(path, owner.user, owner.group) == 0)
            #expect(try Self.obstacles(destination(path)).isEmpty)
            try build(destination(path, id: nil), Self.sample)
            for name in [""] + (Self.files + ["node-id"]).map({ "/\($0)" }) {
                let found = try mode(path + name)
                #expect(found.owner == owner, "\(name)")
                #expect(found.bits == (name.hasSuffix(".db") || name.hasSuffix("-id") ? 0o600 : 0o700))
            }
        }
    }

    @Test(arguments: [false, true])
    func anOwnerThatWasAskedForWinsOverTheDirectorys(exists: Bool) throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/raft"
            if exists { mkdir(path, 0o700) }
            let owner = FileOwner(user: 12_345, group: 23_456)
            try build(destination(path, id: nil), Self.sample, owner: owner)
            for name in [""] + (Self.files + ["node-id"]).map({ "/\($0)" }) {
                #expect(try mode(path + name).owner == owner, "\(name)")
            }
        }
    }

    /// What another user made, or may write to, is not taken up, whatever mark it has.
    @Test func remainsThatOthersCouldHaveWrittenAreRefused() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/raft"
            let building = "\(path).sealift-building"
            // As after a kill.
            do { _ = try filled(destination(path), Self.sample) }
            #expect(Scratch.names(in: folder).contains("raft.sealift-building/node/vault.db"))
            let mark = try #require(Scratch.names(in: building).first { !$0.hasPrefix("node") })
            for (place, permissions) in [(building, mode_t(0o770)), (building, 0o702)] {
                #expect(chmod(place, permissions) == 0)
                let error = #expect(throws: StorageError.self) { try destination(path).claim("a test") }
                #expect(error?.code == .notEmpty && error?.message.contains("written to by other users") == true)
                #expect(chmod(place, 0o700) == 0)
            }
            for place in [building, "\(building)/\(mark)"] {
                #expect(chown(place, 12_345, 12_345) == 0)
                let error = #expect(throws: StorageError.self) { try destination(path).claim("a test") }
                #expect(error?.code == .notEmpty && error?.message.contains("belongs to the user 12345") == true)
                #expect(chown(place, geteuid(), getegid()) == 0)
            }
            #expect(Scratch.names(in: folder).contains("raft.sealift-building/node/vault.db"))
            try build(destination(path), Self.sample)
            #expect(Scratch.names(in: path) == Self.files)
        }
    }

    /// Taken as it is and not as the configuration gives it: a link cannot be replaced by a rename.
    private static func linked(_ path: String) throws -> RaftDirectoryDestination {
        try RaftDirectoryDestination(
            path: path,
            node: .init(
                configuredID: nil, address: ClusterAddress(parsing: "https://10.0.0.11:8201"), isPractice: false))
    }

    @Test func aLinkedDirectoryIsBuiltInside() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/link"
            mkdir("\(folder)/real", 0o700)
            symlink("real", path)
            let loader = try filled(Self.linked(path), Self.sample)
            #expect(Scratch.names(in: "\(folder)/real").contains(".sealift-building/node/vault.db"))
            // Until it is published no server would find a store here.
            #expect(access("\(folder)/real/vault.db", F_OK) != 0)
            try loader.publish()
            #expect(try mode(path).bits == 0o777)
            #expect(Scratch.names(in: "\(folder)/real") == ["node-id"] + Self.files)
            let store = try RaftDirectoryBackend(path: path)
            #expect(try entries(of: store) == Self.sample)
            #expect(try Self.obstacles(destination(path)).count == 1)
        }
    }

    /// The configuration's path is resolved, so that all spellings of one place share one building folder.
    @Test func aDirectoryIsBuiltBesideTheOneALinkNames() throws {
        try Scratch.withFolder { folder in
            mkdir("\(folder)/real", 0o700)
            symlink("real", "\(folder)/link")
            let loader = try filled(destination("\(folder)/link/"), Self.sample)
            #expect(Scratch.names(in: folder).contains("real.sealift-building/node/vault.db"))
            let error = #expect(throws: StorageError.self) { try destination("\(folder)/real").claim("a test") }
            #expect(error?.code == .inUse)
            try loader.publish()
            #expect(Scratch.names(in: "\(folder)/real") == Self.files)
            #expect(Scratch.names(in: folder).filter { !$0.contains("/") } == ["link", "real"])
        }
    }

    @Test func theNodesIdentityIsKeptConfiguredOrMade() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/raft"
            let made = try destination(path, id: nil)
            #expect(
                try made.destinationFindings().contains {
                    $0.kind == .remark && $0.message.contains("node_id is not set")
                })
            try build(made, Self.sample)
            let id = try Scratch.bytes("\(path)/node-id")
            #expect(id.count == 36)
            #expect(try mode("\(path)/node-id").bits == 0o600)
            #expect(try Self.server(path).contains(String(decoding: id, as: UTF8.self)))

            // A node-id alone is a node that never started: used as it is, newline and all.
            for (isLinked, configured) in [(false, nil), (true, nil), (false, "kept id")] as [(Bool, String?)] {
                let path = "\(folder)/\(isLinked)-\(configured ?? "none")"
                let real = isLinked ? "\(path)-real" : path
                mkdir(real, 0o700)
                if isLinked { symlink(real, path) }
                try Scratch.write(Array("kept id\n".utf8), to: "\(path)/node-id")
                #expect(try Self.obstacles(destination(path, id: configured)).isEmpty)
                try build(destination(path, id: configured), Self.sample)
                #expect(try Self.server(path).contains(configured ?? "kept id\n"))
                #expect(try Scratch.bytes("\(path)/node-id") == Array("kept id\n".utf8))
            }
            mkdir("\(folder)/other", 0o700)
            try Scratch.write(Array("kept id\n".utf8), to: "\(folder)/other/node-id")
            #expect(
                try Self.obstacles(destination("\(folder)/other", id: "another")).map(\.kind) == [.obstacle(.notEmpty)])
            let environment = [
                "VAULT_RAFT_NODE_ID": "vault", "BAO_RAFT_NODE_ID": "bao", "VAULT_RAFT_PATH": "\(folder)/b",
            ]
            try build(destination(path, environment: environment), Self.sample)
            #expect(try Self.server("\(folder)/b").contains("bao"))
        }
    }

    /// The record of the cluster's members as text.
    private static func server(_ path: String) throws -> String {
        String(decoding: try #require(try configuration(of: path)["latest_config"]), as: UTF8.self)
    }
}
