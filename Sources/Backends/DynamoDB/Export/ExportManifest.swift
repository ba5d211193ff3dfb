import AWS
import Digest
import DynamoDBFormat
import Glibc
import JSON
import Storage
import Wording

/// What an export to S3 says of itself.
///
/// | File | Holds |
/// | --- | --- |
/// | `manifest-summary.json` | table, times, form of the data, number of items |
/// | `manifest-files.json` | a line for each data file: name, items, base64 MD5 of the file as it is stored, ETag |
/// | `manifest-summary.md5`, `manifest-files.md5` | base64 MD5 of each; the documentation calls them `.checksum` |
///
/// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html)
struct ExportManifest: Sendable {
    static let summaryName = "manifest-summary.json"
    static let filesName = "manifest-files.json"
    private static let maximumBytes = 256 << 20
    private static let maximumFiles = 1_000_000

    static let ionAdvice =
        "this export is in Amazon Ion, which is not read. Export again in DynamoDB JSON (--export-format DYNAMODB_JSON)."
    static let incrementalAdvice = ItemDocument.incrementalAdvice

    /// What is said of one data file.
    struct DataFile: Sendable, Equatable {
        /// The file's own name, without the bucket's folders.
        let name: String
        let itemCount: Int
        /// 16 bytes; `nil` if nothing that is said is an MD5 of the file.
        let md5: [UInt8]?
    }

    /// The table's name.
    let table: String
    /// The point in time whose items are in the export, as written; empty if it is not said.
    let exportTime: String
    let itemCount: Int
    /// Bytes of the table at that time; 0 if they are not said.
    let tableBytes: Int
    let identity: String
    let files: [DataFile]
    /// Manifests whose checksum file is missing.
    let unchecked: [String]

    /// Seconds since 1970 of the point in time.
    var exportSecond: Int? { Timestamp(extended: exportTime)?.seconds }

    /// Reads the manifests in an export's own folder.
    ///
    /// - Throws: `.damagedStore` if they contradict themselves or each other, `.unsupported` for an export of changes or
    ///   in another form.
    init(folder: String) throws(StorageError) {
        let parser: JSONParser
        do throws(JSONError) { parser = try JSONParser() } catch { throw StorageError(.io, "simdjson: \(error)") }
        var unchecked: [String] = []
        let summaryPath = "\(folder)/\(Self.summaryName)"
        let text = try Self.checked(folder, Self.summaryName, &unchecked)
        let summary = try Self.object(text[...], parser, summaryPath)
        try Self.refuseOtherForms(summary, summaryPath)
        guard let itemCount = summary["itemCount"]?.integer, itemCount >= 0 else {
            throw Self.damage(summaryPath, "it has no itemCount")
        }
        self.itemCount = itemCount
        exportTime = summary["exportTime"]?.text ?? ""
        tableBytes = max(summary["billedSizeBytes"]?.integer ?? 0, 0)
        let resource = summary["tableArn"]?.text ?? ""
        table = resource.split(separator: "/").last.map(String.init) ?? ""
        identity = summary["exportArn"]?.text ?? ""
        // The ETag of an object that is encrypted with a key of KMS is no MD5
        // (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html).
        let hasPlainETags = summary["s3SseAlgorithm"]?.text.map { $0 == "AES256" } ?? false
        files = try Self.files(folder, parser, &unchecked, hasPlainETags: hasPlainETags)
        self.unchecked = unchecked
        let sum = files.reduce(0) { $0 + $1.itemCount }
        guard sum == itemCount else {
            throw Self.damage(
                "\(folder)/\(Self.filesName)",
                "its files have \(sum) \(plural(sum, "item")), \(Self.summaryName) says \(itemCount)")
        }
    }

    private static func damage(_ path: String, _ what: String) -> StorageError {
        StorageError(.damagedStore, "\(path): \(what). Download the export again.")
    }

    private static func refuseOtherForms(_ summary: JSONNode, _ path: String) throws(StorageError) {
        if let type = summary["exportType"]?.text, type != "FULL_EXPORT" {
            throw StorageError(.unsupported, "\(path): \(incrementalAdvice)")
        }
        switch summary["outputFormat"]?.text {
        case "DYNAMODB_JSON"?: break
        case "ION"?: throw StorageError(.unsupported, "\(path): \(ionAdvice)")
        case let other:
            throw damage(path, "the outputFormat is \(other.map { "\(StorageKey($0))" } ?? "not said")")
        }
    }

    private static func object(
        _ text: ArraySlice<UInt8>, _ parser: JSONParser, _ place: String
    ) throws(StorageError) -> JSONNode {
        let outcome = text.withUnsafeBytes { text in
            Result { () throws(JSONError) in try parser.parse(text) }
        }
        switch outcome {
        case .success(let node):
            guard node.kind == .object else { throw damage(place, "this is no JSON object") }
            return node
        case .failure(let error): throw damage(place, "this is not JSON (\(error))")
        }
    }

