/// What a backend can hold; an entry beyond it is found before the first write, not after hours.
package struct StorageLimits: Sendable {
    /// Longest key, bytes.
    package var keyBytes: Int?
    /// Longest part of a key between two `/`, bytes.
    package var segmentBytes: Int?
    /// Largest value, bytes.
    package var valueBytes: Int?
    /// Longest key up to its last `/`, without that, bytes.
    package var directoryBytes: Int?
    /// Longest part of a key between two `/`, its name not counted, bytes.
    package var directoryNameBytes: Int?
    /// Longest part of a key behind its last `/`, bytes.
    package var nameBytes: Int?
    /// Most bytes of key and value together.
    package var entryBytes: Int?
    /// Bytes that an entry without a directory counts more than its key and value.
    package var rootEntryBytes = 0
    /// Whether keys must be valid UTF-8.
    package var requiresUTF8 = false
    /// Keys that mean something else to this backend, with the reason.
    package var reserved: [StorageKey: String] = [:]
    /// Beginnings of keys that the backend would keep under another name, with the reason.
    package var reservedDirectories: [StorageKey: String] = [:]
    /// Whether the empty key can be kept.
    package var allowsEmptyKey = true
    /// Names are made by path joining, which rewrites a key that is not in its cleaned form (see ``isCleaned(_:)``).
    package var cleansKeys = false
    /// Keys with `..` anywhere are refused.
    package var forbidsParentReferences = false
    /// Keys with a zero byte cannot be named.
    package var forbidsZeroByte = false
    /// An entry `x` and a directory `_x/` beside it cannot both exist (the file backend keeps entry `x` as file `_x`).
    package var marksEntriesWithUnderscore = false

    package init(keyBytes: Int? = nil, segmentBytes: Int? = nil, valueBytes: Int? = nil) {
        self.keyBytes = keyBytes
        self.segmentBytes = segmentBytes
        self.valueBytes = valueBytes
    }

    /// Why this backend cannot hold an entry; `nil` if it can.
    package func objection(to key: UnsafeRawBufferPointer, valueCount: Int) -> String? {
        if key.isEmpty, !allowsEmptyKey { return "the empty key cannot be kept" }
        if let keyBytes, key.count > keyBytes {
            return "the key has \(key.count) bytes, at most \(keyBytes) can be kept"
        }
        if let valueBytes, valueCount > valueBytes {
            return "the value has \(valueCount) bytes, at most \(valueBytes) can be kept"
        }
        if let entryBytes {
            let most = entryBytes - (key.contains(UInt8(ascii: "/")) ? 0 : rootEntryBytes)
            if key.count + valueCount > most {
                return "key and value have \(key.count + valueCount) bytes, at most \(most) can be kept"
            }
        }
        if let objection = partObjection(to: key) { return objection }
        if forbidsZeroByte, key.contains(0) { return "a key with a zero byte cannot be named" }
        if forbidsParentReferences, Self.hasParentReference(key) { return "a key with \"..\" is refused" }
        if cleansKeys, !Self.isCleaned(key) {
            return "the key would be kept under another name (empty or \".\" segment, or a slash at an end)"
        }
        if let segmentBytes, let longest = Self.longestSegment(key), longest > segmentBytes {
            return "a segment of the key has \(longest) bytes, at most \(segmentBytes) can be kept"
        }
        return nil
    }

    /// Largest value that a server writes unless it is told otherwise, with room for the barrier's additions: 32 MiB
    /// (Vault's `max_request_size`).
    private static let commonValueBytes = 64 << 20

    /// Whether some value that a server can write is too large.
    package var concernsValues: Bool { entryBytes != nil || valueBytes.map { $0 < Self.commonValueBytes } ?? false }

    /// Whether everything that a store with the limits `other` holds can be kept here.
    package func admitsAll(of other: StorageLimits) -> Bool {
        guard !concernsKeys, allowsEmptyKey, reserved.isEmpty, reservedDirectories.isEmpty else { return false }
        let key = other.keyBytes ?? other.directoryBytes.flatMap { path in other.nameBytes.map { path + 1 + $0 } }
        let value = other.valueBytes ?? other.entryBytes
        func admits(_ most: Int?, _ found: Int?) -> Bool {
            most.map { most in found.map { $0 <= most } ?? false } ?? true
        }
        return admits(keyBytes, key) && admits(valueBytes, value) && entryBytes == nil
    }

    private func partObjection(to key: UnsafeRawBufferPointer) -> String? {
        if requiresUTF8, !Self.isUTF8(key) { return "the key is not valid UTF-8" }
        if directoryBytes != nil || nameBytes != nil || directoryNameBytes != nil {
            let slash = key.lastIndex(of: UInt8(ascii: "/"))
            if let directoryBytes, let slash, slash > directoryBytes {
                return "the directory of the key has \(slash) bytes, at most \(directoryBytes) can be kept"
            }
            if let directoryNameBytes, let slash,
                let longest = Self.longestSegment(UnsafeRawBufferPointer(rebasing: key[..<slash])),
                longest > directoryNameBytes
            {
                return
                    "the name of a directory of the key has \(longest) bytes, at most \(directoryNameBytes) can be kept"
            }
            let name = key.count - (slash.map { $0 + 1 } ?? 0)
            if let nameBytes, name > nameBytes {
                return "the last segment of the key has \(name) bytes, at most \(nameBytes) can be kept"
            }
        }
        guard !reserved.isEmpty || !reservedDirectories.isEmpty else { return nil }
        if let reason = reserved[StorageKey(copying: key)] { return reason }
        return reservedDirectories.first { key.starts(with: $0.key.bytes) }?.value
    }

    private static func isUTF8(_ key: UnsafeRawBufferPointer) -> Bool {
        key.allSatisfy { $0 < 0x80 } || String(validating: key, as: UTF8.self) != nil
    }

    /// Whether any limit needs the keys to be looked at before writing starts.
    package var concernsKeys: Bool {
        segmentBytes != nil || cleansKeys || forbidsParentReferences || forbidsZeroByte || marksEntriesWithUnderscore
            || directoryBytes != nil || nameBytes != nil || directoryNameBytes != nil || requiresUTF8
    }

    /// The keys that cannot exist beside this one, in a backend that marks entries with an underscore.
    ///
    /// For `a/_b/c` that is `a/b`: its file and the directory `a/_b` would have one name.
    package func rivals(of key: UnsafeRawBufferPointer) -> [StorageKey] {
        guard marksEntriesWithUnderscore else { return [] }
        var found: [StorageKey] = []
        var start = 0
        for (index, byte) in key.enumerated() where byte == UInt8(ascii: "/") {
            if index > start, key[start] == UInt8(ascii: "_") {
                found.append(StorageKey(Array(key[..<start]) + Array(key[(start + 1)..<index])))
            }
            start = index + 1
        }
        return found
    }

    /// Whether Go's path joining would leave the key as it is: no empty or `.` or `..` segment.
    package static func isCleaned(_ key: UnsafeRawBufferPointer) -> Bool {
        var length = 0
        var dots = 0
        for byte in key {
            if byte == UInt8(ascii: "/") {
                if length == 0 || (length == dots && dots <= 2) { return false }
                length = 0
                dots = 0
            } else {
                length += 1
                if byte == UInt8(ascii: ".") { dots += 1 }
            }
        }
        return !(length == 0 || (length == dots && dots <= 2))
    }

    private static func hasParentReference(_ key: UnsafeRawBufferPointer) -> Bool {
        var previous: UInt8 = 0
        for byte in key {
            if byte == UInt8(ascii: "."), previous == byte { return true }
            previous = byte
        }
        return false
    }

    private static func longestSegment(_ key: UnsafeRawBufferPointer) -> Int? {
        var longest = 0
        var length = 0
        for byte in key {
            length = byte == UInt8(ascii: "/") ? 0 : length + 1
            longest = max(longest, length)
        }
        return longest
    }
}
