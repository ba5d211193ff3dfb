import Foundation
import Storage
import StorageTestKit
import TestSupport
import Testing

@testable import DynamoDBBackend

/// Exports and scans that are not whole, not what they say, or something else.
@Suite struct ExportDamageTests {
    private static let item = #"{"Path":{"S":"a"},"Key":{"S":"k"},"Value":{"B":"AQID"}}"#
    private static let files = [
        itemLine("a", "1") + itemLine("a", "2"), "", itemLine("b", "1"), itemLine("c", "1"),
    ]

    /// Texts, the line that is named, and words of the error.
    private static let texts: [(text: String, line: Int?, words: String)] = [
        ("{\"Item\":\(item)}\n{\"Item\":{\"Path\":{\"S\":\"a\"}}}\n", 2, "Path and Key"),
        ("{\"Item\":\(item)}\n\n\n{\"Item\":\(item)", 4, "middle of an object"),
        ("{\"Item\":\(item)}\n{\"Item\":{\"Path\" 1}}\n", 2, "not JSON"),
        ("{\"Item\":\(item)}\n,{\"Item\":\(item)}\n", 2, "\",\""),
        ("{\"Item\":\(item),}\n", 1, "\"}\""), ("{\"Item\":[]}", 1, "not an object"),
        ("{\"Item\":7}", 1, "not an object"),
        ("{\"Item\":\(item)}\n{}\n", 2, "neither"), ("{\"Item\":\(item),\"Item\":\(item)}", 1, "more than one"),
        ("{\"Other\":{}}", 1, "Other"), ("{\"Item\":\(item),\"Count\":1}", 1, "more than one"),
        ("{\"Nothing\":{\"S\":\"x\"}}\n", 1, "no export and no scan"),
        ("{\"Path\":{\"S\":\"x\"}}\n", 1, "no export and no scan"),
        ("\(item)\n{\"Item\":\(item)}", 2, "mixed"),
        ("\n{\"Key\":{\"S\":\"k\"},\"Path\":{\"S\":\"a\"}}", 2, "no Value"),
        (
            #"{"Item":{"Path":{"S":"a"},"Key":{"S":"k"},"Value":{"B":"AQID"},"Value":{"B":"AQIE"}}}"#, 1,
            "the attribute Value twice"
        ),
        ("{\"Metadata\":{},\"Keys\":{},\"NewImage\":{}}\n", 1, "incremental"),
        ("{\"OldImage\":{}}\n", 1, "incremental"),
        ("{\"Count\":3,\"ScannedCount\":3}", 1, "--select COUNT"),
        ("{\"Items\":[\(item)],\"Count\":2}", 1, "Count 2 and has 1"),
        ("{\"Items\":[\(item)]}", 1, "Count nothing"), ("{\"Items\":{},\"Count\":0}", 1, "not a list"),
        ("{\"Items\":[\(item)],\"Count\":1,\"ScannedCount\":4}", 1, "filter"),
        (
            "{\"Items\":[\(item)],\"Count\":1}\n{\"Items\":[\(item)],\"Count\":1,\"LastEvaluatedKey\":{}}", 2,
            "not complete"
        ),
        ("{\"Items\":[],\"Count\":0,\"NextToken\":\"e\"}", 1, "not complete"),
        ("{\"Items\":[\(item)],\"Count\":1}\n{\"Item\":\(item)}", 2, "mixed"),
        ("{\"Items\":[\n {\"Path\":{\"S\":\"a\"},\n\"Key\":{\"S\":\"k\"}}],\"Count\":1}", 2, "no Value"),
        ("{\"Items\":[\(item),],\"Count\":1}", 1, "\"]\""), ("{\"Items\":[\(item) \(item)],\"Count\":2}", 1, "\"{\""),
        ("{\"Items\":[\n\n\(item)\n,7],\"Count\":2}", 4, "not an object"),
        ("[{\"Item\":\(item)}]", nil, "neither gzip nor DynamoDB JSON"), ("Items:\n- Key", nil, "neither gzip"),
        ("$ion_1_0 {Item:{}}", nil, "Ion"),
        ("{\"Item\":{\"Path\":{\"S\":\"\u{1}\"},\"Key\":{\"S\":\"k\"}}}", 1, "not JSON"),
        ("{\"\(String(repeating: "n", count: 300))\":1}", 1, "a name of such length"),
    ]

