package import Digest
package import Storage

/// A batch of entries with all that was computed about it on a worker's thread.
// Unchecked: owned by one thread at a time, as the batch in it.
package final class DigestedBatch: DigestPage, @unchecked Sendable {
    package let entries: EntryBatch
    /// 32 bytes an entry.
    private let digests: UnsafeMutableRawBufferPointer
    private let pool: BatchPool
    /// The entries' manifest lines.
    package let manifestLines: [UInt8]
    /// Counts by top-level prefix, in key order.
    package let tally: [PrefixTally]

    package var count: Int { entries.count }

    package func key(_ index: Int) -> UnsafeRawBufferPointer { entries.key(index) }

    package func digest(_ index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: digests[(index * 32)..<(index * 32 + 32)])
    }

    package func recycle() {
        pool.recycle(entries)
    }

    deinit {
        digests.deallocate()
    }

    /// Digests every entry of a batch.
    ///
    /// - Throws: `StorageError` if the keys are not strictly ascending, `DigestError` if the library fails.
    package init(_ entries: EntryBatch, hasher: SHA256Hasher, writesLines: Bool, pool: BatchPool) throws {
        self.pool = pool
        self.entries = entries
        self.digests = .allocate(byteCount: entries.count * SHA256Digest.byteCount, alignment: 16)
        var lines: [UInt8] = []
        if writesLines { lines.reserveCapacity(entries.count * 160) }
        var tally: [PrefixTally] = []
        do {
            for index in 0..<entries.count {
                let key = entries.key(index)
                if index > 0, compareBytes(entries.key(index - 1), key) >= 0 {
                    throw Self.disorder(entries.key(index - 1), key)
                }
                let value = entries.value(index)
                let digest = UnsafeMutableRawBufferPointer(rebasing: digests[(index * 32)..<(index * 32 + 32)])
                if let output = digest.baseAddress { try hasher.digest(of: value, into: output) }
                PrefixTally.count(key, bytes: key.count + value.count, into: &tally)
                if writesLines { Manifest.appendLine(key, UnsafeRawBufferPointer(digest), to: &lines) }
            }
        } catch {
            // The deinitialiser does not run for an object that was never complete.
            digests.deallocate()
            throw error
        }
        self.manifestLines = lines
        self.tally = tally
    }

    /// The error of a store whose scan is not in strict key order.
    static func disorder(_ earlier: UnsafeRawBufferPointer, _ later: UnsafeRawBufferPointer) -> StorageError {
        let isTwice = compareBytes(earlier, later) == 0
        return StorageError(
            .damagedStore,
            isTwice
                ? "the store holds the key \(escapedKey(later)) twice. Remove one of the two entries and run again."
                : "the store gave the key \(escapedKey(later)) after \(escapedKey(earlier)), which is out of order: it is "
                    + "damaged, or changed while it was read. Stop every server on it and run again.",
            key: StorageKey(copying: later))
    }
}

/// Entries and bytes below one top-level prefix (`core/`, `logical/`, …) or of one top-level entry.
package struct PrefixTally: Sendable, Equatable {
    package let prefix: [UInt8]
    package var entries: Int
    /// Bytes of keys and values.
    package var bytes: Int

    /// Counts an entry; consecutive entries of one prefix share an element.
    static func count(_ key: UnsafeRawBufferPointer, bytes: Int, into tally: inout [PrefixTally]) {
        if let last = tally.last, key.count >= last.prefix.count, last.prefix.last == UInt8(ascii: "/"),
            key[..<last.prefix.count].elementsEqual(last.prefix)
        {
            tally[tally.count - 1].entries += 1
            tally[tally.count - 1].bytes += bytes
            return
        }
        let end = key.firstIndex(of: UInt8(ascii: "/")).map { $0 + 1 }
        // Entries beside the folders are counted together: there may be as many as the store has.
        let prefix = end.map { Array(key[..<$0]) } ?? []
        if end == nil, let index = tally.firstIndex(where: { $0.prefix.isEmpty }) {
            tally[index].entries += 1
            tally[index].bytes += bytes
            return
        }
        tally.append(PrefixTally(prefix: prefix, entries: 1, bytes: bytes))
    }

    /// Adds later counts to earlier ones.
    package static func merge(_ later: [PrefixTally], into tally: inout [PrefixTally]) {
        for part in later {
            if let index = tally.lastIndex(where: { $0.prefix == part.prefix }) {
                tally[index].entries += part.entries
                tally[index].bytes += part.bytes
            } else if tally.count < maximumPrefixes {
                tally.append(part)
            } else if let index = tally.firstIndex(where: { $0.prefix == otherPrefixes }) {
                tally[index].entries += part.entries
                tally[index].bytes += part.bytes
            } else {
                tally.append(PrefixTally(prefix: otherPrefixes, entries: part.entries, bytes: part.bytes))
            }
        }
    }

    /// A server has about six; a store of anything may have millions.
    private static let maximumPrefixes = 1000
    private static let otherPrefixes = Array("(others)".utf8)
}

/// The SHA-256 of one value, lower-case hexadecimal.
package func entryDigest(_ value: [UInt8]) throws -> String {
    try value.withUnsafeBytes { try SHA256Digest.of($0).hexadecimal }
}

extension DigestedBatch {
    /// The digest of entry `index`, lower-case hexadecimal.
    package func hexadecimalDigest(_ index: Int) -> String {
        var text: [UInt8] = []
        appendHexadecimal(digest(index), to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}
