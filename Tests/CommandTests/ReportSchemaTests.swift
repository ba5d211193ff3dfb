import Barrier
import BarrierTestKit
import FileBackend
import Foundation
import Storage
import TestSupport
import Testing

/// What runs say of themselves in JSON keeps to the schema that the program prints, by a validator of others.
@Suite struct ReportSchemaTests {
    /// Members that only runs on clusters have, or on stores that services seal; their tests are those of the parts.
    private static let rare: Set<String> = [
        "destinations.copies.id", "destinations.copies.address", "destinations.copies.index",
        "destinations.copies.entries", "destinations.copies.keyspace_digest", "destinations.copies.is_equal",
        "seal.key_id", "seal.fault",
    ]

    /// Runs the validator; its lines.
    private func validate(_ sandbox: Sandbox, _ reports: [String]) throws -> [String] {
        let schema = try sandbox.sealift(["report", "-schema"])
        #expect(schema.code == 0 && schema.errors == "")
        let file = try sandbox.write("schema.json", schema.output)
        return lines(of: try runProgram("/usr/bin/env", ["python3", pythonProgram("check_schema.py"), file] + reports))
    }

    /// Writes the last event of a run.
    private func event(_ outcome: Outcome, _ sandbox: Sandbox, _ name: String) throws -> String {
        #expect(outcome.code == 0, "\(outcome.errors)")
        return try sandbox.write(name, try #require(outcome.outputLines.last))
    }

    @Test func everyKindOfReportKeepsToTheSchema() throws {
        let sandbox = try Sandbox()
        var reports: [String] = []
        for kind in ["file", "raft", "sqlite"] {
            let source = try sandbox.makeFileStore("src-\(kind)", SampleEntry.initialised + [SampleEntry("snap/a")])
            try sandbox.write("src-\(kind)/core/_mounts", "")
            try sandbox.write("src-\(kind)/core/stray", "x")
            let file = try sandbox.configuration(source, sandbox.store(kind, "dst-\(kind)"), name: "\(kind).hcl")
            let flags = ["-format=json", "-allow-lost-entries", "-state-dir", "\(sandbox.path)/state-\(kind)"]
            reports.append(try event(try sandbox.migrate(file, flags + ["-dry-run"]), sandbox, "dry-\(kind).json"))
            reports.append(try event(try sandbox.migrate(file, flags), sandbox, "event-\(kind).json"))
            reports.append("\(sandbox.path)/state-\(kind)/report.json")
        }
        reports.append(try partial(sandbox))
        reports.append(try failed(sandbox))
        reports.append(try ofNodes(sandbox))
        reports.append(try ofATable(sandbox))
        reports.append(try withShares(sandbox))
        reports += try passesAndRepair(sandbox)
        let found = try validate(sandbox, reports)
        for line in found.dropLast() { #expect(line.hasSuffix(": valid"), "\(line)") }
        #expect(found.count == reports.count + 1)
        try expectAllMembers(sandbox, seen: found.last ?? "")
    }

    /// A store of before Vault 1.3, with an entry that is damaged at the source.
    private func withShares(_ sandbox: Sandbox) throws -> String {
        let shared = try SharedStore(.fileOpenBao)
        let store = try shared.opened()
        try OpenedBarrier.makeLegacy(store, keyShares(Array(shared.texts.prefix(3))))
        try store.put("core/wrapping/jwtkey", [0, 0, 0, 1, 2] + [UInt8](repeating: 1, count: 40))
        store.close()
        let to = Store.raft("\(shared.sandbox.path)/to")
        let file = try shared.sandbox.configuration(shared.store, to)
        let outcome = try shared.run(["operator", "migrate", "-config", file, "-prove", "-upgrade-legacy-seal"])
        #expect(outcome.code == 3, "\(outcome.errors)")
        let report = "\(sandbox.path)/shares.json"
        try sandbox.shell("cp '\(to.path).sealift/report.json' '\(report)'")
        return report
    }

    private func partial(_ sandbox: Sandbox) throws -> String {
        let source = try sandbox.makeFileStore("src-part", SampleEntry.initialised + [SampleEntry("sys/a")])
        let file = try sandbox.configuration(source, .sqlite("\(sandbox.path)/part.db"), name: "part.hcl")
        let outcome = try sandbox.migrate(file, ["-start=sys/", "-state-dir", "\(sandbox.path)/state-part"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        return "\(sandbox.path)/state-part/report.json"
    }

    /// Two nodes of a cluster, one of which is a copy of the other.
    private func ofNodes(_ sandbox: Sandbox) throws -> String {
        let source = try sandbox.makeFileStore("src-nodes", SampleEntry.initialised + [SampleEntry("core/raft/tls")])
        let blocks = (1...2).map { number in
            "node {\nid = \"n\(number)\"\ncluster_addr = \"https://10.0.0.\(number):8201\"\npath = "
                + "\"\(sandbox.path)/n\(number)\"\n}\n"
        }
        let file = try sandbox.write(
            "nodes.hcl", source.block("storage_source") + "storage_destination \"raft\" {\n\(blocks.joined())}\n")
        let outcome = try sandbox.migrate(file, ["-state-dir", "\(sandbox.path)/state-nodes"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        return "\(sandbox.path)/state-nodes/report.json"
    }

    private func failed(_ sandbox: Sandbox) throws -> String {
        let source = try sandbox.makeFileStore("src-bad", SampleEntry.initialised + [SampleEntry("sys/a")])
        try sandbox.write("src-bad/sys/_a", "{\"Value\":")
        let file = try sandbox.configuration(source, .file("\(sandbox.path)/dst-bad"), name: "bad.hcl")
        let outcome = try sandbox.migrate(file, ["-state-dir", "\(sandbox.path)/state-bad"])
        #expect(outcome.code == 2)
        return "\(sandbox.path)/state-bad/report.json"
    }

    /// A warm pass, the final one, signed, and the repair of what was damaged behind it; the page of each says what it was.
    private func passesAndRepair(_ sandbox: Sandbox) throws -> [String] {
        try sandbox.shell(
            "cd '\(sandbox.path)' && umask 077 && openssl genpkey -algorithm ed25519 -out key.pem "
                + "&& openssl rand -hex 32 > secret")
        let source = try sandbox.makeFileStore("src-pass", SampleEntry.initialised + [SampleEntry("sys/a")])
        let destination = Store.file("\(sandbox.path)/dst-pass")
        let file = try sandbox.configuration(source, destination, name: "pass.hcl")
        let evidence = ["-sign-key", "\(sandbox.path)/key.pem", "-key-file", "\(sandbox.path)/secret"]
        var reports: [String] = []
        func run(_ words: [String], _ code: Int32, _ heading: String) throws {
            let state = "\(sandbox.path)/state-pass"
            let outcome = try sandbox.sealift(words + ["-config", file, "-state-dir", state])
            #expect(outcome.code == code, "\(words): \(outcome.errors)")
            let page = try text(of: "\(state)/report.html")
            #expect(page.contains("<h1>\(heading)</h1>"), "\(words): \(page.prefix(8000))")
            reports.append("\(sandbox.path)/pass-\(reports.count).json")
            try sandbox.shell("cp '\(state)/report.json' '\(reports[reports.count - 1])'")
        }
        try run(["operator", "migrate", "-mode=warm"], 4, "A warm pass is done: not final")
        try sandbox.write("src-pass/sys/_b", "{\"Value\":\"AAAA\"}\n")
        try run(["operator", "migrate", "-mode=warm"], 4, "A warm pass is done: not final")
        try run(["operator", "migrate", "-mode=final"] + evidence, 0, "Migrated and proven")
        try sandbox.write("dst-pass/sys/_b", "{\"Value\":\"BBBB\"}\n")
        let check = try sandbox.sealift(["check", "-config", file, "-format=json"])
        let found = try sandbox.write("check.json", check.output)
        try run(["repair", "-from", found], 0, "Repaired and proven")
        return reports
    }

    /// From a table that hides an entry, through throttles.
    private func ofATable(_ sandbox: Sandbox) throws -> String {
        var items = TableItems()
        for entry in SampleEntry.initialised { items.add(entry.key, entry.value) }
        items.add("core/seal-config", Array(#"{"type":"shamir","secret_shares":5,"secret_threshold":3}"#.utf8))
        items.add("sys/_hidden", [0, 0, 0, 7, 2] + [UInt8](repeating: 1, count: 40))
        let server = try PracticeServer(sandbox, ["-import", try sandbox.write("items.jsonl", items.text)])
        let state = "\(sandbox.path)/state-table"
        let file = try sandbox.configuration(
            server.store(), server.store("made", ["create_table": "on-demand"]), name: "table.hcl")
        let outcome = try sandbox.migrate(file, ["-state-dir", state, "-source-backup=before"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        return "\(state)/report.json"
    }

    /// A member that no run has would be a member that nobody has checked.
    private func expectAllMembers(_ sandbox: Sandbox, seen line: String) throws {
        let seen = Set(line.split(separator: " ").dropFirst().map(String.init)).union(Self.rare)
        let schema = try JSONSerialization.jsonObject(
            with: Data(contentsOf: URL(filePath: "\(sandbox.path)/schema.json")))
        let declared = Self.members(schema as? [String: Any] ?? [:], "")
        #expect(declared.count > 60)
        #expect(declared.subtracting(seen).isSubset(of: ["unlisted"]), "\(declared.subtracting(seen).sorted())")
    }

    private static func members(_ schema: [String: Any], _ path: String) -> Set<String> {
        let object = schema["items"] as? [String: Any] ?? schema
        var found: Set<String> = []
        for (name, part) in object["properties"] as? [String: [String: Any]] ?? [:] {
            #expect((part["description"] as? String)?.hasSuffix(".") == true, "\(path)\(name) says nothing")
            #expect(part["type"] != nil, "\(path)\(name) has no type")
            found.insert(path + name)
            found.formUnion(members(part, "\(path)\(name)."))
        }
        return found
    }

    private static let faults: [(name: String, from: String, to: String)] = [
        ("another member", "\"entries\": 2", "\"entries\": 2, \"more\": 1"),
        ("another member of a destination", "\"same\": 2", "\"same\": 2, \"token\": \"x\""),
        ("a missing member", "\"partial\": false,", ""), ("a wrong type", "\"entries\": 2", "\"entries\": \"2\""),
        ("a negative count", "\"missing\": 0", "\"missing\": -1"),
        ("a wrong word", "\"migrated and proven\"", "\"done\""),
        ("a wrong digest", "\"keyspace_digest\": \"", "\"keyspace_digest\": \"x"),
        ("a phase of nothing", "\"phase\": \"copying\"", "\"phase\": \"thinking\""),
        ("an event and a report in one", "\"sealift\":", "\"event\": \"result\", \"sealift\":"),
        ("half an outcome", "\"failure\": null,", ""),
    ]

    @Test func aPlantedFaultIsRefused() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let state = "\(sandbox.path)/state"
        let file = try sandbox.configuration(source, .file("\(sandbox.path)/dst"))
        #expect(try sandbox.migrate(file, ["-state-dir", state]).code == 0)
        let report = try text(of: "\(state)/report.json")
        var reports = ["\(state)/report.json"]
        for (number, fault) in Self.faults.enumerated() {
            let planted = report.replacing(fault.from, with: fault.to, maxReplacements: 1)
            #expect(planted != report, "\(fault.name) is not planted")
            reports.append(try sandbox.write("fault-\(number).json", planted))
        }
        let found = try validate(sandbox, reports)
        #expect(found.first?.hasSuffix(": valid") == true, "\(found)")
        for (fault, line) in zip(Self.faults, found.dropFirst()) {
            #expect(!line.hasSuffix(": valid") && line.contains(": at /"), "\(fault.name): \(line)")
        }
    }
}
