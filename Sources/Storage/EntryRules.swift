/// Something that a store cannot keep. Each rule says in its own words what it has against an entry.
package enum EntryRule: Sendable, Equatable {
    /// The empty key.
    case emptyKey
    /// A key of more bytes.
    case longerKey(than: Int)
    /// A value of more bytes.
    case largerValue(than: Int)
    /// Key and value of more bytes together; without a directory so many fewer.
    case largerEntry(than: Int, lessAtRoot: Int)
    /// A part of a key between two `/` of more bytes.
    case longerSegment(than: Int)
    /// A key that up to its last `/`, without that, has more bytes.
    case longerDirectory(than: Int)
    /// A part of a key between two `/`, its last part not counted, of more bytes.
    case longerDirectoryName(than: Int)
    /// A part of a key behind its last `/` of more bytes.
    case longerName(than: Int)
    /// A key that is no UTF-8.
    case invalidUTF8
    /// This key, which means something else to the store.
    case key(StorageKey, because: String)
    /// Keys with this beginning, which the store would keep under another name.
    case keysBelow(StorageKey, because: String)
    /// A key with a zero byte.
    case zeroByte
    /// A key with `..` anywhere.
    case parentReference
    /// A key that path joining rewrites (see ``StorageKey/isCleaned(_:)``).
    case uncleanedKey
    /// An entry `x` beside a directory `_x/`: the store keeps the entry as file `_x`. Not an objection to one entry; see
    /// ``EntryRules/rivals(of:)``.
    case entryBesideItsUnderscoredName

    /// What there is against an entry; `nil` if nothing.
    fileprivate func objection(to key: UnsafeRawBufferPointer, _ valueCount: Int) -> String? {
        switch self {
        case .emptyKey: key.isEmpty ? "the empty key cannot be kept" : nil
        case .longerKey(let most): tooMany("the key has", key.count, most)
        case .largerValue(let most): tooMany("the value has", valueCount, most)
        case .largerEntry(let most, let lessAtRoot):
            tooMany(
                "key and value have", key.count + valueCount, most - (key.contains(Self.slash) ? 0 : lessAtRoot))
        case .longerSegment(let most): tooMany("a segment of the key has", longestSegment(key), most)
        case .longerDirectory(let most):
            directory(of: key).flatMap { tooMany("the directory of the key has", $0.count, most) }
        case .longerDirectoryName(let most):
            directory(of: key).flatMap {
                tooMany("the name of a directory of the key has", longestSegment($0), most)
            }
        case .longerName(let most):
            tooMany("the last segment of the key has", key.count - (directory(of: key).map { $0.count + 1 } ?? 0), most)
        case .invalidUTF8: isUTF8(key) ? nil : "the key is not valid UTF-8"
        case .key(let reserved, let reason): key.elementsEqual(reserved.bytes) ? reason : nil
        case .keysBelow(let reserved, let reason): key.starts(with: reserved.bytes) ? reason : nil
        case .zeroByte: key.contains(0) ? "a key with a zero byte cannot be named" : nil
        case .parentReference: hasParentReference(key) ? "a key with \"..\" is refused" : nil
        case .uncleanedKey:
            StorageKey.isCleaned(key)
                ? nil : "the key would be kept under another name (empty or \".\" segment, or a slash at an end)"
        case .entryBesideItsUnderscoredName: nil
        }
    }

    private static let slash = UInt8(ascii: "/")

    private func tooMany(_ what: String, _ count: Int, _ most: Int) -> String? {
        count > most ? "\(what) \(count) bytes, at most \(most) can be kept" : nil
    }

    /// The key up to its last `/`; `nil` if it has none.
    private func directory(of key: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        key.lastIndex(of: Self.slash).map { UnsafeRawBufferPointer(rebasing: key[..<$0]) }
    }

    private func isUTF8(_ key: UnsafeRawBufferPointer) -> Bool {
        key.allSatisfy { $0 < 0x80 } || String(validating: key, as: UTF8.self) != nil
    }

    private func hasParentReference(_ key: UnsafeRawBufferPointer) -> Bool {
        var previous: UInt8 = 0
        for byte in key {
            if byte == UInt8(ascii: "."), previous == byte { return true }
            previous = byte
        }
        return false
    }

    private func longestSegment(_ key: UnsafeRawBufferPointer) -> Int {
        var longest = 0
        var length = 0
        for byte in key {
            length = byte == Self.slash ? 0 : length + 1
            longest = max(longest, length)
        }
        return longest
    }
}

