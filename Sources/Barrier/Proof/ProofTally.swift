package import Storage

/// Entries by what a proof found of them.
package struct ProofTally: Sendable, Equatable {
    /// Folders that are kept apart; a store of anything may have millions.
    private static let mostFolders = 1000
    /// Terms that are kept apart.
    private static let mostTerms = 1000
    /// Entries that are named; all are counted.
    package static let mostNamed = EntryBatch.targetEntries

    /// Counts by verdict.
    package struct Counts: Sendable, Equatable {
        private var counts = [Int](repeating: 0, count: ProofVerdict.allCases.count)

        package init() {}

        package subscript(_ verdict: ProofVerdict) -> Int { counts[Int(verdict.rawValue)] }

        mutating func add(_ verdict: ProofVerdict, _ count: Int = 1) { counts[Int(verdict.rawValue)] += count }

        mutating func add(_ other: Counts) {
            for verdict in ProofVerdict.allCases { add(verdict, other[verdict]) }
        }

        /// All entries.
        package var total: Int { counts.reduce(0, +) }
        /// Those that a proof is about: what is not encrypted has none.
        package var provable: Int { total - self[.plain] }
        /// Those that are lost.
        package var bad: Int { ProofVerdict.allCases.filter(\.isBad).reduce(0) { $0 + self[$1] } }
    }

    /// Entries below one top-level folder, or beside the folders.
    package struct Folder: Sendable, Equatable {
        package let prefix: [UInt8]
        package var counts: Counts
    }

    /// An entry that is not proven, and why.
    package struct Named: Sendable, Equatable {
        package let key: StorageKey
        package let verdict: ProofVerdict
        package let term: UInt32

        /// The key, escaped, and what is wrong with it.
        package var line: String {
            "\(key): " + (verdict == .unknownTerm ? "no key for term \(term)" : verdict.text)
        }
    }

    package private(set) var counts = Counts()
    package private(set) var folders: [Folder] = []
    /// Authenticated entries by term; at most a thousand terms.
    package private(set) var terms: [UInt32: Int] = [:]
    /// Authenticated entries whose names are not bound to them (``EntryProof/isNameUnbound``): they would be under any other.
    package private(set) var unboundNames = 0
    /// The first of those that are bad, in the order they came.
    package private(set) var named: [Named] = []

    package init() {}

    /// Whether every entry that can be proven is.
    package var isProven: Bool { counts.bad == 0 && counts.total > 0 }

    /// Counts an entry, or several of one folder of which the same was found, which is not bad: that is named one by one.
    package mutating func count(_ proof: EntryProof, _ key: UnsafeRawBufferPointer, times: Int = 1) {
        counts.add(proof.verdict, times)
        if proof.isNameUnbound { unboundNames += times }
        if proof.verdict == .authenticated, proof.term > 0 { addTerm(proof.term, times) }
        if proof.verdict.isBad, named.count < Self.mostNamed {
            named.append(Named(key: StorageKey(copying: key), verdict: proof.verdict, term: proof.term))
        }
        // Consecutive entries are mostly of one folder.
        if let last = folders.last, last.prefix.last == UInt8(ascii: "/"), key.starts(with: last.prefix) {
            folders[folders.count - 1].counts.add(proof.verdict, times)
            return
        }
        let prefix = key.firstIndex(of: UInt8(ascii: "/")).map { Array(key[...$0]) } ?? []
        var one = Counts()
        one.add(proof.verdict, times)
        add(Folder(prefix: prefix, counts: one))
    }

    private mutating func addTerm(_ term: UInt32, _ count: Int) {
        if terms[term] != nil || terms.count < Self.mostTerms { terms[term, default: 0] += count }
    }

    private mutating func add(_ folder: Folder) {
        if let index = folders.firstIndex(where: { $0.prefix == folder.prefix }) {
            folders[index].counts.add(folder.counts)
        } else if folders.count < Self.mostFolders {
            folders.append(folder)
        } else {
            let others = Array("(others)".utf8)
            if let index = folders.firstIndex(where: { $0.prefix == others }) {
                folders[index].counts.add(folder.counts)
            } else {
                folders.append(Folder(prefix: others, counts: folder.counts))
            }
        }
    }

    /// The sum with later counts.
    package consuming func adding(_ other: ProofTally) -> ProofTally {
        add(other)
        return self
    }

    /// Adds later counts.
    package mutating func add(_ other: ProofTally) {
        counts.add(other.counts)
        unboundNames += other.unboundNames
        for folder in other.folders { add(folder) }
        for (term, count) in other.terms { addTerm(term, count) }
        named += other.named.prefix(max(Self.mostNamed - named.count, 0))
    }
}
