package import Storage

/// Which keys a run is about: those from a key on, those that begin with a prefix, a sample, or all.
package struct KeyScope: Sendable, Equatable {
    /// First key wanted, bytewise.
    package let start: StorageKey?
    package let prefix: StorageKey?
    /// Prefixes of what is wanted; all keys if there are none.
    package let included: [StorageKey]
    /// Prefixes of what is not wanted, whatever else says so.
    package let excluded: [StorageKey]
    /// A share of what is wanted otherwise; all of it if there is none.
    package let sample: KeySample?
    /// Whether leases are not wanted, those of namespaces among them.
    package let dropsLeases: Bool

    package init(
        start: StorageKey? = nil, prefix: StorageKey? = nil, included: [StorageKey] = [], excluded: [StorageKey] = [],
        sample: KeySample? = nil, dropsLeases: Bool = false
    ) {
        self.dropsLeases = dropsLeases
        self.start = start
        self.prefix = prefix
        self.included = included
        self.excluded = excluded
        self.sample = sample
    }

    package var isWhole: Bool { start == nil && !isSelection && prefix == nil && sample == nil }

    /// Whether entries are left out by their names.
    package var isSelection: Bool { !included.isEmpty || !excluded.isEmpty || dropsLeases }

    /// What is wanted, without what is left out by name.
    package var withoutSelection: KeyScope { KeyScope(start: start, prefix: prefix, sample: sample) }

    /// The range that holds everything wanted.
    var range: StoragePartition {
        let first = included.min()
        let last = included.map(Self.behind)
        let upper = last.contains(nil) ? nil : last.compactMap { $0 }.max()
        let lower = [start, prefix, first].compactMap { $0 }.max()
        return StoragePartition(from: lower, to: [prefix.flatMap(Self.behind), upper].compactMap { $0 }.min())
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
        if let prefix, !Self.begins(key, prefix) { return false }
        return isSelected(key) && sample?.contains(key) ?? true
    }

    /// Whether what is left out by name has the key not.
    func isSelected(_ key: UnsafeRawBufferPointer) -> Bool {
        if !included.isEmpty, !included.contains(where: { Self.begins(key, $0) }) { return false }
        if dropsLeases, Self.isLease(key) { return false }
        return !excluded.contains { Self.begins(key, $0) }
    }

    /// Whether an entry is a lease's: below `sys/expire/`, or there in a namespace (OpenBao keeps a whole tree of each in
    /// `namespaces/<uuid>/`).
    private static func isLease(_ key: UnsafeRawBufferPointer) -> Bool {
        if begins(key, leases) { return true }
        guard begins(key, namespaces) else { return false }
        let rest = key[namespaces.bytes.count...]
        guard let slash = rest.firstIndex(of: UInt8(ascii: "/")) else { return false }
        return begins(UnsafeRawBufferPointer(rebasing: rest[(slash + 1)...]), leases)
    }

    private static func begins(_ key: UnsafeRawBufferPointer, _ prefix: StorageKey) -> Bool {
        prefix.bytes.withUnsafeBytes { prefix in
            key.count >= prefix.count
                && compareBytes(UnsafeRawBufferPointer(rebasing: key[..<prefix.count]), prefix) == 0
        }
    }

    func contains(_ key: StorageKey) -> Bool { key.bytes.withUnsafeBytes { contains($0) } }
}

extension KeyScope {
    /// Where a server keeps what it cannot start without, or would start without any of its secrets: seal, keyring, mount tables.
    package static let essential = StorageKey("core/")
    /// Where a server keeps its leases.
    package static let leases = StorageKey("sys/expire/")
    private static let namespaces = StorageKey("namespaces/")

    /// What is left out of what a server cannot start without: the prefixes that say so.
    package var missingEssentials: [StorageKey] {
        let essential = Self.essential.bytes
        var missing = excluded.filter { $0.bytes.starts(with: essential) || essential.starts(with: $0.bytes) }
        if !included.isEmpty, !included.contains(where: { essential.starts(with: $0.bytes) }) {
            missing.append(Self.essential)
        }
        return missing
    }

    /// Whether a server on the copy would not know its leases.
    package var leavesOutLeases: Bool {
        let leases = Self.leases.bytes
        return dropsLeases || excluded.contains { leases.starts(with: $0.bytes) }
            || !included.isEmpty
                && !included.contains { leases.starts(with: $0.bytes) || $0.bytes.starts(with: leases) }
    }
}
