import Storage

/// What can be told of a store's entries without any secret: counts by mount and by key term, what is missing, and which
/// entries look damaged.
///
/// Entries are counted one after the other, in any order, on any number of threads, each with a tally of its own that is
/// merged into one at the end; ``finish()`` then judges. What it says does not depend on the order, as long as there are
/// not more namespaces than ``mostNamespaces``. Memory is bounded: the first entries of each kind of damage are kept by
/// name, all are counted. Of values, only the two that describe the seal are kept until then.
package struct StructureTally: Sendable {
    /// More namespaces are not kept apart.
    static let mostNamespaces = 1000
    /// Entries of each kind of damage that are kept by name.
    static let mostNamed = 20
    /// The longest of the entries in clear that is looked into, in bytes.
    private static let longestPlaintext = 64 << 10

    var entries = 0
    /// Of keys and values.
    var bytes = 0
    var places = PlaceCounts()
    var seal = SealReading()
    var layout = StoreLayout()
    /// The store itself, and behind it its namespaces.
    var keyrings = [KeyringCounts(namespace: nil)]
    private var numbers: [StorageKey: Int] = [:]
    /// Entries that are encrypted by the keyring of whoever is above a namespace.
    var ofSomeKeyring = TermCounts()
    var damaged: [Damage: FirstKeys] = [:]
    /// Entries that servers write in clear.
    var inClear = 0
    /// Entries sealed once more, as Vault Enterprise does: the barrier's envelope inside, encrypted by the seal, or by several.
    var sealWrapped = SealWrapCounts()
    /// What is kept below `wal/`, `index/` and `raftchunking/` in a form of its own.
    var ofOtherForm = 0
    /// What the whole of the envelopes tells.
    var shapes = ShapeCounts()
    /// What a server writes when it is unsealed for the first time.
    var hasMounts = false
    var hasLoginMounts = false
    var hasClusterInformation = false
    var hasWrappingKey = false
    var hasPolicies = false

    package init() {}

    /// Counts an entry; both parts are borrowed for the call.
    package mutating func count(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        entries += 1
        bytes += key.count + value.count
        places.count(key, bytes: key.count + value.count)
        var name = key
        var number = 0
        if let (id, rest) = Self.namespace(of: key) {
            number = keyring(of: id)
            name = rest
        }
        if name.begins(with: "core/"), countCore(name, key, value, number) { return }
        if number == 0, countTop(key, value) { return }
        judge(value, of: key) { tally, envelope in tally.keyrings[number].terms.count(envelope, of: key) }
    }

    /// Adds what another tally has counted.
    package mutating func merge(_ other: StructureTally) {
        entries += other.entries
        bytes += other.bytes
        places.merge(other.places)
        seal.merge(other.seal)
        layout.merge(other.layout)
        for counts in other.keyrings {
            let number = counts.namespace.map { $0.bytes.withBytes { keyring(of: $0) } } ?? 0
            keyrings[number].merge(counts)
        }
        ofSomeKeyring.merge(other.ofSomeKeyring)
        for (damage, keys) in other.damaged { damaged[damage, default: FirstKeys(most: Self.mostNamed)].add(keys) }
        inClear += other.inClear
        sealWrapped.merge(other.sealWrapped)
        ofOtherForm += other.ofOtherForm
        shapes.merge(other.shapes)
        hasMounts = hasMounts || other.hasMounts
        hasLoginMounts = hasLoginMounts || other.hasLoginMounts
        hasClusterInformation = hasClusterInformation || other.hasClusterInformation
        hasWrappingKey = hasWrappingKey || other.hasWrappingKey
        hasPolicies = hasPolicies || other.hasPolicies
    }

    /// Judges what was counted.
    package func finish() -> StructureReport { StructureReport(self) }

    mutating func add(_ damage: Damage, _ key: UnsafeRawBufferPointer) {
        damaged[damage, default: FirstKeys(most: Self.mostNamed)].add(key)
    }

    // MARK: Namespaces

    private static let namespaces: StorageKey = "namespaces/"

    /// The id of the namespace that a key belongs to, and the key as it is in there.
    private static func namespace(
        of key: UnsafeRawBufferPointer
    ) -> (id: UnsafeRawBufferPointer, rest: UnsafeRawBufferPointer)? {
        guard key.begins(with: namespaces) else { return nil }
        let rest = key[namespaces.bytes.count...]
        guard let slash = rest.firstIndex(of: UInt8(ascii: "/")) else { return nil }
        return (
            UnsafeRawBufferPointer(rebasing: rest[..<slash]), UnsafeRawBufferPointer(rebasing: rest[(slash + 1)...])
        )
    }

    /// Where the entries of a namespace are counted; those of too many, with what some keyring has encrypted.
    private mutating func keyring(of id: UnsafeRawBufferPointer) -> Int {
        if let last = keyrings.last?.namespace, id.equals(last) { return keyrings.count - 1 }
        let namespace = StorageKey(copying: id)
        if let number = numbers[namespace] { return number }
        let isFull = keyrings.count >= Self.mostNamespaces
        let kept = isFull ? KeyringCounts.others : namespace
        if let number = numbers[kept] { return number }
        numbers[kept] = keyrings.count
        keyrings.append(KeyringCounts(namespace: kept))
        return keyrings.count - 1
    }

    // MARK: Entries that are known by name

    /// Counts an entry below `core/` of the store or of a namespace.
    ///
    /// - Returns: Whether nothing else is to be looked at.
    private mutating func countCore(
        _ name: UnsafeRawBufferPointer, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ number: Int
    ) -> Bool {
        let rest = UnsafeRawBufferPointer(rebasing: name.dropFirst(5))
        let isRoot = number == 0
        if isRoot { layout.add(core: rest) }
        let envelope = BarrierEnvelope(value)
        switch rest {
        case "keyring":
            keyrings[number].hasKeyring = true
            keyrings[number].keyringBytes = value.count
            if isRoot { seal.hasKeyring = true }
            // It is encrypted by the root key, and servers write 1 as its term whatever the keys' terms are.
            if let envelope, envelope.term != 1 {
                add(.wrongTerm, key)
                return true
            }
        case "master", "root-key":
            if let term = envelope?.term { keyrings[number].activeTerm = max(keyrings[number].activeTerm ?? 0, term) }
        case "shamir-kek":
            if isRoot { seal.hasShamirKey = true }
            // A key of 32 bytes.
            if envelope != nil, value.count != BarrierEnvelope.shortest + 32 {
                add(.wrongLength, key)
                return true
            }
        case "seal-config" where !isRoot, "recovery-config" where !isRoot:
            // A namespace's is encrypted by whoever is above it.
            judge(value, of: key) { tally, envelope in tally.ofSomeKeyring.count(envelope, of: key) }
            return true
        case "mounts":
            if isRoot { hasMounts = true } else { addTable(of: number) }
        case "auth": if isRoot { hasLoginMounts = true }
        case "cluster/local/info": if isRoot { hasClusterInformation = true }
        case "wrapping/jwtkey": if isRoot { hasWrappingKey = true }
        case _ where rest.hasPrefix("mounts/"): if isRoot { hasMounts = true }
        case _ where rest.hasPrefix("auth/"): if isRoot { hasLoginMounts = true }
        case _ where rest.hasPrefix("upgrade/"):
            if let envelope, let term = Self.number(rest[8...]), envelope.term != term {
                add(.wrongTerm, key)
                return true
            }
        default:
            return countInClear(rest, key, value, isRoot: isRoot)
        }
        return false
    }

    /// A term in decimal digits.
    private static func number(_ digits: Slice<UnsafeRawBufferPointer>) -> UInt32? {
        guard (1...10).contains(digits.count) else { return nil }
        var number: UInt64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            number = number * 10 + UInt64(digit - UInt8(ascii: "0"))
        }
        return UInt32(exactly: number)
    }

    /// Counts an entry that servers write in clear (Vault 1.14 `vault/seal.go`, `vault/core.go`, `vault/rekey.go`).
    ///
    /// - Returns: Whether it is one.
    private mutating func countInClear(
        _ name: UnsafeRawBufferPointer, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, isRoot: Bool
    ) -> Bool {
        let isSound: Bool
        let short = Array(value.prefix(Self.longestPlaintext + 1))
        switch name {
        case "hsm/barrier-unseal-keys":
            if isRoot { seal.storedRootKey = short }
            isSound = PlaintextForm.isSealedKey(short)
        case "recovery-key": isSound = PlaintextForm.isSealedKey(short)
        case "seal-config":
            seal.configuration = short
            isSound = PlaintextForm.isSealConfiguration(short)
        case "recovery-config": isSound = PlaintextForm.isSealConfiguration(short)
        case "unseal-keys-backup", "recovery-keys-backup", "seal-gen-info", "migration":
            isSound = PlaintextForm.isObject(short)
        case "lock", "initialize-lock": isSound = true
        case "hsm/iv": isSound = true
        case _ where name.hasPrefix("lock/"): isSound = true
        default: return false
        }
        inClear += 1
        if !isSound { add(PlaintextForm.damage(value), key) }
        return true
    }

    /// Notes what only the top of a store has.
    ///
    /// - Returns: Whether nothing else is to be looked at.
    private mutating func countTop(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool {
        switch key.first {
        case UInt8(ascii: "s"): if !hasPolicies, key.begins(with: "sys/policy/") { hasPolicies = true }
        case UInt8(ascii: "b"): if key.equals(.firstKeyring) { seal.hasFirstKeyring = true }
        case UInt8(ascii: "w"), UInt8(ascii: "i"), UInt8(ascii: "r"):
            let isLog = ["wal/", "index/", "index-dr/"].contains { key.begins(with: $0) }
            if isLog { layout.addReplicationLogs() }
            guard isLog || key.begins(with: "raftchunking/"), BarrierEnvelope(value) == nil else { return false }
            ofOtherForm += 1
            return true
        default: break
        }
        return false
    }

    private mutating func addTable(of number: Int) {
        if let namespace = keyrings[number].namespace, namespace != KeyringCounts.others {
            layout.add(namespaceWithTable: namespace)
        }
    }

    // MARK: Values

    /// Looks at a value that the barrier should have encrypted.
    ///
    /// - Parameter countTerm: Counts its term.
    private mutating func judge(
        _ value: UnsafeRawBufferPointer, of key: UnsafeRawBufferPointer,
        _ countTerm: (inout StructureTally, BarrierEnvelope) -> Void
    ) {
        // A term of more than 24 bits would need millions of years of rotations.
        if let envelope = BarrierEnvelope(value), value.first == 0 {
            countTerm(&self, envelope)
            look(at: value, of: key)
            return
        }
        switch SealWrap(value) {
        case .none: add(ValueLook.damage(ofNoEnvelope: value), key)
        case .bySeal: sealWrapped.bySeal += 1
        case .bySeveral: sealWrapped.bySeveral += 1
        case .inClear(let inner):
            sealWrapped.inClear += 1
            inner.withUnsafeBytes { inner in
                guard let envelope = BarrierEnvelope(inner), inner.first == 0 else {
                    return add(ValueLook.damage(ofNoEnvelope: inner), key)
                }
                countTerm(&self, envelope)
                look(at: inner, of: key)
            }
        }
    }

    private mutating func look(at envelope: UnsafeRawBufferPointer, of key: UnsafeRawBufferPointer) {
        let lineFeeds = LineFeeds(envelope)
        let damage = ValueLook.damage(ofEnvelope: envelope, lineFeeds)
        if let damage { add(damage, key) }
        shapes.count(envelope, lineFeeds, of: key, isDamaged: damage != nil)
    }
}

/// What one keyring encrypts: the store's own, or that of a namespace, which may have none and use one above it.
struct KeyringCounts: Sendable {
    /// More namespaces than are kept apart.
    static let others: StorageKey = "(others)"

    /// `nil` for the store itself.
    let namespace: StorageKey?
    var hasKeyring = false
    /// Bytes of the keyring's value; 0 without one.
    var keyringBytes = 0
    /// The term in which `core/master` or `core/root-key` is encrypted, which servers write anew with every rotation.
    var activeTerm: UInt32?
    var terms = TermCounts()

    init(namespace: StorageKey?) { self.namespace = namespace }

    /// Whether it is a namespace that is unsealed by itself.
    var isSealed: Bool { namespace != nil && namespace != Self.others && hasKeyring }

    mutating func merge(_ other: KeyringCounts) {
        hasKeyring = hasKeyring || other.hasKeyring
        keyringBytes = max(keyringBytes, other.keyringBytes)
        if let term = other.activeTerm { activeTerm = max(activeTerm ?? 0, term) }
        terms.merge(other.terms)
    }
}
