import Digest
import Foundation
import Storage
import TestSupport
import Zlib

@testable import DynamoDBBackend

/// Writes exports as the service lays them out, right or wrong.
struct ExportBuilder {
    /// Texts of the data files, lines of `{"Item":…}`.
    var files: [String]
    var summary: [String: String] = [
        "version": "\"2020-06-30\"", "exportType": "\"FULL_EXPORT\"", "outputFormat": "\"DYNAMODB_JSON\"",
        "exportArn": "\"arn:aws:dynamodb:eu-central-1:123456789012:table/vault-data/export/01612345678901-abcd1234\"",
        "tableArn": "\"arn:aws:dynamodb:eu-central-1:123456789012:table/vault-data\"",
        "exportTime": "\"2026-01-02T03:04:05.678Z\"", "s3SseAlgorithm": "\"AES256\"", "s3SseKmsKeyId": "null",
        "billedSizeBytes": "0", "s3Prefix": "null",
    ]
    /// Changes the line of a file in the manifest.
    var describe: (_ line: String, _ file: Int) -> String? = { line, _ in line }
    var packs = true

    static let folder = "AWSDynamoDB/01612345678901-abcd1234"

    init(_ files: [String]) {
        self.files = files
    }

    static func name(_ index: Int) -> String { "f\(index)abcdefghijklmnopqrstuvw.json.gz" }

    /// Writes the export into a folder.
    ///
    /// - Returns: The export's own folder.
    @discardableResult
    func write(to root: String) throws -> String {
        let folder = "\(root)/\(Self.folder)"
        try FileManager.default.createDirectory(atPath: "\(folder)/data", withIntermediateDirectories: true)
        var lines: [String] = []
        var total = 0
        for (index, text) in files.enumerated() {
            let items = text.split(separator: "\n").filter { $0.contains("\"Item\"") }.count
            total += items
            let bytes = packs ? try gzip(Array(text.utf8)) : Array(text.utf8)
            try Scratch.write(bytes, to: "\(folder)/data/\(Self.name(index))")
            let line =
                "{\"itemCount\":\(items),\"md5Checksum\":\"\(try md5(bytes).base64)\","
                + "\"etag\":\"\(try md5(bytes).hexadecimal)-1\",\"dataFileS3Key\":\"\(Self.folder)/data/\(Self.name(index))\"}"
            if let line = describe(line, index) { lines.append(line) }
        }
        let values = summary.merging(["itemCount": "\(total)"]) { old, _ in old }
        let members = values.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }
        try Self.write("{\n  \(members.joined(separator: ",\n  "))\n}", as: "manifest-summary", in: folder)
        try Self.write(lines.map { "\($0)\n" }.joined(), as: "manifest-files", in: folder)
        try Scratch.write([], to: "\(folder)/_started")
        return folder
    }

    private static func write(_ text: String, as name: String, in folder: String) throws {
        try Scratch.write(text.utf8, to: "\(folder)/\(name).json")
        try Scratch.write(try md5(Array(text.utf8)).base64.utf8, to: "\(folder)/\(name).md5")
    }
}

func md5(_ bytes: [UInt8]) throws -> MD5Digest {
    let hasher = try MD5Hasher()
    try bytes.withUnsafeBytes { try hasher.update($0) }
    return try hasher.finish()
}

/// A gzip member of stored blocks (RFC 1951 section 3.2.4, RFC 1952).
func gzip(_ bytes: [UInt8]) throws -> [UInt8] {
    var packed: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]
    func append(_ number: UInt32, _ count: Int) {
        for index in 0..<count { packed.append(UInt8(truncatingIfNeeded: number >> UInt32(8 * index))) }
    }
    var start = 0
    repeat {
        let end = min(start + 65_535, bytes.count)
        packed.append(end == bytes.count ? 1 : 0)
        append(UInt32(end - start), 2)
        append(~UInt32(end - start), 2)
        packed += bytes[start..<end]
        start = end
    } while start < bytes.count
    append(bytes.withUnsafeBytes { crc32($0) }, 4)
    append(UInt32(bytes.count), 4)
    return packed
}

/// Opens an export.
func openExport(_ path: String) throws -> DynamoDBExport {
    let settings = BackendSettings(
        block: "storage_source", settings: [BackendSetting(name: "path", value: path)])
    let opened = try DynamoDBExport.driver().openSource(settings, SourceContext(writesMarker: false))
    guard let store = opened as? DynamoDBExport else {
        throw StorageError(.io, "another store was opened")
    }
    return store
}

/// The line of an entry's item.
func itemLine(_ path: String, _ name: String, _ value: String = "AQID") -> String {
    #"{"Item":{"Path":{"S":"\#(path)"},"Key":{"S":"\#(name)"},"Value":{"B":"\#(value)"}}}"# + "\n"
}

/// The table of a real Vault.
enum RealTable {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures/dynamodb-vault").path
    static let packed = "\(folder)/items.jsonl.gz"

    /// One item a line.
    static func lines() throws -> [String] {
        try runProgram("/usr/bin/env", ["gzip", "-dc", packed]).split(separator: "\n").map { "\($0)\n" }
    }

    /// `<digest>  <key>` of each entry, as the server's.
    static func manifest() throws -> [String] {
        String(decoding: try Scratch.bytes("\(folder)/manifest.txt"), as: UTF8.self)
            .split(separator: "\n").filter { !$0.hasPrefix("#") }.map(String.init)
    }
}
