import Foundation
import Testing

/// The configuration of a server as it lies on its disk, read by the commands that change nothing.
@Suite struct ServerFileTests {
    private let sandbox: Sandbox
    private let store: Store
    private let digest: String

    init() throws {
        sandbox = try Sandbox()
        store = try sandbox.makeFileStore("store", SampleEntry.initialised)
        digest = try sandbox.digest(of: store)
    }

    private func checksum(_ path: String) throws -> Outcome {
        try sandbox.sealift(["checksum", "-digest-only", "-config", path])
    }

    /// PATH stands for the store's path. The words are those of the warning, if there is one.
    private static let shapes: [(text: String, warning: String?)] = [
        ("backend \"file\" { path = \"PATH\" }", nil), ("Storage \"file\" { path = \"PATH\" }", nil),
        ("storage \"file\" { path = \"PATH\" }\nbackend \"raft\" { path = \"/x\" }", nil),
        (#"{"storage": {"file": {"path": "PATH"}}, "//": "of the server"}"#, nil),
        (#"{"backend": {"file": {"path": "PATH"}}}"#, nil), (#"{"backend": [{"file": {"path": "PATH"}}]}"#, nil),
        ("storage \"file\" { path = \"PATH\" node_id = \"n\" }", "no option \"node_id\""),
        ("storage \"file\" { path = \"PATH\" tls_disable = 1 }", "no option \"tls_disable\""),
        ("storage \"file\" { path = \"PATH\" max_paralel = 1 }", "Did you mean \"max_parallel\"?"),
        (#"{"storage": {"file": {"path": "PATH", "//": "note"}}}"#, "no option \"//\""),
        ("storage \"file\" { path = \"PATH\" redirect_addr = \"x\" }", nil),
        ("ui = true\nlistener \"tcp\" {}\nha_storage \"raft\" {}\nstorage \"file\" { path = \"PATH\" }", nil),
    ]

    @Test(arguments: shapes.indices)
    func aServersFileIsTaken(_ index: Int) throws {
        let (text, warning) = Self.shapes[index]
        let file = try sandbox.write("server.hcl", text.replacing("PATH", with: store.path))
        let outcome = try checksum(file)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.contains(digest))
        if let warning {
            #expect(
                outcome.errors.hasPrefix("Warning: \(file):") && outcome.errors.contains(warning), "\(outcome.errors)")
        } else {
            #expect(outcome.errors.isEmpty)
        }
    }

    @Test func optionsThatServersIgnoreAreARemarkOfAMigration() throws {
        let file = try sandbox.write(
            "migrate.json",
            #"{"storage_source": {"file": {"path": "\#(store.path)", "node_id": "n", "//": "old"}},"#
                + #""storage_destination": {"raft": {"path": "\#(sandbox.path)/raft", "ha_enabled": "true"}},"#
                + #""cluster_addr": "https://10.0.0.11:8201"}"#)
        let outcome = try sandbox.migrate(file)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("storage_source \"file\": no effect on a migration: //, node_id."))
        #expect(outcome.output.contains("storage_destination \"raft\": no effect on a migration: ha_enabled."))
    }

    @Test func aFolderIsReadAsAServerReadsIt() throws {
        let folder = "\(sandbox.path)/vault.d"
        try makeFolder("\(folder)/more.hcl")
        try sandbox.write("vault.d/a.hcl", "ui = true\n")
        try sandbox.write("vault.d/b.json", #"{"storage": {"file": {"path": "\#(store.path)"}}}"#)
        // None of these is read.
        for name in [".#b.hcl", "b.hcl~", "notes.txt", "b.conf"] { try sandbox.write("vault.d/\(name)", "storage = {") }
        for command in [["checksum", "-digest-only"], ["inspect", "ls"]] {
            let outcome = try sandbox.sealift(command + ["-config=\(folder)"])
            #expect(outcome.code == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
        }
        // The stock command takes no folder.
        let migration = try sandbox.migrate(folder)
        #expect(migration.code == 1 && migration.errors.contains("location is a directory, not a file"))
        // A pipe that nobody writes to would be waited for.
        #expect(mkfifo("\(folder)/pipe.hcl", 0o600) == 0)
        let pipe = try checksum(folder)
        #expect(pipe.code == 1 && pipe.errors.contains("pipe.hcl is no regular file"), "\(pipe.errors)")
        #expect(unlink("\(folder)/pipe.hcl") == 0)
        // Two stanzas: the server's own choice depends on its file system.
        try sandbox.write("vault.d/c.hcl", "\nbackend \"file\" { path = \"/other\" }\n")
        let two = try checksum(folder)
        #expect(two.code == 1)
        #expect(two.errors.contains("\(folder)/b.json:1:2, \(folder)/c.hcl:2:1"), "\(two.errors)")
        // A mistake in one of them names it.
        try sandbox.write("vault.d/c.hcl", "\nui = ;\n")
        let broken = try checksum(folder)
        #expect(broken.code == 1 && broken.errors.contains("\(folder)/c.hcl:2:6"), "\(broken.errors)")
    }

    /// Each mistake in words of its own.
    private static let mistakes: [(text: String, words: String)] = [
        ("", "The file is empty."), ("# nothing\n", "only comments"),
        ("storage \"file\" {}\nstorage \"raft\" {}", "The file has 2 of them, the first at 1:1"),
        ("ha_storage \"raft\" {}", "holds only the locks of servers"),
        (
            "storage_source \"file\" {}\nstorage_destination \"file\" {}",
            "Say which of its stores is meant: -side=source"
        ),
        ("provider \"vault\" {}", "Terraform"), ("datacenter = \"dc1\"\ndata_dir = \"/x\"", "Consul or Nomad"),
        ("apiVersion: v1\nkind: Pod\n", "Kubernetes"), ("listener \"tcp\" {}", "without its storage stanza"),
        ("auto_auth {}", "an agent of Vault"), (#"{"log-driver": "json-file"}"#, "Docker"),
        (#"{"storage": {"file": [{"path": "/x"}]}}"#, "Write {\"storage\": {\"file\": { … }}}"),
        ("storage { path = \"/x\" }", "storage names no type"),
        ("storage \"consul\" {}", "storage type \"consul\" is not supported yet.\nSealift knows raft, file,"),
        ("storage \"pebbledb\" {}", "storage type \"pebbledb\" is not supported yet."),
        ("storage \"fiel\" {}", "no Vault storage backend named: \"fiel\""),
        ("storage \"fiel\" {}", "Did you mean \"file\"?"),
    ]

    @Test(arguments: mistakes)
    func everyMistakeHasItsOwnWords(_ text: String, _ words: String) throws {
        let outcome = try checksum(try sandbox.write("server.hcl", text))
        #expect(outcome.code == 1 || outcome.code == 2)
        #expect(outcome.errors.contains(words), "\(outcome.errors)")
    }

    @Test func aFolderWithoutAStanzaSaysSo() throws {
        let folder = "\(sandbox.path)/empty.d"
        try makeFolder(folder)
        #expect(try checksum(folder).errors.contains("no file whose name ends in .hcl or .json"))
        try sandbox.write("empty.d/a.hcl", "ui = true\n")
        try sandbox.write("empty.d/b.hcl", "api_addr = \"https://h:8200\"\n")
        #expect(try checksum(folder).errors.contains("none of its 2 files has a storage stanza"))
    }

    @Test func aHomeThatCannotBeMadeNamesTheFlag() throws {
        let file = try sandbox.configuration(store, .file("\(sandbox.path)/copy"))
        try sandbox.write("plain", "")
        let outcome = try sandbox.sealift(
            ["operator", "migrate", "-config", file], adding: ["XDG_STATE_HOME": "\(sandbox.path)/plain/state"])
        #expect(outcome.code == 2)
        #expect(outcome.errors.contains("-state-dir"), "\(outcome.errors)")
    }
}
