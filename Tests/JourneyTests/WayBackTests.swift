import OpenBaoTestKit
import TestSupport
import Testing

/// Integrated storage becomes files, and the last server that runs on files starts on them.
@Suite struct WayBackTests {
    /// The integrated storage is what the stock command made.
    @Test func aServerOnFilesServesWhatTheStockCommandTookAway() async throws {
        try await Journey.run { folder in
            let fixture = Fixture("raft-openbao-migrated")
            let keys = try UnsealKeys(fileAt: fixture.served("init.json"))
            let new = try Node(.lastOnFiles, "new", in: folder, .file)
            try Migration(folder).run(from: .raft(fixture.folder()), to: .file(new.data))
            try new.start()
            try new.unseal(keys)
            try Contents(fileAt: fixture.served("expected.txt")).check(new.api)
        }
    }

    @Test func aServerServesWhatWentToRaftAndBack() async throws {
        try await Journey.run { folder in
            let old = try Node(.lastOnFiles, "old", in: folder, .file)
            try old.start()
            let keys = try old.initialise()
            try old.unseal(keys)
            let contents = try Filling.fill(old.api, seed: 5)
            old.kill()

            let between = try Node(.newest, "between", in: folder, .raft())
            let new = try Node(.lastOnFiles, "new", in: folder, .file)
            try Migration(folder).run(from: .file(old.data), to: between)
            try Migration(folder).run(from: .raft(between.data), to: .file(new.data))
            for _ in 1...2 {
                try new.start()
                try new.unseal(keys)
                try contents.check(new.api)
                new.stop()
            }
        }
    }

    /// The check that all journeys rest on sees one secret that is changed, one that is gone and a login that is.
    @Test func theCheckSeesWhatIsMissing() async throws {
        try await Journey.run { folder in
            let node = try Node(.newest, "node", in: folder, .raft())
            try node.start()
            try node.unseal(try node.initialise())
            try eventually("the node is active") { try node.isActive() }
            let contents = try Filling.fill(node.api, seed: 6)
            try contents.check(node.api)
            try node.api.ask("POST", "kv1/app/db", #"{"password":"another"}"#)
            try node.api.ask("DELETE", "kv1/unicode/e%CC%81-NFD")
            try node.api.ask("DELETE", "auth/userpass/users/user-3")
            let failed = try contents.failures(of: node.api).map { $0.prefix { $0 != ":" } }
            let gone = [
                "GET kv1/app/db", "GET kv1/unicode/e%CC%81-NFD", "POST auth/userpass/login/user-3",
            ]
            try demand(failed.elementsEqual(gone) { $0 == $1 }, "these fail: \(failed)")
        }
    }
}