    @Test(arguments: texts.indices)
    func whatIsWrongIsNamedWithItsLine(index: Int) throws {
        let (text, line, words) = Self.texts[index]
        try Scratch.withFolder { root in
            for isPacked in [false, true] {
                let path = "\(root)/items.json"
                try Scratch.write(isPacked ? gzip(Array(text.utf8)) : Array(text.utf8), to: path)
                if isPacked, line == nil { continue }
                let error = #expect(throws: StorageError.self) { try openExport(path).contents() }
                #expect(error?.message.contains(words) == true, "\(String(describing: error))")
                let place = line.map { "\(path):\($0): " } ?? path
                #expect(error?.message.hasPrefix(place) == true, "\(String(describing: error))")
                // The look before a migration finds it as well.
                #expect(throws: StorageError.self) { try openExport(path).get("core/migration") }
            }
        }
    }

    /// Changes to a whole export, and words of the error.
    private static let changes: [(words: String, change: @Sendable (_ folder: String) throws -> Void)] = [
        ("names data files that are not there: f0", { try remove("\($0)/data/\(ExportBuilder.name(0))") }),
        ("does not name: other.json.gz", { try Scratch.write([], to: "\($0)/data/other.json.gz") }),
        ("does not name: notes.txt", { try Scratch.write([], to: "\($0)/data/notes.txt") }),
        ("manifest-files.json: the manifest is missing", { try remove("\($0)/manifest-files.json") }),
        ("has no manifest-summary.json", { try remove("\($0)/manifest-summary.json") }),
        ("its checksum file says", { try Scratch.write("x".utf8, to: "\($0)/manifest-summary.md5") }),
        ("its checksum file says", { try Scratch.write([], to: "\($0)/manifest-files.md5") }),
        ("the file's MD5 is", { try Scratch.write(gzip([]), to: "\($0)/data/\(ExportBuilder.name(2))") }),
        (
            "the file's MD5 is",
            { try Scratch.write(itemLine("b", "1").utf8, to: "\($0)/data/\(ExportBuilder.name(2))") }
        ),
        ("is not gzip", { try Scratch.write([0, 1, 2, 3], to: "\($0)/data/\(ExportBuilder.name(3))") }),
        ("the gzip data is cut short", { try cut("\($0)/data/\(ExportBuilder.name(0))") }),
    ]

    private static func remove(_ path: String) throws { try FileManager.default.removeItem(atPath: path) }

    private static func cut(_ path: String) throws {
        try Scratch.write(try Scratch.bytes(path).dropLast(9), to: path)
    }

    @Test(arguments: changes.indices)
    func anExportThatIsNotWholeIsRefused(index: Int) throws {
        try Scratch.withFolder { root in
            let folder = try ExportBuilder(Self.files).write(to: root)
            #expect(try openExport(folder).contents().count == 4)
            try Self.changes[index].change(folder)
            let error = #expect(throws: StorageError.self) { try openExport(folder).contents() }
            #expect(error?.message.contains(Self.changes[index].words) == true, "\(String(describing: error))")
            #expect(error?.message.contains(root) == true)
        }
    }

