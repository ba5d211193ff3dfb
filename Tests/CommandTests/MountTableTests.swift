import Testing

/// Mount tables in a form that the destination's server does not read.
@Suite struct MountTableTests {
    @Test(arguments: [("file", true), ("raft", false), ("sqlite", false)])
    func tablesOfIntegratedStorage(_ kind: String, _ isToldOf: Bool) throws {
        let sandbox = try Sandbox()
        let parts = ["core/mounts/3c1e", "core/auth/77aa"].map { SampleEntry($0) }
        let source = try sandbox.makeSQLiteStore("src.db", SampleEntry.initialised + parts)
        let file = try sandbox.configuration(source, sandbox.store(kind, "dst"))
        for flags in [["-dry-run"], []] {
            let outcome = try sandbox.migrate(file, flags)
            #expect(outcome.code == 0, "\(outcome.errors)")
            #expect(outcome.output.contains("start no server on it") == isToldOf, "\(outcome.output)")
        }
    }

    @Test(arguments: [("raft", true), ("file", false)])
    func namespacesOfFiles(_ kind: String, _ isToldOf: Bool) throws {
        let sandbox = try Sandbox()
        let tables = ["core/mounts", "namespaces/3c1e/core/mounts"].map { SampleEntry($0) }
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised + tables)
        let outcome = try sandbox.migrate(try sandbox.configuration(source, sandbox.store(kind, "dst")))
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("(namespaces/3c1e/core/mounts)") == isToldOf, "\(outcome.output)")
    }
}