/// What a store cannot keep; an entry against a rule is found before the first write, not after hours.
package struct EntryRules: Sendable, ExpressibleByArrayLiteral {
    /// The first one that an entry is against is the one that is told.
    private let rules: [EntryRule]
    /// What no rule is against whatever its bytes are: nearly every entry of most stores, and each is asked about.
    private let plainKeys: ClosedRange<Int>?
    private let plainValueBytes: Int

    package init(_ rules: [EntryRule] = []) {
        self.rules = rules
        var longestKey = Int.max
        var largestValue = Int.max
        var looksAtBytes = false
        for rule in rules {
            switch rule {
            case .emptyKey, .entryBesideItsUnderscoredName: break
            case .longerKey(let most): longestKey = min(longestKey, most)
            case .largerValue(let most): largestValue = min(largestValue, most)
            default: looksAtBytes = true
            }
        }
        plainKeys = looksAtBytes || longestKey < 1 ? nil : 1...longestKey
        plainValueBytes = largestValue
    }

    package init(arrayLiteral rules: EntryRule...) { self.init(rules) }

    /// Why the store cannot keep an entry; `nil` if it can.
    package func objection(to key: UnsafeRawBufferPointer, valueCount: Int) -> String? {
        if let plainKeys, plainKeys.contains(key.count), valueCount <= plainValueBytes { return nil }
        for rule in rules {
            if let objection = rule.objection(to: key, valueCount) { return objection }
        }
        return nil
    }

    /// Bytes of the largest value; `nil` if no rule says.
    package var largestValue: Int? {
        rules.compactMap { if case .largerValue(let most) = $0 { most } else { nil } }.min()
    }

    /// Most bytes of key and value together, in a directory; `nil` if no rule says.
    package var largestEntry: Int? {
        rules.compactMap { if case .largerEntry(let most, _) = $0 { most } else { nil } }.min()
    }

    /// Bytes of the longest key that can be there; `nil` if no rule says.
    private var longestKey: Int? {
        var (key, directory, name): (Int?, Int?, Int?)
        for rule in rules {
            switch rule {
            case .longerKey(let most): key = most
            case .longerDirectory(let most): directory = most
            case .longerName(let most): name = most
            default: break
            }
        }
        return key ?? directory.flatMap { directory in name.map { directory + 1 + $0 } }
    }

    /// Largest value that a server writes unless it is told otherwise, with room for the barrier's additions: 32 MiB
    /// (Vault's `max_request_size`).
    private static let commonValueBytes = 64 << 20

    /// Whether some value that a server can write is too large.
    package var concernsValues: Bool {
        largestEntry != nil || largestValue.map { $0 < Self.commonValueBytes } ?? false
    }

    /// Whether any rule needs the keys to be looked at before writing starts; those are none that say how long a key may
    /// be or name one, which no server writes.
    package var concernsKeys: Bool {
        rules.contains { rule in
            switch rule {
            case .emptyKey, .longerKey, .largerValue, .largerEntry, .key, .keysBelow: false
            default: true
            }
        }
    }

    /// Whether entries and directories can be in each other's way; see ``rivals(of:)``.
    package var hasRivals: Bool { rules.contains(.entryBesideItsUnderscoredName) }

    /// Whether everything that a store with other rules holds can be kept here.
    package func admitsAll(of other: EntryRules) -> Bool {
        rules.allSatisfy { rule in
            switch rule {
            case .longerKey(let most): other.longestKey.map { $0 <= most } ?? false
            case .largerValue(let most): (other.largestValue ?? other.largestEntry).map { $0 <= most } ?? false
            default: false
            }
        }
    }

    /// The keys that cannot exist beside this one, in a store that marks entries with an underscore.
    ///
    /// For `a/_b/c` that is `a/b`: its file and the directory `a/_b` would have one name.
    package func rivals(of key: UnsafeRawBufferPointer) -> [StorageKey] {
        guard hasRivals else { return [] }
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
}

extension StorageKey {
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
}
