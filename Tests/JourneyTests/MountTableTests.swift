import OpenBaoTestKit
import Testing

/// What servers make of mount tables that they did not write is the servers' own affair; that the user is told before is
/// Sealift's. If one of these fails with a newer server, the remark that it is about is out of date.
@Suite struct MountTableTests {
    /// A server on integrated storage writes an entry for each mount, and one on files does not look for them.
    @Test func tablesOfIntegratedStorageAreNotReadOnFiles() async throws {
        try await Journey.run { folder in
            let old = try Node(.lastOnFiles, "old", in: folder, .raft())
            let keys = try Self.fill(old, namespaces: false)
            let new = try Node(.lastOnFiles, "new", in: folder, .file)
            let said = try Migration(folder).run(from: .raft(old.data), to: .file(new.data))
            try demand(said.contains("start no server on it"), "a remark in\n\(said)")
            try new.start()
            try new.unseal(keys)
            try demand(new.api.send("GET", "kv1/app/db").status == 404, "there is no kv1")
        }
    }

    /// A server on files keeps a table in one entry in every namespace, and one on integrated storage starts on it once.
    @Test func namespacesOfFilesEndTheSecondStartOnIntegratedStorage() async throws {
        try await Journey.run { folder in
            let old = try Node(.lastOnFiles, "old", in: folder, .file)
            let keys = try Self.fill(old, namespaces: true)
            let new = try Node(.newest, "new", in: folder, .raft())
            let said = try Migration(folder).run(from: .file(old.data), to: new)
            try demand(said.contains("Try your release twice on a copy"), "a remark in\n\(said)")
            try new.start()
            try new.unseal(keys)
            try eventually("new is active") { try new.isActive() }
            new.stop()
            try new.start()
            // It may serve for a moment.
            try? new.unseal(keys)
            try eventually("new crashes") { !new.isRunning }
        }
    }

    /// Makes a server with a little in it, and kills it.
    private static func fill(_ node: Node, namespaces: Bool) throws -> UnsealKeys {
        try node.start()
        let keys = try node.initialise()
        try node.unseal(keys)
        try eventually("\(node.name) is active") { try node.isActive() }
        try node.api.ask("POST", "sys/mounts/kv1", #"{"type":"kv","options":{"version":"1"}}"#)
        try node.api.ask("POST", "kv1/app/db", #"{"password":"x"}"#)
        if namespaces { try node.api.ask("POST", "sys/namespaces/team") }
        node.kill()
        return keys
    }
}
