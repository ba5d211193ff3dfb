import Digest
import Foundation
import Storage
import StorageTestKit
import TestSupport
import Testing

@testable import DynamoDBBackend

/// What is read out of exports and scans that are as they should be.
@Suite struct ExportTests {
    /// The forms in which one table can be handed over.
    enum Form: CaseIterable {
        case gzipFile, plainFile, scan, printedScan, packedScan, pagedScan
        case exportRoot, exportFolder, bucketFolder, dataFolder, dataAlone

        /// Writes the table and gives the path to name.
        func write(_ lines: [String], to root: String) throws -> String {
            let items = lines.map { $0.dropFirst(#"{"Item": "#.count).dropLast(2) }
            let list = items.joined(separator: ",")
            let end = #"],"Count":\#(items.count),"ScannedCount":\#(items.count),"ConsumedCapacity":null}"#
            let file = "\(root)/items"
            switch self {
            case .gzipFile: return RealTable.packed
            case .plainFile: try Scratch.write(lines.joined().utf8, to: file)
            case .scan: try Scratch.write("{\"Items\":[\(list)\(end)\n".utf8, to: file)
            case .packedScan: try Scratch.write(gzip(Array("{\"Items\":[\(list)\(end)\n".utf8)), to: file)
            case .printedScan:
                try Scratch.write("{\"Items\":[\(list)\(end)".utf8, to: "\(file).flat")
                let printed = try runProgram("/usr/bin/env", ["python3", "-m", "json.tool", "\(file).flat"])
                try Scratch.write(printed.utf8, to: file)
            case .pagedScan:
                var text = ""
                for start in stride(from: 0, to: items.count, by: 90) {
                    let page = items[start..<min(start + 90, items.count)]
                    let next = page.endIndex < items.count ? #","LastEvaluatedKey":{"Key":{"S":"k"}}"# : ""
                    text += #"{"Count":\#(page.count),"Items":[\#(page.joined(separator: ","))]\#(next)}"# + "\n"
                }
                try Scratch.write(text.utf8, to: file)
            case .exportRoot, .exportFolder, .bucketFolder, .dataFolder, .dataAlone:
                var files = [String](repeating: "", count: 7)
                for (index, line) in lines.enumerated() where index % 11 != 0 { files[index % 5] += line }
                files[6] = stride(from: 0, to: lines.count, by: 11).map { lines[$0] }.joined()
                let folder = try ExportBuilder(files).write(to: root)
                switch self {
                case .exportRoot: return root
                case .bucketFolder: return "\(root)/AWSDynamoDB"
                case .exportFolder: return folder
                case .dataFolder: return "\(folder)/data"
                default:
                    try FileManager.default.moveItem(atPath: "\(folder)/data", toPath: "\(root)/alone")
                    return "\(root)/alone"
                }
            }
            return file
        }
    }

    @Test(arguments: Form.allCases)
    func aRealVaultsTableIsReadWhole(form: Form) throws {
        try Scratch.withFolder { root in
            let store = try openExport(try form.write(try RealTable.lines(), to: root))
            defer { store.close() }
            let wanted = try RealTable.manifest().sorted()
            for count in [1, 3, 32] {
                var found: [String] = []
                let partitions = try store.partitions(count)
                #expect(partitions.count <= count)
                for partition in partitions {
                    var request = ScanRequest()
                    request.partition = partition
                    try store.scan(request) { batch in
                        for entry in batch.testEntries where entry.key != .activeNodeLock {
                            let digest = try? entry.value.withUnsafeBytes { try SHA256Digest.of($0).hexadecimal }
                            found.append("\(digest ?? "none")  \(entry.key)")
                        }
                        return true
                    }
                }
                let isEqual = found.sorted() == wanted
                #expect(isEqual)
            }
            var request = ScanRequest(content: .keys)
            request.includesDirectoryMarkers = true
            let keys = try store.contents(request)
            let markers = keys.filter { $0.key.bytes.last == UInt8(ascii: "/") }
            #expect(keys.count == 1_297 && markers.count == 466)
            #expect(try store.get("core/keyring")?.isEmpty == false)
            #expect(try store.get("core/migration") == nil && store.get("no/such") == nil)
            #expect(store.estimatedEntries() == 831)
        }
    }

    @Test func aScanGoesOnBehindEveryCursor() throws {
        try Scratch.withFolder { root in
            let files = [40, 40, 0, 40].map { count in (0..<count).map { itemLine("p", "k\($0)") }.joined() }
            let store = try openExport(try ExportBuilder(files).write(to: root))
            for partition in try store.partitions(2) {
                var request = ScanRequest()
                request.partition = partition
                request.pageEntries = 7
                var batches: [(cursor: ScanCursor?, entries: [TestEntry])] = []
                try store.scan(request) { batch in
                    batches.append((batch.cursor, batch.testEntries))
                    return true
                }
                #expect(batches.count >= 6 && batches.allSatisfy { $0.entries.count <= 7 })
                for (index, batch) in batches.enumerated() {
                    let cursor: ScanCursor = try #require(batch.cursor)
                    request.cursor = cursor
                    var rest: [TestEntry] = []
                    try store.scan(request) { batch in
                        rest += batch.testEntries
                        return true
                    }
                    #expect(rest == batches[(index + 1)...].flatMap(\.entries))
                }
                var taken = 0
                request.cursor = nil
                try store.scan(request) { _ in
                    taken += 1
                    return taken < 2
                }
                #expect(taken == 2)
            }
            for bytes in [[], [1], [UInt8](repeating: 255, count: 16), [UInt8](repeating: 0, count: 17)] {
                var request = ScanRequest()
                request.cursor = ScanCursor(bytes)
                #expect(throws: StorageError.self) { try store.contents(request) }
            }
        }
    }

    @Test func partitionsHoldEachFileOnce() throws {
        try Scratch.withFolder { root in
            let files = (0..<9).map { file in (0..<(file * file)).map { itemLine("p\(file)", "k\($0)") }.joined() }
            let store = try openExport(try ExportBuilder(files).write(to: root))
            for count in 1...12 {
                let partitions = try store.partitions(count)
                #expect(partitions.count == min(count, 9))
                #expect(partitions.flatMap { store.files(of: $0) }.sorted() == Array(0..<9))
            }
        }
    }

    @Test func kindsOfItemsAreToldApart() throws {
        try Scratch.withFolder { root in
            let lock = #","Identity":{"B":"bWU="},"Expires":{"N":"1767323050000000000"}}}"# + "\n"
            let text =
                itemLine("a/b", "c") + itemLine("a", "_k") + itemLine(" ", "root", "")
                + #"{"Item":{"Path":{"S":"a"},"Key":{"S":"b/"}}}"# + "\n"
                + #"{"Item":{"Path":{"S":"a"},"Key":{"S":"null"},"Value":{"NULL":true}}}"# + "\n"
                + #"{"Item":{"Path":{"S":"a"},"Key":{"S":"none"}}}"# + "\n"
                + itemLine("core", "_lock", "bm9kZQ==").dropLast(3) + lock
            let store = try openExport(try ExportBuilder([text]).write(to: root))
            let wanted = [
                TestEntry("a/b/c", [1, 2, 3]), TestEntry("a/_k", [1, 2, 3]), TestEntry("root", []),
                TestEntry("a/null", []), TestEntry("a/none", []),
            ]
            try requireContents(try store.contents(), wanted, "scan")
            for entry in wanted { #expect(try store.get(entry.key) == entry.value) }
            #expect(try store.list("") == ["root"])
            #expect(try store.list("a/") == ["b/", "none", "null"])
            #expect(try store.list("a/b/") == ["c"])
            // The lock was valid for five seconds at the time of the export.
            let finding = try #require(try store.sourceFindings().first)
            #expect(finding.kind == .remark)
            for words in ["node me", "2026-01-02T03:04:10Z", "a server was running then"] {
                #expect(finding.message.contains(words))
            }
            #expect(store.remarks.contains { $0.contains("vault-data") && $0.contains("2026-01-02T03:04:05") })
            // It is not changed: it has no role in which it could be.
            let anything: any StorageBackend = store
            #expect(!(anything is any KeyValueStore) && !(anything is any StorageDestination))
        }
    }

    @Test(arguments: [("2026-01-02T03:04:10Z", true), ("2026-01-02T03:04:11Z", false), ("", false), ("soon", false)])
    func aLockIsHeldAgainstTheTimeOfTheExport(time: String, isLive: Bool) throws {
        try Scratch.withFolder { root in
            var builder = ExportBuilder([
                #"{"Item":{"Path":{"S":"core"},"Key":{"S":"_lock"},"Value":{"B":"bWU="},"Expires":{"N":"1767323050000000000"}}}"#
            ])
            builder.summary["exportTime"] = "\"\(time)\""
            let store = try openExport(try builder.write(to: root))
            #expect(try store.sourceFindings().first?.message.contains("was running") == isLive)
            #expect(try store.contents() == [])
        }
    }

    @Test func unreadableValuesAreNamedAndCanBePassedOver() throws {
        try Scratch.withFolder { root in
            let bad = #"{"Item":{"Path":{"S":"a"},"Key":{"S":"bad"},"Value":{"S":"text"}}}"# + "\n"
            try Scratch.write((itemLine("a", "x") + bad + itemLine("a", "y", "A")).utf8, to: "\(root)/items.json")
            let store = try openExport("\(root)/items.json")
            let error = #expect(throws: StorageError.self) { try store.contents() }
            #expect(error?.code == .damagedEntry && error?.key == "a/bad")
            #expect(error?.message.contains("\(root)/items.json:2: ") == true)
            var request = ScanRequest()
            request.passesOver = { $0.message.contains(":2: ") || $0.message.contains(":3: ") }
            #expect(try store.contents(request).map(\.key) == ["a/x"])
        }
    }

    @Test func cancellingEndsAScan() throws {
        try Scratch.withFolder { root in
            try Scratch.write(try RealTable.lines().joined().utf8, to: "\(root)/items")
            let store = try openExport("\(root)/items")
            var request = ScanRequest()
            request.isCancelled = { true }
            #expect(throws: StorageError.cancelled) { try store.contents(request) }
            store.close()
            #expect(throws: StorageError.self) { try store.contents() }
        }
    }
}
