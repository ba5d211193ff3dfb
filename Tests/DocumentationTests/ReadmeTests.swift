import Foundation
import Testing

@Suite struct ReadmeTests {
    @Test func everyCommandOfTheStoryWorksInOrder() throws {
        // The rehearsal goes on where the README's story ends.
        let pages = try [Readme(), Readme(Readme.rehearsalPage)]
        let (files, commands) = (pages.flatMap(\.files), pages.flatMap(\.commands))
        let sandbox = try Sandbox()
        for file in files { try sandbox.write(file.name, file.text) }
        #expect(files.map(\.name) == ["migrate.hcl", "practice.hcl", "export.hcl", "rehearsal.hcl"])
        #expect(commands.count >= 10)
        var digests: Set<String> = []
        for command in commands {
            let outcome = try sandbox.run(command)
            #expect(outcome.code == 0, "\(command): \(outcome.output)\(outcome.errors)")
            if command.contains("sha256sum") { digests.insert(String(outcome.output.prefix(64))) }
            if let range = outcome.output.range(of: "# keyspace digest: ") {
                digests.insert(String(outcome.output[range.upperBound...].prefix(64)))
            }
        }
        #expect(digests.count == 1, "the ways to the keyspace digest disagree: \(digests)")
    }

    /// Key shares of the store, one a line.
    private static func shares(_ fixture: String = "dynamodb-vault") throws -> String {
        let file = packageRoot.appending(path: "Tests/Fixtures/served/\(fixture)/init.json")
        let printed = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any]
        return (printed?["keys_base64"] as? [String] ?? []).prefix(3).joined(separator: "\n") + "\n"
    }

    @Test func everyExampleOfTheReferenceWorks() throws {
        let readme = try Readme()
        let server = try String(contentsOf: packageRoot.appending(path: "hcl-samples/server.hcl"), encoding: .utf8)
        let migrate = try #require(readme.files.first { $0.name == "migrate.hcl" })
        let lines = try Readme(Readme.commandsPage).examples
        #expect(lines.count >= 12)
        func prepared() throws -> Sandbox {
            let sandbox = try Sandbox()
            try sandbox.write("migrate.hcl", migrate.text)
            try sandbox.write("server.hcl", server)
            try sandbox.run(
                "umask 077; openssl genpkey -algorithm ed25519 -out key.pem; openssl rand -hex 32 > secret")
            try sandbox.run(Self.backups)
            try sandbox.write("shares.txt", Self.shares())
            for name in ["drill.hcl", "nightly-drill.hcl"] {
                try sandbox.write(
                    name, String(contentsOf: packageRoot.appending(path: "hcl-samples/\(name)"), encoding: .utf8))
            }
            return sandbox
        }
        // What looks at the result of a migration shares one, what changes something has a folder of its own.
        let migrated = try prepared()
        try migrated.run("sealift operator migrate -config migrate.hcl")
        for line in lines where !Self.isOfACluster(line) {
            let isChange = ["operator migrate", "plan", "practice-table"].contains { line.contains($0) }
            let isOnNode = line.hasPrefix("sealift raft ")
            let isRepair = line.contains("sealift repair")
            let isDrill = line.contains("sealift drill")
            let sandbox = isChange || isOnNode || isRepair || isDrill ? try prepared() : migrated
            if isDrill { try sandbox.write("shares.txt", Self.shares("raft-openbao-native")) }
            if isRepair {
                // What is repaired is no directory of integrated storage.
                let start = try #require(migrate.text.range(of: "storage_destination"))
                let end = try #require(migrate.text[start.lowerBound...].range(of: "}"))
                let database = "storage_destination \"sqlite\" {\n  path = \"there.db\"\n}"
                try sandbox.write(
                    "migrate.hcl",
                    migrate.text.replacingCharacters(in: start.lowerBound..<end.upperBound, with: database))
                try sandbox.run("sealift operator migrate -config migrate.hcl")
            }
            if line.hasPrefix("sealift raft spread") {
                try Self.makeNodeWithKeyRing(sandbox)
            } else if isOnNode {
                try sandbox.run("sealift operator migrate -config migrate.hcl")
            }
            let isServer = line.hasPrefix("sealift practice-table")
            let outcome = try isServer ? sandbox.serve(line) : sandbox.run(line)
            let code: Int32 = line.contains("-mode=warm") ? 4 : 0
            #expect(outcome.code == code, "\(line): \(outcome.output)\(outcome.errors)")
            #expect(!isServer || outcome.output.contains("listening on http://127.0.0.1:"))
        }
    }

    /// The walk-through on loopback: every 10.0.0.N of it is 127.0.0.N here. Then the examples of the commands on a
    /// cluster.
    @Test func theWayToThreeMachinesWorksInOrder() throws {
        let page = try Readme(Readme.threeMachinesPage)
        let sandbox = try Sandbox()
        for file in page.files { try sandbox.write(file.name, Self.onLoopback(file.text)) }
        #expect(page.files.map(\.name) == ["node1.hcl", "node2.hcl", "node3.hcl", "cluster.hcl"])
        let servers = page.commands.filter { $0.hasPrefix("sealift raft server") }
        #expect(servers.count == 3)
        defer { _ = try? sandbox.run("kill -9 $(cat server*.pid)") }
        for line in page.commands.map(Self.onLoopback) {
            var command = line
            if command.contains("raft export") {
                // Nobody else could dial the loopback addresses that stand for the machines'.
                command += " -practice"
                try sandbox.run(
                    "kill $(cat server*.pid); for i in $(seq 300); do pgrep -F server1.pid || break; sleep 0.1; done")
            }
            let isServer = command.hasPrefix("sealift raft server")
            let outcome = try isServer ? sandbox.background(command) : sandbox.run(command)
            #expect(outcome.code == 0, "\(command): \(outcome.output)\(outcome.errors)")
            if command.contains("raft status -prove") {
                try examplesOfClusters(sandbox)
            }
        }
        #expect(try sandbox.run("test -f /opt/vault/raft/vault.db").code == 0)
    }

    private static func isOfACluster(_ line: String) -> Bool {
        line.hasPrefix("sealift raft ")
            && !["fix-peers", "compact", "spread"].contains { line.hasPrefix("sealift raft \($0)") }
    }

    private func examplesOfClusters(_ sandbox: Sandbox) throws {
        // Those of files and of servers are in the walk-through, and in tests of their own.
        let offline = ["raft server", "raft export", "raft join"]
        let lines = try Readme(Readme.commandsPage).examples.filter { line in
            Self.isOfACluster(line) && !offline.contains { line.contains($0) }
        }
        #expect(lines.count >= 5)
        for line in lines.map(Self.onLoopback) {
            let access = " -ca-cert ca.pem -token-file token"
            var command = line.replacing("https://127.0.0.11:8200", with: "https://127.0.0.11:8200\(access)")
            if command.contains("-watch") { command = "timeout -s INT 3 \(command)" }
            let outcome = try sandbox.run(command)
            let isWatched = command.contains("-watch") && outcome.code == 124
            #expect(outcome.code == 0 || isWatched, "\(command): \(outcome.output)\(outcome.errors)")
        }
        // Whoever was removed by an example is no part of the rest.
    }

    private static func onLoopback(_ text: String) -> String { text.replacing("10.0.0.", with: "127.0.0.") }

    /// A node that was set up with the wrong address, mended and shrunk as the page tells.
    @Test func everyCommandForStoppedNodesWorksInOrder() throws {
        let migrate = try #require(try Readme().files.first { $0.name == "migrate.hcl" })
        let sandbox = try Sandbox()
        try sandbox.write("migrate.hcl", migrate.text.replacing("10.0.0.11", with: "127.0.0.1"))
        let made = try sandbox.run("sealift operator migrate -practice -config migrate.hcl")
        #expect(made.code == 0, "\(made.errors)")
        let commands = try Readme(Readme.stoppedNodesPage).commands
        #expect(commands.count >= 6)
        for (place, command) in commands.enumerated() {
            let outcome = try sandbox.run(command)
            // The first look finds what the others mend.
            #expect(outcome.code == (place == 0 ? 3 : 0), "\(command): \(outcome.output)\(outcome.errors)")
        }
    }

    @Test func everyCommandOfThePageOnPassesWorksInOrder() throws {
        let page = try Readme(Readme.passesPage)
        let sandbox = try Sandbox()
        try sandbox.run(
            "mkdir -p old/core old/logical; for name in core/_keyring core/_seal-config logical/_a; do "
                + "echo '{\"Value\":\"AAEC\"}' > old/$name; done")
        for file in page.files { try sandbox.write(file.name, file.text) }
        #expect(page.files.map(\.name) == ["passes.hcl", "drill.hcl"] && page.commands.count == 9)
        for command in page.commands {
            let outcome = try sandbox.run(command)
            #expect(outcome.code == 0, "\(command): \(outcome.output)\(outcome.errors)")
        }
    }

    /// Only a store that was integrated storage before has what its nodes know each other by.
    private static func makeNodeWithKeyRing(_ sandbox: Sandbox) throws {
        let sample = try String(
            contentsOf: packageRoot.appending(path: "hcl-samples/snapshot-to-raft.hcl"), encoding: .utf8)
        try sandbox.write("alone.hcl", sample.replacing("/opt/vault/restored", with: "/opt/vault/raft"))
        let made = try sandbox.run("sealift operator migrate -config alone.hcl")
        #expect(made.code == 0, "\(made.errors)")
    }

    @Test func everyCommandOfThePageOnWholeClustersWorksInOrder() throws {
        let page = try Readme(Readme.wholeClusterPage)
        let sandbox = try Sandbox()
        try Self.makeNodeWithKeyRing(sandbox)
        for file in page.files { try sandbox.write(file.name, file.text) }
        #expect(page.files.map(\.name) == ["cluster.hcl"] && page.commands.count == 6)
        for command in page.commands {
            let outcome = try sandbox.run(command)
            #expect(outcome.code == 0, "\(command): \(outcome.output)\(outcome.errors)")
        }
    }

    /// Three nights' snapshots.
    private static let backups = "for name in backup yesterday tonight; do cp /opt/vault/backup.snap $name.snap; done"

    @Test func everyCommandOfThePageOnSnapshotsWorksInOrder() throws {
        let page = try Readme(Readme.snapshotsPage)
        let sandbox = try Sandbox()
        try sandbox.run(Self.backups)
        for file in page.files { try sandbox.write(file.name, file.text) }
        #expect(page.files.map(\.name) == ["restore.hcl"] && page.commands.count == 7)
        for command in page.commands {
            let outcome = try sandbox.run(command)
            #expect(outcome.code == 0, "\(command): \(outcome.output)\(outcome.errors)")
        }
    }

    @Test func everyCommandOfThePageOnDrillsWorksInOrder() throws {
        let page = try Readme(Readme.drillsPage)
        let sandbox = try Sandbox()
        try sandbox.write("shares.txt", Self.shares("raft-openbao-native"))
        for file in page.files { try sandbox.write(file.name, file.text) }
        #expect(page.files.map(\.name) == ["drill.hcl"] && page.commands.count == 3)
        for command in page.commands {
            let outcome = try sandbox.run(command)
            #expect(outcome.code == 0, "\(command): \(outcome.output)\(outcome.errors)")
        }
    }

    @Test func everyCommandForReportsWorksInOrder() throws {
        let migrate = try #require(try Readme().files.first { $0.name == "migrate.hcl" })
        let sandbox = try Sandbox()
        try sandbox.write("migrate.hcl", migrate.text)
        let commands = try Readme(Readme.reportsPage).commands
        #expect(commands.count == 3)
        for command in commands {
            let outcome = try sandbox.run(command.replacing("127.0.0.1:8400", with: "127.0.0.1:0"))
            #expect(outcome.code == 0, "\(command): \(outcome.output)\(outcome.errors)")
        }
        let page = try String(contentsOf: sandbox.root.appending(path: "work/migration.html"), encoding: .utf8)
        #expect(page.contains("<h1>Migrated and proven</h1>"))
    }

    @Test func setUpCommandsAreRunByTheTestScript() throws {
        let readme = try Readme()
        let scripts = readme.examples.filter { $0.hasPrefix("scripts/") }
        #expect(scripts == ["scripts/quickstart", "scripts/try-server", "scripts/test", "scripts/test --quick"])
        let test = try String(contentsOf: packageRoot.appending(path: "scripts/test"), encoding: .utf8)
        #expect(test.contains("\nscripts/quickstart\n") && test.contains("\nscripts/try-server\n"))
    }

    @Test(arguments: [
        "scripts/fuzz many", "scripts/fuzz 1 x", "scripts/sanitize everything", "scripts/try-hosts many",
        "scripts/try-power-loss many",
    ])
    func scriptsTellTheirUsage(_ line: String) throws {
        let words = line.split(separator: " ").map(String.init)
        let script = Process()
        script.executableURL = packageRoot.appending(path: words[0])
        script.arguments = Array(words.dropFirst())
        let errors = Pipe()
        script.standardError = errors
        try script.run()
        let said = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        script.waitUntilExit()
        #expect(script.terminationStatus == 2 && said.contains("usage: \(words[0])"), "\(said)")
        #expect(try Readme().text.contains("`\(words[0])`"))
    }

    @Test(arguments: [("commands", Readme.commandsPage), ("backends", Readme.backendsPage)])
    func referenceIsTheOneTheProgramPrints(_ what: String, _ page: String) throws {
        let printed = try Sandbox().run("sealift reference \(what)").output
            .trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(printed.count > 1000)
        #expect(try Readme(page).text.contains(printed), "run `sealift reference \(what)` and put it into \(page)")
    }

    @Test func readmeFitsAPageAndItsLinksLeadSomewhere() throws {
        let text = try Readme().text
        #expect(text.split(separator: "\n", omittingEmptySubsequences: false).count <= 215)
        let links = text.matches(of: /\]\(([^)#]+)\)/).map { String($0.output.1) }.filter { !$0.hasPrefix("http") }
        #expect(links.count >= 8)
        for link in links {
            #expect(FileManager.default.fileExists(atPath: packageRoot.appending(path: link).path), "\(link)")
        }
    }
}
