import JSON
import Storage
import StorageTestKit
import Synchronization
import TestSupport
import Testing

@testable import DynamoDBBackend

/// What a real table holds beside entries, on a server.
@Suite struct TableTests {
    private func open(_ table: String, _ purpose: OpenPurpose, _ options: [String: String] = [:]) throws
        -> DynamoDBBackend
    {
        let store = try openTable(table, PythonServer.moto.get().url, purpose, options)
        return try #require(store as? DynamoDBBackend)
    }

    private func fresh() throws -> DynamoDBBackend {
        try open(DynamoDBHarness.freshTable(), .destination(DestinationContext()))
    }

    private func item(_ path: String, _ name: String, _ attributes: String) -> [UInt8] {
        Array(#"{"PutRequest":{"Item":{"Path":{"S":"\#(path)"},"Key":{"S":"\#(name)"}\#(attributes)}}}"#.utf8)
    }

    private let lock = #", "Identity":{"B":"bWU="},"Value":{"B":"bm9kZQ=="},"Expires":{"N":"%"}"#

    @Test func kindsOfItemsAreToldApart() throws {
        let store = try fresh()
        try store.put("a/b/c", [1])
        _ = try store.table.write([
            item("core", "_lock", lock.replacing("%", with: "1")), item("other", "_lock", #", "Expires":{"N":"1"}"#),
            item("core", "lock", #", "Value":{"B":"AQ=="}"#), item("a", "_k", #", "Value":{"B":"AQI="}"#),
            item("gone/deep", "k", #", "Value":{"B":"AQID"}"#), item("a", "null", #", "Value":{"NULL":true}"#),
            item("a", "none", ""), item(" ", "root", #", "Value":{"B":""}"#),
            item("ttl", "x", #", "Value":{"B":"AQ=="},"Expires":{"N":"1"}"#),
            item("ttl", "y", #", "Value":{"B":"AQ=="},"Identity":{"B":"bWU="},"Expires":{"N":"1"},"owner":{"S":"me"}"#),
            item("ttl", "z/w", #", "Value":{"B":"AQ=="}"#),
            item("a", "b/", #", "Value":{"S":"text"},"Expires":{"N":"1"}"#),
        ])
        let wanted: [TestEntry] = [
            TestEntry("a/b/c", [1]), TestEntry("core/lock", [1]), TestEntry("a/_k", [1, 2]),
            TestEntry("gone/deep/k", [1, 2, 3]), TestEntry("a/null", []), TestEntry("a/none", []),
            TestEntry("root", []), TestEntry("other/_lock", []), TestEntry("ttl/x", [1]), TestEntry("ttl/y", [1]),
            TestEntry("ttl/z/w", [1]),
        ]
        try requireContents(try store.contents(), wanted, "scan")
        var request = ScanRequest()
        request.includesDirectoryMarkers = true
        let notes = Mutex<Set<ScanNote>>([])
        request.note = { note in notes.withLock { _ = $0.insert(note) } }
        let withMarkers = try store.contents(request)
        #expect(
            notes.withLock { $0 } == [
                ScanNote(.activeNodeLock, at: "core/_lock"), ScanNote(.missingValue, at: "a/none"),
                ScanNote(.missingValue, at: "other/_lock"), ScanNote(.foreignAttributes, at: "other/_lock (Expires)"),
                ScanNote(.foreignAttributes, at: "ttl/x (Expires)"),
                ScanNote(.foreignAttributes, at: "ttl/y (Identity, Expires, owner)"),
                ScanNote(.misplaced, at: "ttl/z/w (Path ttl, Key z/w)"), ScanNote(.markerWithValue, at: "a/b/"),
                ScanNote(.foreignAttributes, at: "a/b/ (Expires)"),
            ])
        try requireContents(withMarkers, wanted + [TestEntry("a/", []), TestEntry("a/b/", [])], "scan with markers")
    }

    /// What lies at the lock's place is the lock only if it looks like one.
    @Test(
        arguments: [
            (#","Value":{"B":"AAAAAQI="},"Identity":{"B":"bWU="},"Expires":{"N":"1"}"#, [0, 0, 0, 1, 2], nil),
            (#","Value":{"B":"AAAAAQI="}"#, [0, 0, 0, 1, 2], nil), ("", [], nil),
            (#","Value":{"B":"bm9kZQ=="}"#, nil, ScanNote.Reason.possibleLock),
            (#","Value":{"NULL":true},"Expires":{"N":"1"}"#, nil, .activeNodeLock),
        ] as [(String, [UInt8]?, ScanNote.Reason?)])
    func theLockIsToldFromAnEntryAtItsPlace(_ attributes: String, _ value: [UInt8]?, _ reason: ScanNote.Reason?) throws
    {
        let store = try fresh()
        try store.put("good", [1])
        _ = try store.table.write([item("core", "_lock", attributes)])
        let notes = Mutex<[ScanNote.Reason]>([])
        var request = ScanRequest()
        request.note = { note in notes.withLock { $0.append(note.reason) } }
        let wanted = [TestEntry("good", [1])] + (value.map { [TestEntry("core/_lock", $0)] } ?? [])
        try requireContents(try store.contents(request), wanted, "scan")
        let found = notes.withLock { $0 }.filter { $0 == .possibleLock || $0 == .activeNodeLock }
        #expect(found == (reason.map { [$0] } ?? []))
    }

    @Test(arguments: [#"{"S":"text"}"#, #"{"N":"1"}"#, #"{"M":{}}"#])
    func valuesOfAnotherTypeAreNamed(_ value: String) throws {
        let store = try fresh()
        try store.put("good", [1])
        _ = try store.table.write([item("a", "bad", #", "Value":\#(value)"#)])
        let error = #expect(throws: StorageError.self) { try store.contents() }
        #expect(error?.code == .damagedEntry && error?.key == "a/bad")
        var request = ScanRequest()
        request.passesOver = { $0.key == "a/bad" }
        try requireContents(try store.contents(request), [TestEntry("good", [1])], "scan")
    }

    @Test func aLivingNodeIsNamedAndADeadOneIsNot() throws {
        let store = try fresh()
        try store.put("core/keyring", [1])
        let now = store.table.transport.serverTime
        for (expires, isLive) in [
            ("\(now - 60)000000001", false), ("\(now + 60)000000001", true), ("1.5E+18", false), ("4E+18", true),
            ("9E+30", true),
        ] {
            _ = try store.table.write([item("core", "_lock", lock.replacing("%", with: expires))])
            for (isSource, findings) in [
                (true, try store.sourceFindings()), (false, try store.destinationFindings()),
            ] {
                #expect(findings.contains { $0.kind == .obstacle(.inUse) } == isLive)
                guard isLive else { continue }
                let message = findings.first?.message ?? ""
                #expect(message.contains("node me") && message.contains("Z and renews"), "\(message)")
                // Of no use where something is to be written.
                #expect(message.contains("-source-in-use=allow") == isSource, "\(message)")
                #expect(message.contains("name another table as destination") != isSource, "\(message)")
            }
        }
    }

    @Test func markersGoWithTheLastEntryOfTheirDirectory() throws {
        let store = try fresh()
        for key: StorageKey in ["a/b/c", "a/b/d", "a/b/c/e", "a/_hidden"] { try store.put(key, [1]) }
        func markers() throws -> [StorageKey] {
            var request = ScanRequest()
            request.includesDirectoryMarkers = true
            return try store.contents(request).map(\.key).filter { $0.bytes.last == UInt8(ascii: "/") }
        }
        #expect(try markers() == ["a/", "a/b/", "a/b/c/"])
        try store.delete("a/b/c")
        try store.delete("a/b/d")
        // The stock backend would take a/b/c/ for a part of a/b/c, and lose the way to a/b/c/e.
        #expect(try markers() == ["a/", "a/b/", "a/b/c/"])
        #expect(try store.list("a/b/") == ["c/"])
        try store.delete("a/b/c/e")
        #expect(try markers() == ["a/"])
        try store.delete("a/_hidden")
        #expect(try markers() == [])
    }

    /// Setting the migration marker adds its own item, clearing it takes that away, and nothing else changes: neither a
    /// directory's marker that is missing nor one that has something.
    @Test(arguments: ["", #", "Value":{"NULL":true}"#, #", "Value":{"B":"AQ=="},"owner":{"S":"me"}"#], [true, false])
    func theMigrationMarkerIsOneItem(_ marker: String, _ hasOthers: Bool) throws {
        for endpoint in [try PythonServer.moto.get().url, try PracticeService.shared.get().endpoint] {
            let table = DynamoDBHarness.freshTable()
            let made = try openTable(table, endpoint, .destination(DestinationContext()))
            try made.put("made", [1])
            let store = try #require(
                openTable(table, endpoint, .source(writesMarker: true)) as? DynamoDBBackend)
            if !marker.isEmpty { _ = try store.table.write([item(" ", "core/", marker)]) }
            if hasOthers { _ = try store.table.write([item("core", "keyring", #", "Value":{"B":"AQ=="}"#)]) }
            let before = try Self.items(of: store)
            try store.put(.migrationMarker, [1, 2, 3])
            #expect(try store.get(.migrationMarker) == [1, 2, 3])
            let between = try Self.items(of: store)
            #expect(between.subtracting(before).count == 1 && between.isSuperset(of: before), "\(between)")
            try store.delete(.migrationMarker)
            #expect(try Self.items(of: store) == before)
            try store.delete(.migrationMarker)
            #expect(try Self.items(of: store) == before)
        }
    }

    /// All items, a line each.
    private static func items(of store: DynamoDBBackend) throws -> Set<String> {
        func text(_ node: JSONNode) -> String {
            node.text ?? node.boolean.map { "\($0)" }
                ?? node.members.map { "\(escapedKey($0.name))=\(text($0.value))" }.sorted().joined(separator: ",")
        }
        return try store.table.transport.call("Scan", .read, store.table.request { _ in }) { reply in
            Set((reply["Items"]?.elements ?? .none).map { "{\(text($0))}" })
        }
    }

    /// One table is one store, however it is spelt and read.
    @Test func theIncarnationIsTheTablesOwn() throws {
        let store = try fresh()
        try store.put("a", [1])
        let name = store.settings.table
        let other = try open(name, .source(writesMarker: false), ["consistent_read": "false"])
        #expect(try other.incarnation() == store.incarnation() && !store.incarnation().isEmpty)
        #expect(other.traits.readsEventually && !store.traits.readsEventually)
    }

    @Test func aMistypedSourceIsNotCreated() throws {
        let table = DynamoDBHarness.freshTable()
        for _ in 0..<2 {
            let error = #expect(throws: StorageError.self) { try open(table, .source(writesMarker: true)) }
            #expect(error?.code == .missingStore)
            #expect(error?.message.contains("A source is never created") == true)
        }
        let destination = try open(table, .destination(DestinationContext()), ["create_table": "false"])
        #expect(try destination.destinationFindings().map(\.kind) == [.obstacle(.missingStore)])
        #expect(throws: StorageError.self) { try destination.put("a", [1]) }
        #expect(throws: StorageError.self) { try open(table, .source(writesMarker: true)) }
    }

    @Test(arguments: ["on-demand", "provisioned"])
    func tablesAreCreatedWithTheStockSchema(_ creation: String) throws {
        let table = DynamoDBHarness.freshTable()
        let store = try open(
            table, .destination(DestinationContext()),
            ["create_table": creation, "read_capacity": "11", "write_capacity": "12"])
        #expect(try store.destinationFindings().map(\.kind) == [.remark])
        try store.put("a", [1])
        let made = try #require(try store.table.describe())
        #expect(made.schema == TableDescription.vaultSchema && made.status == "ACTIVE")
        #expect(made.provisionedRead == (creation == "provisioned" ? 11 : nil))
        #expect(made.provisionedWrite == (creation == "provisioned" ? 12 : nil))
        #expect(try store.incarnation() != fresh().incarnation())
    }

    @Test func aTableThatWasMadeIsWrittenAtItsShare() throws {
        let store = try open(
            DynamoDBHarness.freshTable(), .destination(DestinationContext()),
            ["create_table": "provisioned", "write_capacity": "100", "max_write_share": "0.5"])
        try store.put("a", [1])
        #expect(store.table.transport.rate(.write) == 50)
    }

    @Test func anItemThatReadsAsADirectoryIsNamed() throws {
        let store = try fresh()
        try store.put("good", [1])
        _ = try store.table.write([item("/", ".", #", "Value":{"B":"AQ=="}"#)])
        let error = #expect(throws: StorageError.self) { try store.contents() }
        #expect(error?.code == .damagedEntry && error?.key == "/")
    }

    @Test func anotherTablesSchemaIsRefused() throws {
        let table = DynamoDBHarness.freshTable()
        let store = try open(table, .destination(DestinationContext()))
        var body = JSONWriter()
        let text =
            #"{"TableName":"\#(table)","KeySchema":[{"AttributeName":"Path","KeyType":"HASH"}],"#
            + #""AttributeDefinitions":[{"AttributeName":"Path","AttributeType":"S"}],"BillingMode":"PAY_PER_REQUEST"}"#
        Array(text.utf8).withUnsafeBytes { body.raw($0) }
        try store.table.transport.call("CreateTable", .none, body) { _ in }
        let again = try open(table, .destination(DestinationContext()))
        #expect(try again.destinationFindings().map(\.kind) == [.obstacle(.configuration)])
        let error = #expect(throws: StorageError.self) { try open(table, .source(writesMarker: false)) }
        #expect(error?.code == .configuration && error?.message.contains("Path:HASH:S") == true)
    }

    @Test func sizesUpToTheLimitAreKept() throws {
        let store = try fresh()
        let most = try #require(store.rules.largestEntry)
        // moto takes items up to 405,000 bytes only; the service's own limit is tried on the practice table.
        try store.put("almost", [UInt8](repeating: 7, count: 404_000))
        for key: StorageKey in ["x", "x/y"] {
            let error = #expect(throws: StorageError.self) {
                try store.put(key, [UInt8](repeating: 7, count: most - key.bytes.count + 1))
            }
            #expect(error?.code == .limit)
        }
        #expect(try store.get("almost")?.count == 404_000)
    }

    /// moto sorts the whole table anew for every page, so that it is asked for fewer segments.
    @Test(arguments: ["moto", "practice"])
    func fiftyThousandEntriesGoInAndOut(_ service: String) throws {
        let isMoto = service == "moto"
        let endpoint = isMoto ? try PythonServer.moto.get().url : try PracticeService.shared.get().endpoint
        let store = try openTable(DynamoDBHarness.freshTable(), endpoint, .destination(DestinationContext()))
        let entries = (0..<50_000).map { number in
            TestEntry(
                StorageKey("d\(number % 40)/e\(number % 7)/k\(number)"), [UInt8(number & 255), UInt8(number >> 8)])
        }
        try store.fill(entries.sorted { $0.key < $1.key })
        let wanted = entries.sorted { $0.key < $1.key }
        for count in isMoto ? [4] : [1, 2, 3, 5, 8, 13, 32] {
            var found: [TestEntry] = []
            for partition in StoragePartition.segments(count) {
                var request = ScanRequest()
                request.partition = partition
                try store.scan(request) { batch in
                    found += batch.testEntries
                    return true
                }
            }
            #expect(found.sorted { $0.key < $1.key } == wanted, "\(count) segments")
        }
    }
}
