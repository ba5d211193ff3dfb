package import Storage

/// Which keys a run is about: those from a key on, those that begin with a prefix, or all.
package struct KeyScope: Sendable {
    /// First key wanted, bytewise.
    package let start: StorageKey?
    package let prefix: StorageKey?

    package init(start: StorageKey? = nil, prefix: StorageKey? = nil) {
        self.start = start
        self.prefix = prefix
    }

    package var isWhole: Bool { start == nil && prefix == nil }

    /// The range that holds everything wanted, and nothing else.
    var range: StoragePartition {
        let lower = [start, prefix].compactMap { $0 }.max()
        return StoragePartition(from: lower, to: prefix.flatMap(Self.behind))
    }

    /// The first key behind all that begin with a prefix; `nil` if there is none.
    private static func behind(_ prefix: StorageKey) -> StorageKey? {
        guard let place = prefix.bytes.lastIndex(where: { $0 != 0xff }) else { return nil }
        var bytes = Array(prefix.bytes[...place])
        bytes[place] += 1
        return StorageKey(bytes)
    }

    func contains(_ key: UnsafeRawBufferPointer) -> Bool {
        if let start, start.bytes.withUnsafeBytes({ compareBytes(key, $0) }) < 0 { return false }
        guard let prefix else { return true }
        return prefix.bytes.withUnsafeBytes { prefix in
            key.count >= prefix.count
                && compareBytes(UnsafeRawBufferPointer(rebasing: key[..<prefix.count]), prefix) == 0
        }
    }

    func contains(_ key: StorageKey) -> Bool { key.bytes.withUnsafeBytes { contains($0) } }
}
