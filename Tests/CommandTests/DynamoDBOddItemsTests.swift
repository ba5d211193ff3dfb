import Foundation
import Testing

/// Items of a table that no server wrote so: each is copied or named, from a table as from an export of it.
@Suite struct DynamoDBOddItemsTests {
    /// The real lock, whose time has passed, beside entries with attributes that locks have, too.
    private static func items() -> TableItems {
        var items = TableItems()
        for entry in SampleEntry.initialised { items.add(entry.key, entry.value) }
        items.add("logical/plain")
        items.add("logical", "expiring", #"{"B":"AAAAAQI="}"#, #","Expires":{"N":"1893456000"}"#)
        items.add("logical", "identified", #"{"B":"AAAAAQI="}"#, #","Identity":{"B":"bWU="},"ttl":{"N":"1893456000"}"#)
        items.add("logical", "both", #"{"B":"AAAAAQI="}"#, #","Identity":{"B":"bWU="},"Expires":{"N":"1"}"#)
        items.add("other", "_lock", #"{"B":"AAAAAQI="}"#, #","Identity":{"B":"bWU="},"Expires":{"N":"1"}"#)
        items.add(" ", "other/", #"{"NULL":true}"#, #","Expires":{"N":"1893456000"}"#)
        items.add("core", "_lock", #"{"B":"bm9kZS0x"}"#, #","Identity":{"B":"bWU="},"Expires":{"N":"1000000000"}"#)
        return items
    }

    private static let keys: Set<String> = [
        "core/keyring", "core/seal-config", "logical/plain", "logical/expiring", "logical/identified", "logical/both",
        "other/_lock",
    ]

    /// The forms in which items come: an export's lines, items as `jq -c '.Items[]'` and `jq '.Items[]'` leave them of
    /// pages, and a page.
    private static let forms: [(name: String, text: String)] = {
        let items = Self.items().text.split(separator: "\n").map { $0.dropFirst(8).dropLast() }
        let list = items.joined(separator: ",")
        return [
            ("lines.json", Self.items().text), ("items.json", items.map { $0 + "\n" }.joined()),
            ("spread.json", items.map { $0.replacing(",", with: ",\n  ") + "\n" }.joined()),
            ("page.json", #"{"Items":[\#(list)],"Count":\#(items.count),"ScannedCount":\#(items.count)}"#),
        ]
    }()

    private func expectAll(_ sandbox: Sandbox, _ source: String, _ raft: Store, _ name: String) throws {
        let configuration = try sandbox.write(
            "\(name).hcl", source + raft.block("storage_destination") + "cluster_addr = \"https://10.0.0.11:8201\"\n")
        let outcome = try sandbox.migrate(configuration)
        try #require(outcome.code == 0, "\(name): \(outcome.errors)")
        let copied = lines(of: try text(of: "\(raft.path).sealift/manifest.txt")).filter { !$0.hasPrefix("#") }
        #expect(Set(copied.map { String($0.dropFirst(66)) }) == Self.keys && copied.count == Self.keys.count, "\(name)")
        for words in [
            "5: item with attributes that no server writes", "logical/expiring (Expires)",
            "logical/identified (Identity, ttl)", "other/ (Expires)", "1: lock of the active node",
        ] {
            #expect(outcome.output.contains(words), "\(name): \(words): \(outcome.output)")
        }
        let check = try sandbox.sealift(["check", "-config", configuration])
        #expect(check.code == 0 && check.output.contains("look at: 5, item with attributes"), "\(check.output)")
        let checksum = try sandbox.sealift(["checksum", "-config", configuration, "-side=source"])
        #expect(checksum.output.contains("# entries: \(Self.keys.count)\n"), "\(checksum.output)")
        #expect(checksum.errors.contains("attributes that no server writes"), "\(checksum.errors)")
    }

    @Test func nothingOfAnExportIsLostInSilence() throws {
        let sandbox = try Sandbox()
        for (name, text) in Self.forms {
            let path = try sandbox.write(name, text)
            try expectAll(
                sandbox, "storage_source \"dynamodb_export\" {\n  path = \"\(path)\"\n}\n",
                .raft("\(sandbox.path)/raft-\(name)"), name)
        }
    }

    @Test func nothingOfATableIsLostInSilence() throws {
        let sandbox = try Sandbox()
        for (name, text) in Self.forms.prefix(2) {
            let server = try PracticeServer(sandbox, ["-import", try sandbox.write(name, text)])
            let before = try server.ask("Scan", #""ConsistentRead":true"#)
            #expect(before.contains("1893456000") && before.contains(#""ttl""#))
            try expectAll(
                sandbox, server.store().block("storage_source"), .raft("\(sandbox.path)/raft-\(name)"), name)
            #expect(try server.ask("Scan", #""ConsistentRead":true"#) == before, "the source is as it was")
            let plan = try sandbox.sealift(["plan", "-config", "\(sandbox.path)/\(name).hcl"])
            #expect(plan.code == 0, "\(plan.errors)")
        }
    }

    @Test func thePlanCountsWhatIsCopied() throws {
        let sandbox = try Sandbox()
        let server = try PracticeServer(sandbox, [])
        let path = try sandbox.write("items.json", Self.items().text)
        let configuration = try sandbox.write(
            "plan.hcl",
            "storage_source \"dynamodb_export\" {\n  path = \"\(path)\"\n}\n"
                + server.store("made", ["create_table": "on-demand"]).block("storage_destination"))
        let plan = try sandbox.sealift(["plan", "-config", configuration])
        #expect(
            plan.output.contains("\(Self.keys.count) entries and 3 directory markers"), "\(plan.output)\(plan.errors)")
    }
}
