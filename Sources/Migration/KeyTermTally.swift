import Storage

/// Entries by the key term of the barrier that encrypted them, as it stands in clear before each value.
///
/// | Offset | Bytes | Field |
/// | --- | --- | --- |
/// | 0 | 4 | key term, big-endian; the first is 1 |
/// | 4 | 1 | version, 1 or 2 |
/// | 5 | 12 | nonce |
/// | 17 | | ciphertext and a tag of 16 bytes |
///
/// (Vault 1.14 `vault/barrier_aes_gcm.go`.) Nothing is decrypted; what has that form by chance is counted as well.
package struct KeyTermTally: Sendable, Equatable {
    /// More different terms are not kept apart: a server has one a year or so, a store of anything may have millions.
    private static let maximumTerms = 64
    /// Term, version, nonce and tag.
    private static let shortestValue = 33
    /// In the folder where servers keep it, and not encrypted by the barrier (`vault/seal.go`).
    private static let sealedOtherwise: [StorageKey] = [.storedRootKey, "core/recovery-key"]

    package struct Count: Sendable, Equatable {
        package let term: UInt32
        package var entries: Int
    }

    /// In the order they were first seen.
    package private(set) var terms: [Count] = []
    /// Entries of terms beyond the most that are kept apart.
    package private(set) var ofOtherTerms = 0
    /// Entries whose value has another form.
    package private(set) var withoutTerm = 0
    /// Where the term of the last entry is counted: most entries have the same.
    private var last = 0

    package init() {}

    package static func == (left: KeyTermTally, right: KeyTermTally) -> Bool {
        left.terms == right.terms && left.ofOtherTerms == right.ofOtherTerms && left.withoutTerm == right.withoutTerm
    }

    /// Counts an entry.
    mutating func count(_ value: UnsafeRawBufferPointer, of key: UnsafeRawBufferPointer) {
        guard let term = Self.term(of: value), !Self.isSealedOtherwise(key) else { return withoutTerm += 1 }
        add(term, entries: 1)
    }

    /// Adds later counts.
    package mutating func add(_ other: KeyTermTally) {
        for count in other.terms { add(count.term, entries: count.entries) }
        ofOtherTerms += other.ofOtherTerms
        withoutTerm += other.withoutTerm
    }

    private mutating func add(_ term: UInt32, entries: Int) {
        if last < terms.count, terms[last].term == term { return terms[last].entries += entries }
        if let index = terms.firstIndex(where: { $0.term == term }) {
            terms[index].entries += entries
            last = index
        } else if terms.count < Self.maximumTerms {
            last = terms.count
            terms.append(Count(term: term, entries: entries))
        } else {
            ofOtherTerms += entries
        }
    }

    /// The term in a value's header; `nil` if it has none.
    private static func term(of value: UnsafeRawBufferPointer) -> UInt32? {
        guard value.count >= shortestValue, value[4] == 1 || value[4] == 2 else { return nil }
        let term = UInt32(bigEndian: value.loadUnaligned(as: UInt32.self))
        return term > 0 ? term : nil
    }

    private static func isSealedOtherwise(_ key: UnsafeRawBufferPointer) -> Bool {
        sealedOtherwise.contains { $0.bytes.count == key.count && key.elementsEqual($0.bytes) }
    }
}
