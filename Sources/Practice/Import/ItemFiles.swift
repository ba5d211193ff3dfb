import DynamoDBFormat
import Files
import Glibc
import JSON
package import Storage
import Zlib

extension PracticeTable {
    private static let pieceBytes = 1 << 20
    /// Levels below an export's folder that are looked at: `AWSDynamoDB/<id>/data`.
    private static let maximumDepth = 4
    private static let maximumFiles = 1_000_000

    /// The files with items in an export's folder, in the order of their names; none if it is no export.
    ///
    /// - Throws: `.io` for a folder in it that cannot be read: what lies there would be missing in silence.
    package static func exportFiles(in folder: String) throws(StorageError) -> [String] {
        var found: [String] = []
        try collect(folder, depth: 0, &found)
        return found.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    private static func collect(_ folder: String, depth: Int, _ found: inout [String]) throws(StorageError) {
        guard depth < maximumDepth, found.count < maximumFiles else { return }
        for name in try names(in: AT_FDCWD, folder, shown: folder) {
            // The file system's own, which few may read.
            if depth == 0, name == "lost+found" { continue }
            let path = folder + "/" + name
            var info = stat()
            guard stat(path, &info) == 0 else { continue }
            if info.st_mode & S_IFMT == S_IFDIR {
                try collect(path, depth: depth + 1, &found)
            } else if hasItems(name) {
                found.append(path)
            }
        }
    }

    private static func hasItems(_ name: String) -> Bool {
        let isData = [".json", ".jsonl", ".json.gz", ".jsonl.gz"].contains { name.hasSuffix($0) }
        // A file store's entries begin with an underscore.
        return isData && !name.hasPrefix("manifest") && !name.hasPrefix("_")
    }

    /// Fills a table with the items of DynamoDB JSON files, with or without gzip.
    ///
    /// - Throws: `ImportError` naming the file, `StorageError` for one that cannot be read.
    package func load(
        files: [String], into table: String, isCancelled: () -> Bool
    ) throws -> ImportResult {
        var loader = try ItemLoader(store, table: table)
        let parser = try JSONParser()
        for path in files {
            do {
                var document = ItemDocument(path: path, expectedItems: nil, parser: parser)
                try Self.read(path) { piece in
                    if isCancelled() { throw StorageError.cancelled }
                    _ = try document.read(piece) { item throws(StorageError) in
                        try Self.add(item, path, &loader)
                        return true
                    }
                }
                try document.finish()
            } catch let error as StorageError {
                throw error
            } catch {
                throw ImportError(description: "import \(path): \(error).")
            }
        }
        try loader.flush()
        return loader.result
    }

    private static func add(
        _ item: ItemDocument.Item, _ path: String, _ loader: inout ItemLoader
    ) throws(StorageError) {
        let shown = "\(path):\(item.line)"
        let attributes: [AttributeValue.Member]
        do throws(ServiceError) {
            attributes = try AttributeValue.members(of: item.node)
        } catch {
            throw StorageError(.damagedStore, "import \(shown): \(error.message)")
        }
        let key = attributes.first { $0.name.elementsEqual(VaultItem.keyName.utf8) }
        var isMarker = false
        if case .string(let name)? = key?.value { isMarker = name.last == UInt8(ascii: "/") }
        do throws(ImportError) {
            try loader.add(attributes, isMarker: isMarker, shown: shown)
        } catch {
            throw StorageError(.io, error.description)
        }
    }

    /// Calls `deliver` with the file's content, inflated if it is gzip.
    private static func read(_ path: String, _ deliver: (UnsafeRawBufferPointer) throws -> Void) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw StorageError.system("open", path, errno: errno) }
        defer { Glibc.close(descriptor) }
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: pieceBytes, alignment: 16)
        defer { room.deallocate() }
        var inflater: GzipInflater?
        var isFirst = true
        while true {
            let count = Glibc.read(descriptor, room.baseAddress, room.count)
            guard count >= 0 else { throw StorageError.system("read", path, errno: errno) }
            if count == 0 { break }
            let piece = UnsafeRawBufferPointer(rebasing: room[..<count])
            if isFirst, count >= 2, piece[0] == 0x1f, piece[1] == 0x8b { inflater = try GzipInflater() }
            isFirst = false
            if let inflater { try inflater.inflate(piece, deliver) } else { try deliver(piece) }
        }
        guard inflater?.isAtMemberEnd ?? true else { throw ImportError(description: "the gzip data is cut off") }
    }
}

/// Seconds since 1970.
func wallSeconds() -> Int { Int(time(nil)) }

/// Milliseconds since 1970.
func wallMilliseconds() -> Int {
    var moment = timespec()
    clock_gettime(CLOCK_REALTIME, &moment)
    return moment.tv_sec * 1000 + moment.tv_nsec / 1_000_000
}
