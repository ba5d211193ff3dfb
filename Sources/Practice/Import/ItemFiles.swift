import Glibc
import JSON
import Storage
import Zlib

extension PracticeTable {
    private static let pieceBytes = 1 << 20
    /// Levels below an export's folder that are looked at: `AWSDynamoDB/<id>/data`.
    private static let maximumDepth = 4
    private static let maximumFiles = 1_000_000

    /// The files with items in an export's folder, in the order of their names; none if it is no export.
    package static func exportFiles(in folder: String) -> [String] {
        var found: [String] = []
        collect(folder, depth: 0, &found)
        return found.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    private static func collect(_ folder: String, depth: Int, _ found: inout [String]) {
        guard depth < maximumDepth, found.count < maximumFiles, let stream = opendir(folder) else { return }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name == "." || name == ".." { continue }
            let path = folder + "/" + name
            var info = stat()
            guard stat(path, &info) == 0 else { continue }
            if info.st_mode & S_IFMT == S_IFDIR {
                collect(path, depth: depth + 1, &found)
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
                var splitter = ItemSplitter()
                var number = 0
                try Self.read(path) { piece in
                    if isCancelled() { throw StorageError.cancelled }
                    try splitter.read(piece) { text, kind in
                        number += 1
                        try Self.add(try parser.parse(text), kind, number, &loader)
                    }
                }
                guard splitter.isAtEnd else { throw ImportError(description: "the file ends in the middle of an item") }
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
        _ root: JSONNode, _ kind: ItemSplitter.Piece, _ number: Int, _ loader: inout ItemLoader
    ) throws(ImportError) {
        let node: JSONNode
        switch kind {
        case .item: node = root
        // An item alone, as a filter leaves it of a page (`jq -c '.Items[]'`).
        case .record where root["Path"]?["S"] != nil && root["Key"]?["S"] != nil: node = root
        case .record:
            guard let item = root["Item"] else {
                let isIncremental = root["NewImage"] != nil || root["Keys"] != nil
                throw ImportError(
                    description: isIncremental
                        ? "this is an incremental export, which holds changes and not the table. Export the whole table"
                        : "object \(number) has no member \"Item\" and no list \"Items\"")
            }
            node = item
        }
        let attributes: [AttributeValue.Member]
        do throws(ServiceError) {
            attributes = try AttributeValue.members(of: node)
        } catch {
            throw ImportError(description: "item \(number): \(error.message)")
        }
        let key = attributes.first { $0.name.elementsEqual(VaultItem.keyName.utf8) }
        var isMarker = false
        if case .string(let name)? = key?.value { isMarker = name.last == UInt8(ascii: "/") }
        try loader.add(attributes, isMarker: isMarker, shown: "item \(number)")
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
