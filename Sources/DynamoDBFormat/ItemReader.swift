package import JSON
package import Storage

/// Tells the items of a Vault table apart and turns entries into entries of a batch. For one thread at a time.
///
/// | kind | told by |
/// | --- | --- |
/// | directory marker | Key ends in `/` |
/// | lock of the active node | Path `core`, Key `_lock`, and a text or nothing as Value |
/// | entry | everything else |
///
/// (Vault 1.14 `physical/dynamodb`, `DynamoDBRecord` and `DynamoDBLockRecord`.) An attribute alone tells nothing: tables
/// have time-to-live attributes of any name, `Expires` among them. The lock's value is the node's id, a text; what a
/// server keeps as an entry is encrypted and begins with a zero byte.
package struct ItemReader {
    package enum Kind: Equatable {
        case entry
        case marker
        case lock
    }

    /// The parts of an item, borrowed from the parser.
    package struct Parts {
        package var path = UnsafeRawBufferPointer(start: nil, count: 0)
        package var name = UnsafeRawBufferPointer(start: nil, count: 0)
        package var value: JSONNode?
        /// `Identity` or `Expires`, which the active node's lock has.
        package var hasLockAttributes = false
        /// Anything else.
        package var hasOtherAttributes = false

        package init() {}

        /// Where the item lies, copied.
        package var place: ItemKey { ItemKey(path: Array(path), name: Array(name)) }

        package var kind: Kind {
            if name.last == UInt8(ascii: "/") { return .marker }
            guard name.elementsEqual("_lock".utf8), path.elementsEqual("core".utf8) else { return .entry }
            return hasValueOfLock ? .lock : .entry
        }

        /// Nothing, or printable characters.
        private var hasValueOfLock: Bool {
            guard let value, value["NULL"]?.boolean != true else { return hasLockAttributes }
            guard let encoded = value["B"]?.bytes, encoded.count <= ItemReader.longestLockText else { return false }
            let text = [UInt8](unsafeUninitializedCapacity: Base64.maximumDecodedCount(encoded.count) + 3) {
                room, used in
                used = Base64.decode(encoded, into: UnsafeMutableRawBufferPointer(room)) ?? 0
            }
            return (hasLockAttributes || !text.isEmpty) && text.allSatisfy { $0 >= 0x20 && $0 < 0x7f }
        }
    }

    /// Longest base64 of a node's id.
    private static let longestLockText = 1024

    private var key: [UInt8] = []

    package init() {}

    /// Reads the attributes of an item.
    ///
    /// - Throws: `.damagedStore` if it has no Path and Key of type S: then it is no item of a Vault table.
    package static func parts(of item: JSONNode) throws(StorageError) -> Parts {
        var parts = Parts()
        var hasPath = false
        var hasName = false
        var seen = (path: false, name: false, value: false)
        for (name, attribute) in item.members {
            // A service gives every attribute once; of two in a file nobody can say which one counts.
            let isTwice =
                name.elementsEqual("Path".utf8) && seen.path || name.elementsEqual("Key".utf8) && seen.name
                || name.elementsEqual("Value".utf8) && seen.value
            guard !isTwice else {
                throw StorageError(.damagedStore, "an item has the attribute \(escapedKey(name)) twice. Remove one.")
            }
            if name.elementsEqual("Path".utf8) { seen.path = true }
            if name.elementsEqual("Key".utf8) { seen.name = true }
            if name.elementsEqual("Value".utf8) { seen.value = true }
            if name.elementsEqual("Path".utf8), let text = attribute["S"], text.kind == .string {
                parts.path = text.bytes
                hasPath = !text.bytes.isEmpty
            } else if name.elementsEqual("Key".utf8), let text = attribute["S"], text.kind == .string {
                parts.name = text.bytes
                hasName = !text.bytes.isEmpty
            } else if name.elementsEqual("Value".utf8) {
                parts.value = attribute
            } else if name.elementsEqual("Identity".utf8) || name.elementsEqual("Expires".utf8) {
                parts.hasLockAttributes = true
            } else {
                parts.hasOtherAttributes = true
            }
        }
        guard hasPath, hasName else {
            throw StorageError(
                .damagedStore,
                "an item has no attributes Path and Key of type S, as every item of a Vault table has. Name the table "
                    + "that Vault uses.")
        }
        return parts
    }

    /// Appends an entry, or if the request wants them a directory's marker as an entry with an empty value, to the batch.
    /// What is left out, and what is more than a server writes, is noted.
    ///
    /// - Parameter item: What `parts` was read from.
    /// - Returns: Whether the batch took it; not if the key lies outside the partition or, for a value that cannot be
    ///   read, `passesOver` says to go on.
    package mutating func append(
        _ item: JSONNode, _ parts: Parts, to batch: EntryBatch, _ request: ScanRequest
    ) throws(StorageError) -> Bool {
        let kind = parts.kind
        if kind == .marker, !request.includesDirectoryMarkers { return false }
        let isAtItsPlace = ItemKey.storageKey(path: parts.path, name: parts.name, into: &key)
        if kind == .lock {
            note(parts.hasLockAttributes ? .activeNodeLock : .possibleLock, request)
            return false
        }
        if request.content == .entries { noteOddities(of: item, parts, kind, isAtItsPlace: isAtItsPlace, request) }
        do throws(StorageError) {
            return try key.withBytes { key throws(StorageError) in
                guard request.partition.contains(key) else { return false }
                if kind == .entry, key.last == UInt8(ascii: "/") {
                    throw StorageError(
                        .damagedEntry,
                        "an item with Path \(escapedKey(parts.path)) and Key \(escapedKey(parts.name)) reads as the "
                            + "directory \(escapedKey(key)). No Vault wrote it: remove it and run again.",
                        key: StorageKey(copying: key))
                }
                guard kind == .entry, request.content == .entries else {
                    batch.append(key: key, value: UnsafeRawBufferPointer(start: nil, count: 0))
                    return true
                }
                return try Self.appendValue(parts.value, of: key, to: batch)
            }
        } catch {
            if request.passesOver(error) { return false }
            throw error
        }
    }

    private func note(_ reason: ScanNote.Reason, _ request: ScanRequest, _ more: String = "") {
        request.note(ScanNote(reason, at: "\(StorageKey(key))\(more)"))
    }

    /// Notes what no server writes: none of it may be passed over in silence.
    private func noteOddities(
        of item: JSONNode, _ parts: Parts, _ kind: Kind, isAtItsPlace: Bool, _ request: ScanRequest
    ) {
        if kind == .marker, let value = parts.value, value["NULL"]?.boolean != true {
            note(.markerWithValue, request)
        }
        if kind == .entry, parts.value == nil { note(.missingValue, request) }
        if !isAtItsPlace {
            note(.misplaced, request, " (Path \(escapedKey(parts.path)), Key \(escapedKey(parts.name)))")
        }
        if parts.hasLockAttributes || parts.hasOtherAttributes {
            note(.foreignAttributes, request, " (\(Self.foreignNames(in: item)))")
        }
    }

    private static let maximumNames = 5

    private static func foreignNames(in item: JSONNode) -> String {
        let names = item.members.map(\.name).filter { name in
            !["Path", "Key", "Value"].contains { name.elementsEqual($0.utf8) }
        }
        let shown = names.prefix(maximumNames).map { escapedKey($0) }.joined(separator: ", ")
        return names.count > maximumNames ? shown + ", …" : shown
    }

    private static func appendValue(
        _ value: JSONNode?, of key: UnsafeRawBufferPointer, to batch: EntryBatch
    ) throws(StorageError) -> Bool {
        // Stock writes an empty value as NULL; a value that is not there reads as an empty one.
        guard let value, value["NULL"]?.boolean != true else {
            batch.append(key: key, value: UnsafeRawBufferPointer(start: nil, count: 0))
            return true
        }
        guard let text = value["B"], text.kind == .string else {
            let type = value.members.first { _ in true }.map { escapedKey($0.name) } ?? "none"
            throw StorageError(
                .damagedEntry, "the value of \(escapedKey(key)) is not binary (B) but of type \(type)",
                key: StorageKey(copying: key))
        }
        var members = value.members
        _ = members.next()
        guard members.next() == nil else {
            throw StorageError(
                .damagedEntry, "the value of \(escapedKey(key)) is of several types; an attribute has one",
                key: StorageKey(copying: key))
        }
        let encoded = text.bytes
        let room = Base64.maximumDecodedCount(encoded.count)
        guard batch.append(key: key, maximumValueCount: room, fill: { Base64.decode(encoded, into: $0) }) else {
            throw StorageError(
                .damagedEntry, "the value of \(escapedKey(key)) is not base64", key: StorageKey(copying: key))
        }
        return true
    }

    /// The value of an item's `Value` attribute, for a single entry.
    package static func value(of item: JSONNode, key: StorageKey) throws(StorageError) -> [UInt8] {
        let batch = EntryBatch(capacity: 1024)
        let value = item["Value"]
        _ = try key.bytes.withBytes { key throws(StorageError) in try appendValue(value, of: key, to: batch) }
        return Array(batch.value(0))
    }
}
