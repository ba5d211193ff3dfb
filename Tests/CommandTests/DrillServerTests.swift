import Foundation
import OpenBaoTestKit
import TestSupport
import Testing

/// Drills that end in a server's answer.
@Suite struct DrillServerTests {
    enum Source: String, CaseIterable {
        case directory, snapshot, vaultDirectory, tree, database, table, items
    }

    /// A secret of the store, as a server's client names it.
    private static let secret = "kv1/app/db"

    private func source(_ kind: Source, _ shared: SharedStore) throws -> (block: String, shares: String) {
        let sandbox = shared.sandbox
        func shares(_ name: String) throws -> String { try shared.shares(try SharedStore.texts(name)) }
        switch kind {
        case .tree: return (shared.store.block("storage_source"), shared.sharesFile)
        case .directory:
            return (try sandbox.unpack(.raftOpenBao).block("storage_source"), try shares("raft-openbao-native"))
        case .vaultDirectory:
            return (try sandbox.unpack(.raftVault).block("storage_source"), try shares("raft-vault-native"))
        case .snapshot:
            let archive = "\(Fixture.raftOpenBao.folder)/snapshot.snap"
            return (
                "storage_source \"raft_snapshot\" {\n  path = \"\(archive)\"\n}\n", try shares("raft-openbao-native")
            )
        case .database:
            let store = Store.sqlite("\(sandbox.path)/store.db")
            let moved = try sandbox.migrate(sandbox.configuration(shared.store, store))
            guard moved.code == 0 else { throw RunningProgram.Failure(description: moved.errors) }
            return (store.block("storage_source"), shared.sharesFile)
        case .table, .items:
            let items = "\(Sandbox.packageRoot)/Tests/Fixtures/dynamodb-vault/items.jsonl.gz"
            return (
                "storage_source \"dynamodb_export\" {\n  path = \"\(items)\"\n}\n", try shares("dynamodb-vault")
            )
        }
    }

    private func run(_ shared: SharedStore, _ file: String, _ shares: String, _ flags: [String] = []) throws -> Outcome
    {
        try shared.run(
            ["drill", "-config", file] + flags, shares: shares, adding: ["VAULT_TOKEN": "x", "BAO_SEAL_TYPE": "kms"])
    }

