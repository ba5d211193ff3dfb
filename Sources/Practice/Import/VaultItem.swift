import DynamoDBFormat
package import Storage
import Synchronization

/// An entry of a Vault as the stock DynamoDB backend keeps it (Vault 1.14, `physical/dynamodb/dynamodb.go`).
enum VaultItem {
    static let pathName = "Path"
    static let keyName = "Key"
    private static let valueName = "Value"

    /// The item of an entry.
    ///
    /// - Returns: `nil` if the backend would change the key, which it cleans as a path, or cannot keep it, because it is
    ///   no UTF-8.
    static func entry(
        _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer
    ) -> [AttributeValue.Member]? {
        guard StorageKey.isCleaned(key), String(validating: key, as: UTF8.self) != nil else { return nil }
        return item(ItemKey(entry: key), value.isEmpty ? .null : .binary(Array(value)))
    }

    /// The marker of a directory, given without its final slash.
    static func marker(_ directory: [UInt8]) -> [AttributeValue.Member] {
        item(ItemKey(markerOf: directory), .null)
    }

    private static func item(_ key: ItemKey, _ value: AttributeValue) -> [AttributeValue.Member] {
        [
            .init(name: Array(pathName.utf8), value: .string(key.path)),
            .init(name: Array(keyName.utf8), value: .string(key.name)),
            .init(name: Array(valueName.utf8), value: value),
        ]
    }
}

extension PracticeTable {
    /// Directories remembered so that their markers are not made again and again.
    private static let maximumRemembered = 100_000

    /// Fills a table with the entries of a store, and the directory markers a Vault would have written.
    ///
    /// - Parameter isCancelled: Asked now and then; the import then ends with ``StorageError/cancelled``.
    /// - Returns: What was written; entries that cannot be items are named in it.
    package func load(
        from backend: any StorageSource, into table: String, isCancelled: @escaping @Sendable () -> Bool
    ) throws -> ImportResult {
        var loader = try ItemLoader(store, table: table)
        var request = ScanRequest(content: .entries)
        request.isCancelled = isCancelled
        let lost = Mutex<[String]>([])
        request.note = { note in
            guard note.reason == .zeroLengthFile else { return }
            lost.withLock { $0.append("\(note.place): \(note.reason.rawValue)") }
        }
        let pool = request.pool
        var known: Set<[UInt8]> = []
        var failure: ImportError?
        try backend.scanAll(request) { batch throws(StorageError) in
            defer { pool.recycle(batch) }
            do throws(ImportError) {
                for index in 0..<batch.count {
                    try Self.add(batch.key(index), batch.value(index), &loader, &known)
                }
                return true
            } catch {
                failure = error
                return false
            }
        }
        if let failure { throw failure }
        for place in lost.withLock({ $0.sorted() }) { loader.leaveOut(place) }
        try loader.flush()
        return loader.result
    }

    private static func add(
        _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ loader: inout ItemLoader,
        _ known: inout Set<[UInt8]>
    ) throws(ImportError) {
        guard let item = VaultItem.entry(key, value) else {
            return loader.leaveOut("\(escapedKey(key)): DynamoDB cannot keep an entry of this name")
        }
        try loader.add(item, isMarker: false, shown: escapedKey(key))
        var rest = key[...]
        while let cut = rest.lastIndex(of: UInt8(ascii: "/")) {
            rest = rest[..<cut]
            let directory = Array(rest)
            guard known.insert(directory).inserted else { return }
            try loader.add(
                VaultItem.marker(directory), isMarker: true, shown: directory.withUnsafeBytes { escapedKey($0) } + "/")
        }
        if known.count > maximumRemembered { known = [] }
    }
}
