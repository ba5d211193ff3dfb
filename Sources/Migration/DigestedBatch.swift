package import Barrier
import Digest
package import Storage

/// A batch of entries, stamped with the SHA-256 of their values, with what was made of it on its way.
// Unchecked: owned by one thread at a time, as the batch in it.
package final class DigestedBatch: DigestPage, @unchecked Sendable {
    package let entries: EntryBatch
    private let pool: BatchPool
    /// The entries' manifest lines; empty if they were not asked for.
    package let manifestLines: [UInt8]
    /// Counts by top-level prefix, in key order.
    package let tally: [PrefixTally]
    /// Bytes of keys, of values, and of the largest entry.
    package let keyBytes: Int
    package let valueBytes: Int
    package let largestEntry: Int
    /// Counts by key term; `nil` where the batch keeps no values.
    package let keyTerms: KeyTermTally?
    /// What a proof found of the entries; `nil` where none was made.
    package let proof: ProofTally?

    package var count: Int { entries.count }

    package func key(_ index: Int) -> UnsafeRawBufferPointer { entries.key(index) }

    package func digest(_ index: Int) -> UnsafeRawBufferPointer { Self.digest(entries, index) }

    /// Behind the digest there may be what a proof found.
    private static func digest(_ entries: EntryBatch, _ index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: entries.stamp(index).prefix(SHA256Digest.byteCount))
    }

    /// What a proof found of an entry; `nil` where none was made.
    func proof(_ index: Int) -> EntryProof? { ProofStamp.proof(entries, index, behind: SHA256Digest.byteCount) }

    package func recycle() {
        pool.recycle(entries)
    }

    /// Takes a batch whose entries carry SHA-256 stamps.
    ///
    /// - Throws: `StorageError` if the keys are not strictly ascending, or a digest could not be computed.
    package init(_ entries: EntryBatch, writesLines: Bool, pool: BatchPool) throws(StorageError) {
        guard !entries.hasFailedStamp else { throw Self.failedStamp }
        var lines = ManifestLines(capacity: writesLines ? entries.count * 96 + entries.heldBytes / 2 : 0)
        var tally: [PrefixTally] = []
        var keyBytes = 0
        var largest = 0
        var terms = entries.keepsValues ? KeyTermTally() : nil
        var earlier = UnsafeRawBufferPointer(start: nil, count: 0)
        for index in 0..<entries.count {
            let key = entries.key(index)
            if index > 0, compareBytes(earlier, key) >= 0 { throw Self.disorder(earlier, key) }
            earlier = key
            let size = key.count + entries.valueCount(index)
            keyBytes += key.count
            largest = max(largest, size)
            PrefixTally.count(key, bytes: size, into: &tally)
            terms?.count(entries.value(index), of: key)
            if writesLines { lines.append(key, digest: Self.digest(entries, index)) }
        }
        self.entries = entries
        self.pool = pool
        self.manifestLines = lines.bytes
        self.tally = tally
        self.keyBytes = keyBytes
        self.valueBytes = entries.byteCount - keyBytes
        self.largestEntry = largest
        self.keyTerms = terms
        proof = ProofStamp.tally(entries, behind: SHA256Digest.byteCount)
    }

    /// The error of a batch with an entry that could not be digested.
    static let failedStamp = StorageError(
        .io, "OpenSSL refused to compute a SHA-256. Look at its configuration (openssl.cnf).")

    /// The error of a store whose scan is not in strict key order.
    static func disorder(_ earlier: UnsafeRawBufferPointer, _ later: UnsafeRawBufferPointer) -> StorageError {
        let isTwice = compareBytes(earlier, later) == 0
        return StorageError(
            .damagedStore,
            isTwice
                ? "the store holds the key \(escapedKey(later)) twice. Remove one of the two entries and run again."
                : "the store gave the key \(escapedKey(later)) after \(escapedKey(earlier)), which is out of order: "
                    + "it is "
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
    /// The directory that the last entry lies in, with its slash: where the scan is.
    var lastFolder: [UInt8] {
        guard count > 0 else { return [] }
        let key = key(count - 1)
        return key.lastIndex(of: UInt8(ascii: "/")).map { Array(key[...$0]) } ?? []
    }
}

/// Stamps entries with the SHA-256 of their values.
final class SHA256Stamper: ValueStamper {
    private let hasher: SHA256Hasher?

    init() {
        // Without a hasher every stamp fails, and the batch says so.
        hasher = try? SHA256Hasher()
    }

    let stampBytes = SHA256Digest.byteCount

    func stamp(_ value: UnsafeRawBufferPointer, into output: UnsafeMutableRawPointer) -> Bool {
        guard let hasher else { return false }
        do throws(DigestError) {
            try hasher.digest(of: value, into: output)
            return true
        } catch {
            return false
        }
    }
}

extension BatchPool {
    /// Batches whose entries carry the SHA-256 of their values, and what a proof found of them if one is to be made.
    package static func digesting(keepsValues: Bool, proving barrier: OpenedBarrier? = nil) -> BatchPool {
        BatchPool(keepsValues: keepsValues) {
            guard let barrier else { return SHA256Stamper() }
            return ProofStamper(barrier, behind: SHA256Stamper())
        }
    }
}