    @Test(arguments: Source.allCases)
    func aDrillEndsInAServedSecret(_ kind: Source) throws {
        let shared = try SharedStore(.fileOpenBao)
        let drilling = Drilling(sandbox: shared.sandbox)
        var (block, shares) = try source(kind, shared)
        var table: PracticeServer?
        if kind == .table {
            let items = "\(Sandbox.packageRoot)/Tests/Fixtures/dynamodb-vault/items.jsonl.gz"
            let server = try PracticeServer(shared.sandbox, ["-table", "vault-data", "-import", items])
            block = server.store("vault-data").block("storage_source")
            table = server
        }
        let server = "  binary = \"\(try ServerVersion.newest.program())\"\n  read = [\"\(Self.secret)\"]"
        let file = try drilling.file(block, server: server)
        let outcome = try run(shared, file, shares, ["-prove"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        let report = try drilling.report()
        #expect(
            Drilling.phases(report) == [
                "source", "shares", "restore", "content", "structure", "proof", "start", "unseal", "serve", "stop",
                "remove",
            ])
        let served = try #require(report["server"] as? [String: Any])
        #expect(served["reads"] as? Int == 1 && served["version"] as? String == "2.7.2")
        #expect(served["mounts_from"] as? String == "as the server lists them" && (served["mounts"] as? Int ?? 0) > 3)
        #expect(drilling.copies.isEmpty)
        let raw = try text(of: shares).split(separator: "\n").compactMap { Data(base64Encoded: String($0)) }.map {
            [UInt8]($0)
        }
        #expect(raw.count == 3)
        #expect(try SecretSearch(raw).find(below: shared.sandbox.path, except: [shares]) == [])
        if kind == .tree { #expect(try shared.leaks() == []) }
        withExtendedLifetime(table) {}
    }

    /// Kept with everything that the server has left, it holds no share, key or token either.
    @Test func aKeptCopyHoldsNothingSecret() throws {
        let shared = try SharedStore(.fileOpenBao)
        let drilling = Drilling(sandbox: shared.sandbox)
        let server =
            "  binary = \"\(try ServerVersion.newest.program())\"\n  read = \"\(Self.secret)\"\n  network = \"shared\""
        let file = try drilling.file(shared.store.block("storage_source"), server: server)
        let outcome = try run(shared, file, shared.sharesFile, ["-keep"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        let report = try drilling.report()
        let copy = try #require(report["kept_copy"] as? String)
        #expect(exists("\(copy)/server/server.log") && !exists("\(copy)/server/api.sock"))
        #expect((report["remarks"] as? [String])?.contains { $0.contains("network was not cut off") } == true)
        #expect((report["server"] as? [String: Any])?["network_cut"] as? Bool == false)
        #expect(try shared.leaks() == [])
        let log = try text(of: "\(copy)/server/server.log")
        #expect(!log.contains("VAULT_") && !log.contains("BAO_"), "\(log)")
    }

    /// What stands in a server's place is told, and nothing of it stays.
    @Test(arguments: [
        ("true", "start", "the server ended before it answered: exit code 0"),
        ("page", "start", "is no server of Vault or OpenBao"),
        ("kms", "start", "the server wants to unseal itself with awskms"),
        ("empty", "start", "the copy is not initialised"),
        ("refuses", "unseal", "the server does not take the key shares: PUT sys/unseal was answered with 400"),
        ("standby", "unseal", "3 s were over before the server served"),
        ("silent", "start", "3 s were over before the server answered"),
        ("stubborn", "stop", "did not stop in 3 s after SIGTERM, and was killed"),
    ])
    func aServerThatDoesNotComeUpIsNamed(_ kind: String, _ phase: String, _ message: String) throws {
        let shared = try SharedStore(.fileOpenBao)
        let drilling = Drilling(sandbox: shared.sandbox)
        let program =
            switch kind {
            case "true": "/bin/true"
            case "silent": try drilling.script("silent", "exec sleep 1000")
            default: try drilling.stub(kind)
            }
        let file = try drilling.file(
            shared.store.block("storage_source"), server: "  binary = \"\(program)\"\n  timeout = 3")
        let outcome = try run(shared, file, shared.sharesFile)
        #expect(outcome.code == 2 && outcome.errors.contains(message), "\(outcome.errors)")
        let report = try drilling.report()
        #expect(report["failed_phase"] as? String == phase && (report["failure"] as? String)?.contains(message) == true)
        #expect(drilling.copies.isEmpty)
        #expect(!outcome.errors.unicodeScalars.contains("\u{1b}") && !outcome.output.unicodeScalars.contains("\u{7}"))
        #expect(try shared.leaks() == [])
    }

    /// A server that makes no root token: the mounts are those of the copy.
    @Test func withoutARootTokenTheMountsAreReadFromTheCopy() throws {
        let shared = try SharedStore(.fileOpenBao)
        let drilling = Drilling(sandbox: shared.sandbox)
        let program = try drilling.stub("good")
        let file = try drilling.file(shared.store.block("storage_source"), server: "  binary = \"\(program)\"")
        let outcome = try run(shared, file, shared.sharesFile)
        #expect(outcome.code == 0, "\(outcome.errors)")
        let served = try #require(try drilling.report()["server"] as? [String: Any])
        #expect(
            served["mounts"] as? Int == 7
                && served["mounts_from"] as? String == "read from the copy with the key shares")
        let reading = try drilling.file(
            shared.store.block("storage_source"), server: "  binary = \"\(program)\"\n  read = \"\(Self.secret)\"")
        let refused = try run(shared, reading, shared.sharesFile)
        #expect(refused.code == 2 && refused.errors.contains("makes no root token of key shares"), "\(refused.errors)")
    }

    @Test func aTakenPortIsNamed() throws {
        let shared = try SharedStore(.fileOpenBao)
        let drilling = Drilling(sandbox: shared.sandbox)
        let taken = try PracticeServer(shared.sandbox, [])
        let port = try #require(taken.endpoint.split(separator: ":").last)
        let server =
            "  binary = \"\(try ServerVersion.newest.program())\"\n  network = \"shared\"\n  port = \(port)"
        let file = try drilling.file(shared.store.block("storage_source"), server: server)
        let outcome = try run(shared, file, shared.sharesFile)
        #expect(outcome.code == 2 && outcome.errors.contains("address already in use"), "\(outcome.errors)")
        #expect(try drilling.report()["failed_phase"] as? String == "start" && drilling.copies.isEmpty)
    }

    @Test(arguments: [2, 3])
    func wrongSharesAreTold(_ count: Int) throws {
        let shared = try SharedStore(.fileOpenBao)
        let drilling = Drilling(sandbox: shared.sandbox)
        let texts = count == 2 ? Array(shared.texts.prefix(2)) : try SharedStore.texts("raft-vault-native")
        let others = try shared.shares(texts)
        let file = try drilling.file(
            shared.store.block("storage_source"), server: "  binary = \"\(try ServerVersion.newest.program())\"")
        let outcome = try run(shared, file, others)
        #expect(outcome.code == 2 && outcome.errors.contains("in the phase \"shares\""), "\(outcome.errors)")
        #expect(try drilling.report()["failed_phase"] as? String == "shares" && drilling.copies.isEmpty)
    }

    @Test func aPathThatIsNotServedFailsTheDrill() throws {
        let shared = try SharedStore(.fileOpenBao)
        let drilling = Drilling(sandbox: shared.sandbox)
        let server =
            "  binary = \"\(try ServerVersion.newest.program())\"\n  read = [\"\(Self.secret)\", \"kv1/nothing here\"]"
        let file = try drilling.file(shared.store.block("storage_source"), server: server)
        let outcome = try run(shared, file, shared.sharesFile)
        #expect(outcome.code == 2 && outcome.errors.contains("does not serve kv1/nothing here"), "\(outcome.errors)")
        #expect((try drilling.report()["server"] as? [String: Any])?["reads"] as? Int == 1)
    }

    /// Its own network, its own environment, none of this process's files, and no core file.
    @Test func theServersSurroundingsAreItsOwn() throws {
        let shared = try SharedStore(.fileOpenBao)
        let drilling = Drilling(sandbox: shared.sandbox)
        let seen = "\(shared.sandbox.path)/seen"
        let script = try drilling.script(
            "look",
            """
            { cat /proc/self/net/dev; env; ls /proc/self/fd; ulimit -c; pwd; } > '\(seen).new'; mv '\(seen).new' '\(seen)'
            """)
        let file = try drilling.file(
            shared.store.block("storage_source"), server: "  binary = \"\(script)\"\n  network = \"cut\"")
        let outcome = try run(shared, file, shared.sharesFile)
        #expect(outcome.code == 2, "\(outcome.errors)")
        let lines = try text(of: seen).split(separator: "\n").map(String.init)
        let interfaces = lines.filter { $0.contains(":") && !$0.contains("|") && !$0.contains("=") }
        #expect(interfaces.count == 1 && interfaces[0].contains("lo:"), "\(lines)")
        let names = Set(
            lines.filter { $0.contains("=") }.compactMap { $0.split(separator: "=").first.map(String.init) })
        #expect(names.isSubset(of: ["PATH", "HOME", "TMPDIR", "LC_ALL", "PWD", "OLDPWD", "SHLVL", "_"]), "\(names)")
        let descriptors = lines.filter { Int($0) != nil }
        // The folder that is listed is one of them; the last number is the limit on core files.
        #expect(descriptors == ["0", "1", "2", "3", "0"], "\(descriptors)")
        #expect(lines.last?.hasSuffix("/server") == true)
    }

    /// Asked for once, without an echo, for the proof and for the server.
    @Test func sharesAreAskedForAtATerminal() throws {
        let shared = try SharedStore(.fileOpenBao)
        let drilling = Drilling(sandbox: shared.sandbox)
        let server = "  binary = \"\(try ServerVersion.newest.program())\"\n  read = \"\(Self.secret)\""
        let file = try drilling.file(shared.store.block("storage_source"), server: server)
        func type(_ what: String) throws -> String {
            try shared.sandbox.shell(
                "python3 '\(pythonProgram("type_shares.py"))' '\(what)' '\(Sandbox.program)' drill -config '\(file)' -prove"
            )
        }
        let said = try type(shared.sharesFile)
        #expect(said.components(separatedBy: "Key share 1 of 3 (nothing is shown): ").count == 2, "\(said)")
        #expect(said.contains("The drill passed.") && said.contains("exit code 0"), "\(said)")
        for text in shared.texts { #expect(!said.contains(text)) }
        let interrupted = try type("interrupt")
        #expect(
            interrupted.contains("exit code 130") && interrupted.contains("echo before and after"), "\(interrupted)")
        let report = try drilling.report()
        #expect(report["result"] as? String == "interrupted" && report["failed_phase"] as? String == "shares")
        #expect(drilling.copies.isEmpty)
    }

    /// Where there are no namespaces, the drill goes on unless the network must be cut off, and says so.
    @Test(arguments: ["cut_if_allowed", "cut"])
    func whereNamespacesAreNotAllowedThatIsSaid(_ network: String) throws {
        let shared = try SharedStore(.fileOpenBao)
        let drilling = Drilling(sandbox: shared.sandbox)
        let server = "  binary = \"\(try drilling.stub("good"))\"\n  network = \"\(network)\""
        let file = try drilling.file(shared.store.block("storage_source"), server: server)
        let within =
            "unshare -Ur sh -c 'echo 0 > /proc/sys/user/max_net_namespaces; exec \"$0\" \"$@\"' \"$0\" \"$@\" 5< '\(shared.sharesFile)'"
        let outcome = try shared.sandbox.startShell(within, ["drill", "-config", file, "-shares-fd", "5"]).outcome()
        let said = "the limit on namespaces is reached"
        if network == "cut" {
            #expect(outcome.code == 2 && outcome.errors.contains(said), "\(outcome.errors)")
            #expect(!exists(drilling.folder))
        } else {
            #expect(outcome.code == 0 && outcome.output.contains(said), "\(outcome.errors)")
            #expect(outcome.output.contains("  Network         not cut off\n"))
        }
    }

    /// What a server has started ends with it, however it ends.
    @Test func nothingThatTheServerStartedStays() throws {
        let shared = try SharedStore(.fileOpenBao)
        let drilling = Drilling(sandbox: shared.sandbox)
        let child = "\(shared.sandbox.path)/child"
        let program = try drilling.script(
            "parent", "sleep 1000 & echo $! > '\(child)'; exec python3 '\(pythonProgram("stub_server.py"))' good \"$@\""
        )
        let file = try drilling.file(shared.store.block("storage_source"), server: "  binary = \"\(program)\"")
        let outcome = try run(shared, file, shared.sharesFile)
        #expect(outcome.code == 0, "\(outcome.errors)")
        let process = try #require(Int32(try text(of: child).trimmingCharacters(in: .whitespacesAndNewlines)))
        try waitUntil("the server's child has ended") {
            let line = (try? text(of: "/proc/\(process)/stat")) ?? ""
            return line.isEmpty || line.components(separatedBy: ") ").last?.hasPrefix("Z") == true
        }
    }

    @Test(arguments: [400, 700, 1000, 2000] as [Int32])
    func killedAnywhereTheServerEndsAndTheNextDrillTidiesUp(_ milliseconds: Int32) throws {
        let shared = try SharedStore(.fileOpenBao)
        let drilling = Drilling(sandbox: shared.sandbox)
        let file = try drilling.file(
            shared.store.block("storage_source"), server: "  binary = \"\(try ServerVersion.newest.program())\"")
        let started = try shared.sandbox.startShell(
            "exec \"$0\" \"$@\" 5< '\(shared.sharesFile)'", ["drill", "-config", file, "-shares-fd", "5"])
        if !started.program.ends(within: milliseconds) { started.program.send(SIGKILL) }
        _ = try started.program.wait()
        try waitUntil("no server runs on the copy") {
            try shared.sandbox.shell("ps -eo args | grep -F '\(drilling.folder)' | grep -v grep || true").isEmpty
        }
        #expect(try shared.leaks() == [])
        let again = try run(shared, file, shared.sharesFile)
        #expect(again.code == 0, "\(again.errors)")
        #expect(drilling.copies.isEmpty)
        #expect(try shared.leaks() == [])
    }
}