    private static func files(
        _ folder: String, _ parser: JSONParser, _ unchecked: inout [String], hasPlainETags: Bool
    ) throws(StorageError) -> [DataFile] {
        let path = "\(folder)/\(filesName)"
        let text = try checked(folder, filesName, &unchecked)
        var files: [DataFile] = []
        var names = Set<String>()
        var number = 0
        for line in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            guard line.contains(where: { $0 > 0x20 }) else { continue }
            let place = "\(path):\(number)"
            let file = try dataFile(try object(line, parser, place), place, hasPlainETags: hasPlainETags)
            guard names.insert(file.name).inserted else {
                throw damage(place, "\(StorageKey(file.name)) is named twice")
            }
            guard files.count < maximumFiles else { throw damage(place, "more than \(maximumFiles) files are named") }
            files.append(file)
        }
        return files
    }

    private static func dataFile(
        _ node: JSONNode, _ place: String, hasPlainETags: Bool
    ) throws(StorageError) -> DataFile {
        guard let key = node["dataFileS3Key"]?.text, let name = key.split(separator: "/").last.map(String.init),
            name != ".", name != "..", !name.utf8.contains(0)
        else { throw damage(place, "it names no data file") }
        guard let count = node["itemCount"]?.integer, count >= 0, count < 1 << 40 else {
            throw damage(place, "it has no itemCount")
        }
        let stated = node["md5Checksum"]?.text ?? ""
        let md5 = digest(stated)
        guard stated.isEmpty || md5 != nil else { throw damage(place, "its md5Checksum is none") }
        let etag = node["etag"]?.text.map { $0.filter { $0 != "\"" } } ?? ""
        return DataFile(name: name, itemCount: count, md5: md5 ?? (hasPlainETags ? digest(etag) : nil))
    }

    /// The 16 bytes of an MD5 in base64 or hexadecimal; `nil` for anything else, such as the ETag of an object that was
    /// uploaded in parts.
    static func digest(_ text: String) -> [UInt8]? {
        let text = Array(text.utf8)
        if text.count == 32 {
            let digits = text.compactMap { hexDigitValue($0) }
            guard digits.count == 32 else { return nil }
            return (0..<16).map { digits[2 * $0] << 4 | digits[2 * $0 + 1] }
        }
        guard text.count == 24 else { return nil }
        var used: Int?
        let bytes = [UInt8](unsafeUninitializedCapacity: Base64.maximumDecodedCount(text.count)) { room, count in
            used = text.withUnsafeBytes { Base64.decode($0, into: UnsafeMutableRawBufferPointer(room)) }
            count = used ?? 0
        }
        return used == 16 ? bytes : nil
    }

    /// Reads a manifest and compares it with its checksum file, if that is there.
    private static func checked(
        _ folder: String, _ name: String, _ unchecked: inout [String]
    ) throws(StorageError) -> [UInt8] {
        let path = "\(folder)/\(name)"
        guard let bytes = try content(path) else {
            throw damage(path, "the manifest is missing: the export is not complete, or was not downloaded whole")
        }
        let base = "\(folder)/\(name.dropLast(".json".count))"
        var checksum = try content("\(base).md5")
        if checksum == nil { checksum = try content("\(base).checksum") }
        guard let stated = checksum else {
            unchecked.append(name)
            return bytes
        }
        let text = String(decoding: stated.filter { $0 > 0x20 }.prefix(64), as: UTF8.self)
        let found: MD5Digest
        do throws(DigestError) {
            let hasher = try MD5Hasher()
            try bytes.withBytes { bytes throws(DigestError) in try hasher.update(bytes) }
            found = try hasher.finish()
        } catch {
            throw StorageError(.io, "\(path): \(error)")
        }
        guard digest(text) == found.bytes else {
            throw damage(path, "its MD5 is \(found.base64), its checksum file says \(StorageKey(text))")
        }
        return bytes
    }

    /// A small file's bytes; `nil` if there is none.
    private static func content(_ path: String) throws(StorageError) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw StorageError.system("open", path, errno: errno)
        }
        defer { Glibc.close(descriptor) }
        var info = stat()
        guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG, info.st_size <= maximumBytes else {
            throw damage(path, "this is no manifest")
        }
        var bytes = [UInt8](repeating: 0, count: Int(info.st_size))
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeMutableBytes { bytes in
                Glibc.read(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw count < 0 ? StorageError.system("read", path, errno: errno) : damage(path, "it is being changed")
            }
            done += count
        }
        return bytes
    }
}