    /// Changes to what the manifests say, and words of the error.
    @Test(arguments: [
        ("summary", "itemCount", "9", "manifest-summary.json says 9"),
        ("summary", "itemCount", "\"4\"", "no itemCount"),
        ("summary", "outputFormat", "\"ION\"", "Ion"), ("summary", "outputFormat", "\"CSV\"", "outputFormat is CSV"),
        ("summary", "exportType", "\"INCREMENTAL_EXPORT\"", "incremental"),
        ("files", "\"itemCount\":2", "\"itemCount\":3", "says 4"),
        ("files", "\"itemCount\":2", "\"itemCount\":-2", "no itemCount"),
        ("files", "\"itemCount\":1,", "\"itemCount\":2,", "says 4"),
        ("files", "\"md5Checksum\":\"", "\"md5Checksum\":\"AAAA", "its md5Checksum is none"),
        ("files", "f0abc", "f2abc", "named twice"), ("files", "dataFileS3Key", "key", "names no data file"),
        ("files", "data/f0abcdefghijklmnopqrstuvw.json.gz", "..", "names no data file"),
        ("files", "{", "", "not JSON"),
    ])
    func manifestsThatContradictAreRefused(place: String, from: String, to: String, words: String) throws {
        try Scratch.withFolder { root in
            var builder = ExportBuilder(Self.files)
            if place == "summary" {
                builder.summary[from] = to
            } else {
                builder.describe = { line, _ in line.replacing(from, with: to) }
            }
            try builder.write(to: root)
            let error = #expect(throws: StorageError.self) { try openExport(root) }
            #expect(error?.message.contains(words) == true, "\(String(describing: error))")
            #expect(error?.message.contains("\(root)/AWSDynamoDB") == true)
        }
    }

    @Test func countsAndChecksumsOfEachFileAreCompared() throws {
        try Scratch.withFolder { root in
            var builder = ExportBuilder(Self.files)
            // The sum is right, the parts are not; two files are named at once.
            builder.describe = { line, file in
                switch file {
                case 0: line.replacing("\"itemCount\":2", with: "\"itemCount\":1")
                case 2: line.replacing("\"itemCount\":1", with: "\"itemCount\":2")
                default: line
                }
            }
            try builder.write(to: root)
            let error = #expect(throws: StorageError.self) { try openExport(root).get("core/keyring") }
            let lines = error?.message.split(separator: "\n") ?? []
            #expect(lines.count == 2 && lines[0].contains("f0abc") && lines[1].contains("f2abc"))
            #expect(lines.first?.contains("has 2 items, the manifest says 1") == true)
            #expect(throws: StorageError.self) { try openExport(root).contents() }
        }
    }

