import Digest
import Files
import Glibc
import JSON
import Storage
import Zlib

/// Writes the items of an export into the folder that stands for a bucket, in the service's layout:
/// `AWSDynamoDB/<export>/data/<name>.json.gz`, and beside `data` the manifests with their checksums
/// (Developer Guide, "DynamoDB table export output format").
final class ExportWriter {
    /// Bytes of JSON in one data file.
    private static let fileBytes = 32 << 20
    private static let pieceBytes = 1 << 20
    private static let nameCharacters = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)

    private let folder: String
    /// The folder's name in the bucket.
    private let place: String
    private var export: BackupService.Export
    private var file: DataFile?
    private var written: [Finished] = []
    private var text: [UInt8] = []

    private struct Finished {
        let name: String
        let items: Int
        let md5: MD5Digest
    }

    /// Makes the export's folder.
    ///
    /// - Parameters:
    ///   - folder: The one that holds the buckets.
    ///   - mark: The last part of the export's name.
    init(folder: String, export: BackupService.Export, mark: String) throws(ServiceError) {
        self.export = export
        place = (export.prefix.isEmpty ? "" : "\(export.prefix)/") + "AWSDynamoDB/\(mark)"
        self.folder = "\(folder)/\(export.bucket)/\(place)"
        let parts = "\(export.bucket)/\(place)/data".split(separator: "/")
        do throws(StorageError) {
            var path = folder
            for part in parts {
                path += "/\(part)"
                guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
                    throw StorageError.system("make", path, errno: errno)
                }
            }
            // An empty object that the service writes first, to see whether it may.
            try Self.write([], to: "\(self.folder)/_started")
        } catch {
            throw .database(error)
        }
    }

    /// Adds an item, given as it lies in the table.
    func add(_ item: UnsafeRawBufferPointer) throws(ServiceError) {
        text.append(contentsOf: Array("{\"Item\":{".utf8))
        StoredItem.appendJSON(of: item) { text.append(contentsOf: $0) }
        text.append(contentsOf: Array("}}\n".utf8))
        export.items += 1
        export.bytes += StoredItem.size(of: item)
        do throws(StorageError) {
            let file = try openFile()
            file.items += 1
            if text.count >= Self.pieceBytes { try flush(file) }
            if file.bytes >= Self.fileBytes { try close(file) }
        } catch {
            throw .database(error)
        }
    }

    private func openFile() throws(StorageError) -> DataFile {
        if let file { return file }
        let name = String(
            decoding: (0..<26).map { _ in Self.nameCharacters[Int.random(in: 0..<32)] } + Array(".json.gz".utf8),
            as: UTF8.self)
        let made = try DataFile("\(folder)/data/\(name)", name)
        file = made
        return made
    }

    private func flush(_ file: DataFile) throws(StorageError) {
        try file.write(text)
        text.removeAll(keepingCapacity: true)
    }

    private func close(_ file: DataFile) throws(StorageError) {
        try flush(file)
        written.append(Finished(name: file.name, items: file.items, md5: try file.finish()))
        self.file = nil
    }

    /// Ends the export: the manifests come last.
    func finish() throws(ServiceError) -> BackupService.Export {
        do throws(StorageError) {
            // A table without items has a data file as well.
            if file != nil || written.isEmpty { try close(openFile()) }
            export.end = wallMilliseconds()
            try writeManifest("manifest-files", files())
            try writeManifest("manifest-summary", summary())
        } catch {
            throw .database(error)
        }
        export.manifest = "\(place)/manifest-summary.json"
        return export
    }

    private func files() -> [UInt8] {
        var lines: [UInt8] = []
        for file in written {
            var json = JSONWriter()
            json.beginObject()
            json.name("itemCount")
            json.integer(file.items)
            json.name("md5Checksum")
            json.string(file.md5.base64)
            json.name("etag")
            json.string(file.md5.hexadecimal)
            json.name("dataFileS3Key")
            json.string("\(place)/data/\(file.name)")
            json.endObject()
            lines += json.bytes + [UInt8(ascii: "\n")]
        }
        return lines
    }

    private func summary() -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.name("version")
        json.string("2020-06-30")
        json.name("exportArn")
        json.string(export.resourceName)
        json.name("startTime")
        json.string(Self.time(export.begin))
        json.name("endTime")
        json.string(Self.time(export.end))
        json.name("tableArn")
        json.string(export.table.resourceName)
        json.name("tableId")
        json.string(export.table.identifier)
        json.name("exportTime")
        json.string(Self.time(export.moment))
        json.name("s3Bucket")
        json.string(export.bucket)
        json.name("s3Prefix")
        if export.prefix.isEmpty { json.null() } else { json.string(export.prefix) }
        json.name("s3SseAlgorithm")
        json.string("AES256")
        json.name("s3SseKmsKeyId")
        json.null()
        json.name("manifestFilesS3Key")
        json.string("\(place)/manifest-files.json")
        json.name("billedSizeBytes")
        json.integer(export.bytes)
        json.name("itemCount")
        json.integer(export.items)
        json.name("outputFormat")
        json.string("DYNAMODB_JSON")
        json.name("exportType")
        json.string("FULL_EXPORT")
        json.endObject()
        return json.bytes
    }

    /// `2015-08-30T12:36:00.123Z`.
    private static func time(_ milliseconds: Int) -> String {
        var seconds = time_t(milliseconds / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func digits(_ number: Int32, _ count: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
        }
        return digits(parts.tm_year + 1900, 4) + "-" + digits(parts.tm_mon + 1, 2) + "-" + digits(parts.tm_mday, 2)
            + "T"
            + digits(parts.tm_hour, 2) + ":" + digits(parts.tm_min, 2) + ":" + digits(parts.tm_sec, 2) + "."
            + digits(Int32(milliseconds % 1000), 3) + "Z"
    }

    private func writeManifest(_ name: String, _ bytes: [UInt8]) throws(StorageError) {
        let path = "\(folder)/\(name)"
        let md5: MD5Digest
        do throws(DigestError) {
            let hasher = try MD5Hasher()
            try bytes.withBytes { bytes throws(DigestError) in try hasher.update(bytes) }
            md5 = try hasher.finish()
        } catch {
            throw StorageError(.io, "\(path).md5: \(error)")
        }
        try Self.write(bytes, to: "\(path).json")
        try Self.write(Array(md5.base64.utf8), to: "\(path).md5")
    }

    /// Writes a file that must not be there yet.
    private static func write(_ bytes: [UInt8], to path: String) throws(StorageError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw StorageError.system("create", path, errno: errno) }
        defer { Glibc.close(descriptor) }
        try bytes.withBytes { bytes throws(StorageError) in try writeAll(bytes, to: descriptor, path) }
    }

    fileprivate static func writeAll(
        _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, _ path: String
    ) throws(StorageError) {
        var rest = bytes
        while let base = rest.baseAddress, !rest.isEmpty {
            let done = Glibc.write(descriptor, base, rest.count)
            if done < 0, errno == EINTR { continue }
            guard done > 0 else { throw StorageError.system("write", path, errno: errno) }
            rest = UnsafeRawBufferPointer(rebasing: rest[done...])
        }
    }

    /// A data file that is being written.
    private final class DataFile {
        let name: String
        private let path: String
        private let descriptor: Int32
        private let gzip: GzipWriter
        private let hasher: MD5Hasher
        var items = 0
        /// Of JSON.
        private(set) var bytes = 0

        init(_ path: String, _ name: String) throws(StorageError) {
            self.path = path
            self.name = name
            guard let gzip = GzipWriter(level: 1) else { throw StorageError(.io, "\(path): zlib cannot be started.") }
            self.gzip = gzip
            do throws(DigestError) { hasher = try MD5Hasher() } catch { throw StorageError(.io, "\(path): \(error)") }
            descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw StorageError.system("create", path, errno: errno) }
        }

        deinit { Glibc.close(descriptor) }

        func write(_ text: [UInt8]) throws(StorageError) {
            bytes += text.count
            try text.withBytes { text throws(StorageError) in try pack(text, isLast: false) }
        }

        func finish() throws(StorageError) -> MD5Digest {
            try pack(UnsafeRawBufferPointer(start: nil, count: 0), isLast: true)
            guard fsync(descriptor) == 0 else { throw StorageError.system("sync", path, errno: errno) }
            do throws(DigestError) { return try hasher.finish() } catch { throw StorageError(.io, "\(path): \(error)") }
        }

        private func pack(_ text: UnsafeRawBufferPointer, isLast: Bool) throws(StorageError) {
            let isTaken: Bool
            do {
                isTaken = try gzip.write(text, isLast: isLast) { piece in
                    try hasher.update(piece)
                    try ExportWriter.writeAll(piece, to: descriptor, path)
                }
            } catch {
                throw error as? StorageError ?? StorageError(.io, "\(path): \(error)")
            }
            guard isTaken else { throw StorageError(.io, "\(path): zlib refuses to write.") }
        }
    }
}
