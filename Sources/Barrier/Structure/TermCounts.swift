/// Entries of one keyring by the term of the key that encrypted them, with the first of each term: which terms a store can
/// have is known only when all of it has passed.
struct TermCounts: Sendable, Equatable {
    /// More different terms are not kept apart but for the lowest: a server has one a year or so, what is no server's store
    /// may have millions.
    static let mostTerms = 64
    /// Keys kept of each term.
    private static let mostKeys = 8

    struct Term: Sendable, Equatable {
        let term: UInt32
        /// Of the envelope's version 1, which binds no key name.
        var ofVersion1 = 0
        var first = FirstKeys(most: TermCounts.mostKeys)

        var entries: Int { first.count }
    }

    /// Ascending.
    private(set) var terms: [Term] = []
    /// Entries of terms that are higher than the most that are kept.
    private(set) var ofHigherTerms = FirstKeys(most: TermCounts.mostKeys)
    private(set) var ofVersion1 = 0
    /// Where the term of the last entry is counted: most entries have the same.
    private var last = 0

    static func == (left: TermCounts, right: TermCounts) -> Bool {
        left.terms == right.terms && left.ofHigherTerms == right.ofHigherTerms
    }

    var entries: Int { terms.reduce(ofHigherTerms.count) { $0 + $1.entries } }

    mutating func count(_ envelope: BarrierEnvelope, of key: UnsafeRawBufferPointer) {
        if envelope.version == 1 { ofVersion1 += 1 }
        guard let place = place(of: envelope.term) else { return ofHigherTerms.add(key) }
        terms[place].first.add(key)
        if envelope.version == 1 { terms[place].ofVersion1 += 1 }
    }

    mutating func merge(_ other: TermCounts) {
        ofVersion1 += other.ofVersion1
        for term in other.terms {
            guard let place = place(of: term.term) else {
                ofHigherTerms.add(term.first)
                continue
            }
            terms[place].first.add(term.first)
            terms[place].ofVersion1 += term.ofVersion1
        }
        ofHigherTerms.add(other.ofHigherTerms)
    }

    /// Where a term is counted; `nil` among the higher ones. A term that was put there once never comes back: what is kept
    /// only gets lower.
    private mutating func place(of term: UInt32) -> Int? {
        if last < terms.count, terms[last].term == term { return last }
        let place = terms.firstIndex { $0.term >= term } ?? terms.count
        if place == terms.count || terms[place].term != term {
            guard place < Self.mostTerms else { return nil }
            terms.insert(Term(term: term), at: place)
            if terms.count > Self.mostTerms { ofHigherTerms.add(terms.removeLast().first) }
        }
        last = place
        return place
    }
}
