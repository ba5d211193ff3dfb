import Storage

/// Entries by the key term of the barrier that encrypted them, as it stands in clear before each value
/// (``BarrierEnvelope``). Nothing is decrypted; what has that form by chance is counted as well.
package struct KeyTermTally: Sendable, Equatable {
    /// More different terms are not kept apart: a server has one a year or so, a store of anything may have millions.
    private static let maximumTerms = 64
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
    package mutating func count(_ value: UnsafeRawBufferPointer, of key: UnsafeRawBufferPointer) {
        guard let term = BarrierEnvelope(value)?.term, !Self.isSealedOtherwise(key) else { return withoutTerm += 1 }
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

    private static func isSealedOtherwise(_ key: UnsafeRawBufferPointer) -> Bool {
        sealedOtherwise.contains { $0.bytes.count == key.count && key.elementsEqual($0.bytes) }
    }
}
