import Digest
import DynamoDBFormat
import Glibc
import JSON
import Storage
import Zlib

/// A file of items, and what the export's manifest says of it.
struct ExportFile: Sendable {
    let path: String
    /// Bytes of the file as it lies on disk.
    let size: Int
    /// What the manifest says; `nil` without one.
    var manifest: ExportManifest.DataFile?

    var name: String { path.split(separator: "/").last.map(String.init) ?? path }
}

/// Reads a file of items from its beginning to its end, whatever form it has, and checks all that can be checked.
///
/// For one thread at a time; may be used for several files.
struct ExportFileReader {
    private static let pieceBytes = 1 << 20

    typealias Item = ItemDocument.Item

    private let parser: JSONParser

    init() throws(StorageError) {
        do throws(JSONError) {
            parser = try JSONParser()
        } catch {
            throw StorageError(.io, "simdjson: \(error)")
        }
    }

    /// Reads a file.
    ///
    /// - Parameter deliver: Is handed every item; `false` ends the reading.
    /// - Returns: Whether the end was reached.
    /// - Throws: `.damagedStore` naming file and line for anything that is not as it should be, `.io` if the file cannot
    ///   be read, and what `deliver` throws.
    func read(
        _ file: ExportFile, _ deliver: (Item) throws(StorageError) -> Bool
    ) throws(StorageError) -> Bool {
        let descriptor = open(file.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw StorageError.system("open", file.path, errno: errno) }
        defer { Glibc.close(descriptor) }
        var document = ItemDocument(path: file.path, expectedItems: file.manifest?.itemCount, parser: parser)
        let digest = try file.manifest.flatMap { manifest throws(StorageError) in try MD5Check(manifest, file) }
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceBytes, alignment: 16)
        defer { piece.deallocate() }
        var packing: Packing?
        var isStopped = false
        while !isStopped {
            let count = Glibc.read(descriptor, piece.baseAddress, piece.count)
            guard count >= 0 else {
                if errno == EINTR { continue }
                throw StorageError.system("read", file.path, errno: errno)
            }
            guard count > 0 else { break }
            let bytes = UnsafeRawBufferPointer(rebasing: piece[..<count])
            try digest?.update(bytes)
            if packing == nil { packing = try Packing(bytes, file) }
            let goesOn = try packing?.unpack(bytes, file) { text throws(StorageError) in
                try document.read(text, deliver)
            }
            isStopped = goesOn == false
        }
        if isStopped { return false }
        try packing?.finish(file)
        // A file that is not what was stored is that, whatever else is wrong with it.
        try digest?.finish()
        try document.finish()
        return true
    }
}

/// How a file is packed, told by its first bytes: names are not to be trusted.
private enum Packing {
    case gzip(GzipInflater)
    case none

    init(_ bytes: UnsafeRawBufferPointer, _ file: ExportFile) throws(StorageError) {
        let isGzip = bytes.count >= 2 ? bytes[0] == 0x1f && bytes[1] == 0x8b : bytes.first == 0x1f
        if isGzip {
            do throws(GzipError) {
                self = .gzip(try GzipInflater())
            } catch {
                throw StorageError(.io, "\(file.path): \(error)")
            }
            return
        }
        let first = bytes.first { ![0x20, 0x0a, 0x0d, 0x09].contains($0) }
        if first == nil || first == UInt8(ascii: "{") {
            self = .none
            return
        }
        let isIon = bytes.starts(with: [0xe0, 0x01, 0x00, 0xea]) || bytes.starts(with: "$ion_1_0".utf8)
        if isIon { throw StorageError(.unsupported, "\(file.path): \(ExportManifest.ionAdvice)") }
        throw StorageError(
            .damagedStore,
            file.name.hasSuffix(".gz")
                ? "\(file.path) is not gzip. If it was encrypted by a client or a copying tool, decrypt it; else download "
                    + "it again."
                : "\(file.path):1: the file is neither gzip nor DynamoDB JSON. Name an export, one of its data files, or "
                    + "the output of aws dynamodb scan --output json.")
    }

    /// - Returns: What `deliver` said.
    func unpack(
        _ bytes: UnsafeRawBufferPointer, _ file: ExportFile,
        _ deliver: (UnsafeRawBufferPointer) throws(StorageError) -> Bool
    ) throws(StorageError) -> Bool {
        guard case .gzip(let inflater) = self else { return try deliver(bytes) }
        struct Stop: Error {}
        do {
            try inflater.inflate(bytes) { text in
                guard try deliver(text) else { throw Stop() }
            }
            return true
        } catch let error as StorageError {
            throw error
        } catch let error as GzipError {
            throw StorageError(
                .damagedStore, "\(file.path): the gzip data is damaged (\(error)). Download the file again.")
        } catch {
            return false
        }
    }

    func finish(_ file: ExportFile) throws(StorageError) {
        guard case .gzip(let inflater) = self, !inflater.isAtMemberEnd else { return }
        throw StorageError(.damagedStore, "\(file.path): the gzip data is cut short. Download the file again.")
    }
}

/// Compares a file's bytes with the checksum in the manifest.
private struct MD5Check {
    private let hasher: MD5Hasher
    private let expected: [UInt8]
    private let path: String

    /// `nil` if the manifest has none that can be computed.
    init?(_ manifest: ExportManifest.DataFile, _ file: ExportFile) throws(StorageError) {
        guard let expected = manifest.md5 else { return nil }
        self.expected = expected
        path = file.path
        do throws(DigestError) {
            hasher = try MD5Hasher()
        } catch {
            throw StorageError(.io, "\(path): \(error)")
        }
    }

    func update(_ bytes: UnsafeRawBufferPointer) throws(StorageError) {
        do throws(DigestError) { try hasher.update(bytes) } catch { throw StorageError(.io, "\(path): \(error)") }
    }

    func finish() throws(StorageError) {
        let found: MD5Digest
        do throws(DigestError) { found = try hasher.finish() } catch { throw StorageError(.io, "\(path): \(error)") }
        guard found.bytes != expected else { return }
        var stated: [UInt8] = []
        expected.withUnsafeBytes { Base64.append($0, to: &stated) }
        throw StorageError(
            .damagedStore,
            "\(path): the file's MD5 is \(found.base64), the manifest says \(String(decoding: stated, as: UTF8.self)). "
                + "Download the file again, as it is stored: unpacked or converted files differ.")
    }
}