    /// An ETag counts where it can be an MD5 and nothing better is said.
    @Test(arguments: [("AES256", true), ("KMS", false)])
    func anETagStandsInForAChecksum(algorithm: String, isCompared: Bool) throws {
        try Scratch.withFolder { root in
            var builder = ExportBuilder([itemLine("a", "1")])
            builder.summary["s3SseAlgorithm"] = "\"\(algorithm)\""
            builder.describe = { line, _ in
                line.replacing(#/"md5Checksum":"[^"]*",/#, with: "")
                    .replacing(#/"etag":"[^"]*"/#, with: #""etag":"\"00112233445566778899aabbccddeeff\"""#)
            }
            try builder.write(to: root)
            let outcome = Result { try openExport(root).contents().count }
            #expect((try? outcome.get()) == (isCompared ? nil : 1))
        }
    }

    @Test func manifestsWithoutChecksumFilesAreReadAndRemarkedOn() throws {
        try Scratch.withFolder { root in
            let folder = try ExportBuilder(Self.files).write(to: root)
            try Self.remove("\(folder)/manifest-files.md5")
            let text = try Scratch.bytes("\(folder)/manifest-summary.md5")
            try Self.remove("\(folder)/manifest-summary.md5")
            try Scratch.write(text, to: "\(folder)/manifest-summary.checksum")
            let store = try openExport(folder)
            #expect(try store.contents().count == 4)
            #expect(store.remarks.filter { $0.contains("no checksum file") }.count == 1)
        }
    }

    @Test func whatIsNoExportIsRefused() throws {
        try Scratch.withFolder { root in
            let missing = #expect(throws: StorageError.self) { try openExport("\(root)/none") }
            #expect(missing?.code == .missingStore && missing?.message.contains("aws s3 cp") == true)
            let empty = #expect(throws: StorageError.self) { try openExport(root) }
            #expect(empty?.code == .configuration && empty?.message.contains("holds no export") == true)
            let folder = try ExportBuilder(Self.files).write(to: root)
            let manifest = #expect(throws: StorageError.self) { try openExport("\(folder)/manifest-summary.json") }
            #expect(manifest?.message.contains("Name the folder") == true)
            try FileManager.default.copyItem(atPath: folder, toPath: "\(root)/AWSDynamoDB/02")
            let several = #expect(throws: StorageError.self) { try openExport(root) }
            #expect(several?.message.contains("holds 2 exports") == true)
            #expect(try openExport("\(root)/AWSDynamoDB/02").contents().count == 4)
            try Scratch.write([], to: "\(root)/AWSDynamoDB/02/data/x.ion.gz")
            try FileManager.default.moveItem(atPath: "\(root)/AWSDynamoDB/02/data", toPath: "\(root)/alone")
            let ion = #expect(throws: StorageError.self) { try openExport("\(root)/alone") }
            #expect(ion?.code == .unsupported && ion?.message.contains("Ion") == true)
            #expect(DynamoDBExport.driver().openDestination == nil)
        }
    }

    /// Every length of a packed file, and every byte of it changed.
    @Test func damagedGzipIsNeverTakenForWhole() throws {
        try Scratch.withFolder { root in
            let text = itemLine("a", "1") + itemLine("a", "2", "AAECAwQFBgcICQ==")
            try Scratch.write(text.utf8, to: "\(root)/plain")
            try runProgram("/usr/bin/env", ["gzip", "-nk", "\(root)/plain"])
            let whole = try Scratch.bytes("\(root)/plain.gz")
            let wanted = try openExport("\(root)/plain.gz").contents()
            #expect(wanted.count == 2)
            let path = "\(root)/damaged.json.gz"
            for length in 1..<whole.count {
                try Scratch.write(whole[..<length], to: path)
                let error = #expect(throws: StorageError.self) { try openExport(path).contents() }
                #expect(error?.code == .damagedStore, "\(length) bytes")
            }
            var random = SeededRandom(fuzz: 1)
            for place in whole.indices {
                var bytes = whole
                bytes[place] ^= UInt8(1 + random.below(255))
                try Scratch.write(bytes, to: path)
                // Flags, time and system in the head mean nothing to the content.
                if let found = try? openExport(path).contents() { #expect(found == wanted && place < 10) }
            }
            try Scratch.write(whole + whole, to: path)
            #expect(try openExport(path).contents().count == 4)
            try Scratch.write(whole + [1, 2, 3], to: path)
            #expect(throws: StorageError.self) { try openExport(path).contents() }
        }
    }

    @Test func aCutOffScanIsNeverTakenForWhole() throws {
        try Scratch.withFolder { root in
            let text = Array(
                ("{\"Items\": [\n\(Self.item),\n\(Self.item)],\n\"Count\": 2, \"ScannedCount\": 2, "
                    + "\"ConsumedCapacity\": null}").utf8)
            let path = "\(root)/scan.json"
            for length in 1..<text.count {
                try Scratch.write(text[..<length], to: path)
                let error = #expect(throws: StorageError.self) { try openExport(path).contents() }
                #expect(error?.code == .damagedStore, "\(length) bytes")
            }
            var random = SeededRandom(fuzz: 2)
            for _ in 0..<Effort.rounds(600) {
                try Scratch.write(random.mutated(text), to: path)
                do {
                    #expect(try openExport(path).contents().count <= 3)
                } catch let error as StorageError {
                    #expect(error.message.hasPrefix(path))
                }
            }
        }
    }

    @Test func linesHaveABound() throws {
        try Scratch.withFolder { root in
            let path = "\(root)/items.json"
            for (bytes, isRead) in [(409_600, true), (3_000_000, true), (4 << 20, false)] {
                let value = String(repeating: "AAAA", count: bytes / 4)
                try Scratch.write((itemLine("a", "0") + itemLine("a", "1", value)).utf8, to: path)
                let found = try? openExport(path).contents()
                #expect(found?.last?.value.count == (isRead ? bytes / 4 * 3 : nil))
                if !isRead {
                    let error = #expect(throws: StorageError.self) { try openExport(path).contents() }
                    #expect(error?.message.contains("\(path):2: an item of more than 4 MiB") == true)
                }
            }
        }
    }
}
