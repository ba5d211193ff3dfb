import Storage

/// Finds keys by the codes that stand for them in a keyed manifest.
final class HashedNames {
    private let secret: ManifestKey
    private let keys: () -> [StorageKey]
    private lazy var byName: [StorageKey: StorageKey] = {
        // A key that cannot be hashed is not found, and its entry counts as missing.
        guard let hasher = try? secret.hasher() else { return [:] }
        var found: [StorageKey: StorageKey] = [:]
        for key in keys() { if let name = try? hasher.hashedName(key) { found[StorageKey(name)] = key } }
        return found
    }()

    /// - Parameter keys: The keys to be found; asked for at the first question.
    init(_ secret: ManifestKey, _ keys: @escaping () -> [StorageKey]) {
        self.secret = secret
        self.keys = keys
    }

    /// The key whose code this is, if it is one of them.
    func key(of name: UnsafeRawBufferPointer) -> StorageKey? {
        byName.isEmpty ? nil : byName[StorageKey(copying: name)]
    }
}
