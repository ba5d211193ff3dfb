import Storage

/// Which of OpenBao's namespaces have a keyring of their own, and which are reached by the root's.
///
/// A namespace keeps all of its entries below `namespaces/<uuid>/`. With a seal of its own it has `core/keyring` there; without
/// one it uses that of its nearest ancestor that has. Its record lies in `core/namespaces/<uuid>` of its parent.
struct NamespaceSeals: Sendable {
    static let folder = "namespaces/"
    private static let records = "core/namespaces/"
    /// Beyond this the rest is only tried, which is all that is lost.
    private static let most = 100_000

    /// Ids of those whose entries the root's keyring must open; `nil` if it is all of them.
    let rooted: Set<StorageKey>?

    init(_ store: any StorageSource) throws(StorageError) {
        var sealed: Set<StorageKey> = []
        for name in try store.list(StorageKey(Self.folder)).prefix(Self.most) where name.bytes.last == UInt8(ascii: "/")
        {
            let id = StorageKey(Array(name.bytes.dropLast()))
            if try store.get(Self.keyring(of: id)) != nil { sealed.insert(id) }
        }
        guard !sealed.isEmpty else {
            rooted = nil
            return
        }
        var found: Set<StorageKey> = []
        var waiting = [StorageKey(Self.records)]
        while let folder = waiting.popLast(), found.count < Self.most {
            for id in try store.list(folder) where id.bytes.last != UInt8(ascii: "/") && !sealed.contains(id) {
                guard found.insert(id).inserted else { continue }
                waiting.append(StorageKey(Array(Self.folder.utf8) + id.bytes + Array("/\(Self.records)".utf8)))
            }
        }
        rooted = found
    }

    private static func keyring(of id: StorageKey) -> StorageKey {
        StorageKey(Array(folder.utf8) + id.bytes + Array("/".utf8) + StorageKey.keyring.bytes)
    }

    /// The id and the rest of a key below `namespaces/`; `nil` for another key.
    static func parts(_ key: UnsafeRawBufferPointer) -> (id: UnsafeRawBufferPointer, rest: UnsafeRawBufferPointer)? {
        guard key.starts(with: folder.utf8) else { return nil }
        let inner = key[folder.utf8.count...]
        guard let slash = inner.firstIndex(of: UInt8(ascii: "/")) else { return nil }
        return (
            UnsafeRawBufferPointer(rebasing: inner[..<slash]), UnsafeRawBufferPointer(rebasing: inner[(slash + 1)...])
        )
    }

    /// Whether the root's keyring must open what lies in a namespace.
    func isRooted(_ id: UnsafeRawBufferPointer) -> Bool {
        guard let rooted else { return true }
        return rooted.contains(StorageKey(copying: id))
    }
}
