package import Storage
import Wording

/// What a store's entries look like, judged: ``StructureTally/finish()``.
package struct StructureReport: Sendable {
    /// Entries that look damaged in one way.
    package struct Suspicion: Sendable, Equatable {
        package let damage: Damage
        package let entries: Int
        /// The first of them.
        package let first: [StorageKey]
    }

    /// A namespace that is unsealed by itself.
    struct SealedNamespace: Sendable {
        let id: StorageKey
        let activeTerm: UInt32?
        let terms: TermCounts
    }

    package let entries: Int
    /// Of keys and values.
    package let bytes: Int
    /// How the store is sealed; `nil` if it does not say so, or not in a form that can be read.
    package let seal: SealDescription?
    package let layout: StoreLayout
    /// The term of the key that the store encrypts with; `nil` if it does not say.
    package let activeTerm: UInt32?
    /// Entries that look damaged.
    package let suspicions: [Suspicion]
    /// Entries that every store has whose server was unsealed once, and that this one has not.
    package let missing: [String]
    /// What the whole of the values tells of damage, in a sentence each.
    package let signs: [String]
    /// What is wrong with what the store says of its seal, in a sentence each.
    package let sealFaults: [String]

    /// Of the store's own keyring; with those of its namespaces, if none has a keyring of its own.
    let terms: TermCounts
    /// Of namespaces without a keyring of their own, where others have one: which they use stands nowhere in clear.
    let openTerms: TermCounts
    let sealedNamespaces: [SealedNamespace]
    /// Namespaces that use a keyring above theirs.
    let openNamespaces: Int
    let inClear: Int
    let sealWrapped: SealWrapCounts
    let ofOtherForm: Int
    let places: [PlaceCounts.Place]

    init(_ tally: StructureTally) {
        entries = tally.entries
        bytes = tally.bytes
        seal = tally.seal.description
        layout = tally.layout
        inClear = tally.inClear
        sealWrapped = tally.sealWrapped
        ofOtherForm = tally.ofOtherForm
        places = tally.places.all
        signs = tally.shapes.signs
        let own = tally.keyrings.first
        activeTerm = own?.activeTerm
        let sealed = tally.keyrings.filter(\.isSealed)
        sealedNamespaces = sealed.compactMap { counts in
            counts.namespace.map { SealedNamespace(id: $0, activeTerm: counts.activeTerm, terms: counts.terms) }
        }.sorted { $0.id < $1.id }
        openNamespaces = tally.keyrings.dropFirst().count { !$0.isSealed }
        var openTerms = tally.ofSomeKeyring
        for counts in tally.keyrings where counts.namespace != nil && !counts.isSealed { openTerms.merge(counts.terms) }
        var terms = own?.terms ?? TermCounts()
        if sealed.isEmpty {
            terms.merge(openTerms)
            openTerms = TermCounts()
        }
        (self.terms, self.openTerms) = (terms, openTerms)
        suspicions = Self.suspicions(tally)
        sealFaults = Self.faults(tally, seal)
        missing = Self.missing(tally, seal)
    }

    private static func suspicions(_ tally: StructureTally) -> [Suspicion] {
        var damaged = tally.damaged
        func add(_ damage: Damage, _ keys: FirstKeys) {
            damaged[damage, default: FirstKeys(most: StructureTally.mostNamed)].add(keys)
        }
        // Which keyring above a namespace is used is not known; no term is beyond all of them.
        let highest =
            tally.keyrings.contains {
                $0.namespace == nil && $0.activeTerm == nil || $0.isSealed && $0.activeTerm == nil
            }
            ? nil : tally.keyrings.compactMap(\.activeTerm).max()
        for counts in tally.keyrings {
            let last = counts.namespace == nil || counts.isSealed ? counts.activeTerm : highest
            for keys in beyond(last, counts.terms) { add(.wrongTerm, keys) }
        }
        for keys in beyond(highest, tally.ofSomeKeyring) { add(.wrongTerm, keys) }
        if let converted = tally.shapes.converted { add(.newlines, converted) }
        if let cut = tally.shapes.cut { add(.columnSize, cut) }
        return Damage.allCases.compactMap { damage in
            damaged[damage].map { Suspicion(damage: damage, entries: $0.count, first: $0.keys) }
        }
    }

    /// Entries of terms behind the last one that a keyring has.
    private static func beyond(_ last: UInt32?, _ terms: TermCounts) -> [FirstKeys] {
        guard let last else { return [] }
        let others = terms.ofHigherTerms
        // Those are higher than the terms that are kept apart.
        let isOthersBeyond = others.count > 0 && terms.terms.last.map { $0.term >= last } ?? true
        return terms.terms.filter { $0.term > last }.map(\.first) + (isOthersBeyond ? [others] : [])
    }

    private static func faults(_ tally: StructureTally, _ seal: SealDescription?) -> [String] {
        var faults: [String] = []
        if let configuration = tally.seal.configuration {
            if seal == nil, !PlaintextForm.isCompressed(configuration) {
                faults.append("core/seal-config is no seal configuration that can be read.")
            }
        } else {
            faults.append("core/seal-config is missing: this is not the whole store of an initialised server.")
        }
        if !tally.seal.hasKeyring, !tally.seal.hasFirstKeyring {
            faults.append("core/keyring is missing: nothing in the store can be decrypted without it.")
        }
        // The store's own, and its namespaces' in their order, whatever order they came in.
        let keyrings = tally.keyrings.sorted { one, other in
            other.namespace.map { second in one.namespace.map { $0 < second } ?? true } ?? false
        }
        faults += keyrings.compactMap(shortKeyring)
        guard let seal else { return faults }
        if let fault = seal.fault { faults.append("core/seal-config is not as servers write it: \(fault).") }
        if seal.rootKey == .missing {
            faults.append("core/hsm/barrier-unseal-keys is missing: no server unseals the store.")
        }
        if seal.type == "shamir", let key = tally.seal.storedRootKey, !tally.layout.hasSealGeneration,
            key.count != shamirBytes
        {
            faults.append(
                "core/hsm/barrier-unseal-keys has \(key.count) bytes; with a shamir seal it has \(shamirBytes).")
        }
        return faults
    }

    /// What is said of a keyring that cannot hold the keys that there must be: one for each term that an entry has, up to the
    /// active one. A server keeps all keys, and no entry stands in a term behind the active one.
    private static func shortKeyring(_ counts: KeyringCounts) -> String? {
        guard counts.hasKeyring, counts.namespace != KeyringCounts.others else { return nil }
        let last = counts.activeTerm ?? 1
        let terms = Set(counts.terms.terms.map(\.term).filter { $0 < last }).count + 1
        let least = BarrierEnvelope.shortest + KeyringForm.fewestBytes(terms)
        guard counts.keyringBytes < least else { return nil }
        let folder = counts.namespace.map { "namespaces/\($0)/" } ?? ""
        return "\(folder)core/keyring has \(counts.keyringBytes) bytes, and with the \(terms == 1 ? "key" : "keys") of "
            + "\(terms) \(plural(terms, "term")) at least \(least): it is cut off, and nothing can be decrypted without it. "
            + "Restore it from a backup."
    }

    /// The root key of 32 bytes, as base64 in JSON, sealed: `0a 4c`, 76 bytes, `2a 00`. Vault 1.15 and later may add to it.
    private static let shamirBytes = 80

    private static func missing(_ tally: StructureTally, _ seal: SealDescription?) -> [String] {
        // One of the first releases has not all of them.
        guard tally.seal.hasKeyring else { return [] }
        var missing: [String] = []
        if tally.keyrings.first?.activeTerm == nil { missing.append("core/master or core/root-key") }
        if !tally.hasMounts { missing.append("core/mounts") }
        if !tally.hasLoginMounts { missing.append("core/auth") }
        if !tally.hasClusterInformation { missing.append("core/cluster/local/info") }
        if !tally.hasWrappingKey { missing.append("core/wrapping/jwtkey") }
        if !tally.hasPolicies { missing.append("sys/policy/…") }
        return missing
    }

    /// Entries that look damaged.
    package var suspicious: Int { suspicions.reduce(0) { $0 + $1.entries } }

    /// Whether so much is missing that the listing must have been cut off; one of them alone may be a release's way.
    var isIncomplete: Bool { missing.count > 1 }

    /// What needs an explanation, in a sentence or two each: damage, faults of seal and keyring, what is missing.
    package var faults: [String] {
        var faults = sealFaults
        if isIncomplete {
            faults.append(
                "\(missing.joined(separator: ", ")) are missing, which servers write at their first unsealing: the store is not "
                    + "all there.")
        }
        return faults + signs
            + suspicions.map { suspicion in
                let named = suspicion.first.prefix(Self.mostNamedInSentences).map { "\($0)" }.joined(separator: ", ")
                return "\(suspicion.entries) suspicious \(plural(suspicion.entries, "entry", "entries")), "
                    + "\(suspicion.damage.meaning): \(named)"
                    + (suspicion.entries > Self.mostNamedInSentences ? " and others." : ".")
            }
    }

    private static let mostNamedInSentences = 3

    /// Whether nothing was found that needs an explanation.
    package var isSound: Bool { suspicions.isEmpty && signs.isEmpty && sealFaults.isEmpty && !isIncomplete }

    /// What to know before a server is started on the store, or on a copy of it.
    package var remarks: [String] {
        (seal?.remarks ?? []).filter { remark in !sealFaults.contains(remark) } + layoutRemarks
    }

    /// The same without what the seal alone tells.
    package var layoutRemarks: [String] {
        var remarks = layout.serverRemarks(namespaces: sealedNamespaces.count + openNamespaces)
        if !sealedNamespaces.isEmpty {
            remarks.append(
                "Namespaces with a seal of their own need key shares of their own: "
                    + sealedNamespaces.prefix(10).map { "\($0.id)" }.joined(separator: ", ")
                    + (sealedNamespaces.count > 10 ? " and \(sealedNamespaces.count - 10) more." : "."))
        }
        if sealWrapped.all > 0 {
            remarks.append(
                "Entries are wrapped by a seal, as Vault Enterprise does: neither OpenBao nor Vault's open edition reads those."
            )
        }
        if missing.count == 1 { remarks.append("\(missing[0]) is missing, which servers have had since long.") }
        return remarks
    }

    /// Folders and mounts of which two stores do not hold as much.
    package static func placesThatDiffer(
        _ left: StructureReport, _ right: StructureReport
    ) -> [(prefix: StorageKey, left: (entries: Int, bytes: Int), right: (entries: Int, bytes: Int))] {
        var there: [StorageKey: PlaceCounts.Place] = [:]
        for place in right.places { there[place.prefix] = place }
        var found: [(prefix: StorageKey, left: (entries: Int, bytes: Int), right: (entries: Int, bytes: Int))] = []
        for place in left.places {
            let other = there.removeValue(forKey: place.prefix) ?? PlaceCounts.Place(prefix: place.prefix)
            guard other != place else { continue }
            found.append((place.prefix, (place.entries, place.bytes), (other.entries, other.bytes)))
        }
        for place in there.values { found.append((place.prefix, (0, 0), (place.entries, place.bytes))) }
        return found.sorted { $0.prefix < $1.prefix }
    }
}
