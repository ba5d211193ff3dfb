import Digest
package import Storage
import Zlib

/// A secrets engine, an authentication method or an audit device, as a mount table names it. Nothing else of the table is kept.
package struct Mount: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable {
        case secrets, auth, audit

        /// The folder that holds the mount's own.
        fileprivate var folder: String {
            switch self {
            case .secrets: "logical/"
            case .auth: "auth/"
            case .audit: "audit/"
            }
        }
    }

    package let kind: Kind
    /// Where it is mounted, escaped, with `auth/` before it for a method.
    package let path: String
    /// The name of its plugin: `kv`, `pki`, `userpass`, …
    package let type: String
    /// Id of its folder, escaped.
    package let uuid: String
    /// Id of the namespace that it lies in, escaped; empty for the root's.
    package let namespace: String
    /// Folder in the store that holds its entries.
    package let folder: StorageKey
}

/// The mounts that the tables of a store name. Tables are decrypted into locked memory, and only path, type and id are taken.
package struct MountTables: Sendable {
    /// A server takes about 14,000; more are none of a store.
    private static let mostMounts = 200_000
    private static let mostNamespaces = 100_000
    /// Bytes of one table, decompressed.
    private static let mostBytes = 64 << 20
    private static let longestText = 4096

    package private(set) var mounts: [Mount] = []
    /// Tables that could not be read, and why.
    package private(set) var problems: [String] = []
    /// Whether there are more mounts than are kept.
    private var isCut = false
    /// Folders of namespaces with a seal of their own, whose mounts are not known.
    package private(set) var sealed: [StorageKey] = []

    private static let tables: [(key: String, kind: Mount.Kind)] = [
        ("core/mounts", .secrets), ("core/local-mounts", .secrets), ("core/auth", .auth), ("core/local-auth", .auth),
        ("core/audit", .audit), ("core/local-audit", .audit),
    ]

    /// Reads all tables of a store, the namespaces' as well, in either of their forms: one entry a table, or one a mount
    /// (OpenBao on backends with transactions).
    package init(_ store: any StorageSource, _ barrier: OpenedBarrier) throws(ProofFailure) {
        do {
            try read(store, barrier, namespace: [])
            let names = try store.list(StorageKey(NamespaceSeals.folder))
            if names.count > Self.mostNamespaces {
                problems.append(
                    "namespaces/ has more than \(Self.mostNamespaces) folders: only the first were looked at.")
            }
            for name in names.prefix(Self.mostNamespaces)
            where name.bytes.last == UInt8(ascii: "/") {
                let id = Array(name.bytes.dropLast())
                guard id.withBytes({ barrier.namespaces.isRooted($0) }) else {
                    sealed.append(StorageKey(Array(NamespaceSeals.folder.utf8) + name.bytes))
                    continue
                }
                try read(store, barrier, namespace: id)
            }
        } catch let error as StorageError {
            throw ProofFailure(error)
        } catch {
            throw ProofFailure(.system, "\(error)")
        }
    }

    private mutating func read(_ store: any StorageSource, _ barrier: OpenedBarrier, namespace: [UInt8]) throws {
        let base = namespace.isEmpty ? [] : Array(NamespaceSeals.folder.utf8) + namespace + [UInt8(ascii: "/")]
        for table in Self.tables {
            let key = StorageKey(base + Array(table.key.utf8))
            var keys = [key]
            let folder = StorageKey(key.bytes + [UInt8(ascii: "/")])
            keys += try store.list(folder).filter { $0.bytes.last != UInt8(ascii: "/") }.map {
                StorageKey(folder.bytes + $0.bytes)
            }
            for key in keys {
                guard let value = try store.get(key) else { continue }
                guard mounts.count < Self.mostMounts else {
                    if !isCut { problems.append("\(key) and others were not read: there are too many mounts.") }
                    isCut = true
                    return
                }
                try read(value, key, barrier, (table.kind, namespace, base))
            }
        }
    }

    private typealias Table = (kind: Mount.Kind, namespace: [UInt8], base: [UInt8])

    private mutating func read(
        _ value: [UInt8], _ key: StorageKey, _ barrier: OpenedBarrier, _ table: Table
    ) throws(DigestError) {
        let opened = try value.withBytes { (value) throws(DigestError) in
            try key.bytes.withBytes { (key) throws(DigestError) in try barrier.open(value, under: key) }
        }
        guard let opened else {
            problems.append(
                "\(key) does not open with the keyring: it is damaged.")
            return
        }
        guard let plain = try decompressed(opened, key) else { return }
        let found = plain.withBytes { Self.mounts($0, table) }
        guard let found else { return problems.append("\(key) holds no mount table that Sealift understands.") }
        mounts += found
    }

    /// The text behind the byte that names a compression; without one it stands there as it is (Vault 1.14
    /// `sdk/helper/compressutil`).
    private mutating func decompressed(_ plain: SecretBytes, _ key: StorageKey) throws(DigestError) -> SecretBytes? {
        switch plain.withBytes({ $0.first }) {
        case UInt8(ascii: "G"):
            if let text = try Self.inflated(plain) { return text }
            problems.append("\(key) is compressed with gzip, and damaged.")
            return nil
        case UInt8(ascii: "L"), UInt8(ascii: "S"), UInt8(ascii: "4"):
            problems.append("\(key) is compressed in a way that Sealift does not read (LZW, Snappy or LZ4).")
            return nil
        default: return plain
        }
    }

    private static func inflated(_ plain: SecretBytes) throws(DigestError) -> SecretBytes? {
        do {
            let inflater = try GzipInflater(isSecret: true)
            var room = try SecretBytes(room: 64 << 10)
            var count = 0
            try plain.withBytes { bytes in
                try inflater.inflate(UnsafeRawBufferPointer(rebasing: bytes.dropFirst())) { piece in
                    guard count + piece.count <= mostBytes else { throw SecretJSON.Failure() }
                    if count + piece.count > room.count {
                        let larger = try SecretBytes(room: 2 * (count + piece.count))
                        larger.withMutableBytes { target in room.withBytes { target.copyMemory(from: $0) } }
                        room = larger
                    }
                    room.withMutableBytes { target in
                        UnsafeMutableRawBufferPointer(rebasing: target[count...]).copyMemory(from: piece)
                    }
                    count += piece.count
                }
            }
            guard inflater.isAtMemberEnd else { return nil }
            room.truncate(to: count)
            return room
        } catch let error as DigestError {
            throw error
        } catch {
            return nil
        }
    }

    /// - Returns: `nil` if the text is neither a table nor one of its entries.
    private static func mounts(_ text: UnsafeRawBufferPointer, _ table: Table) -> [Mount]? {
        var json = SecretJSON(text)
        var mounts: [Mount] = []
        var isTable = false
        do throws(SecretJSON.Failure) {
            var only = Fields()
            try json.members { (json, name) throws(SecretJSON.Failure) in
                if SecretJSON.isName(name, "entries"), try json.kind() == .array {
                    isTable = true
                    try json.elements { (json) throws(SecretJSON.Failure) in
                        var fields = Fields()
                        try json.members { (json, name) throws(SecretJSON.Failure) in try fields.take(&json, name) }
                        guard mounts.count < mostMounts, let mount = fields.mount(table) else {
                            throw SecretJSON.Failure()
                        }
                        mounts.append(mount)
                    }
                } else {
                    try only.take(&json, name)
                }
            }
            if !isTable {
                // A table without mounts has "entries": null.
                if only.isEmptyTable { return [] }
                guard let mount = only.mount(table) else { return nil }
                mounts.append(mount)
            }
            return mounts
        } catch {
            return nil
        }
    }

    /// What is taken of an entry.
    private struct Fields {
        var path: [UInt8]?
        var type: [UInt8]?
        var uuid: [UInt8]?
        var isEmptyTable = false

        mutating func take(_ json: inout SecretJSON, _ name: UnsafeRawBufferPointer) throws(SecretJSON.Failure) {
            if SecretJSON.isName(name, "path") {
                path = try text(&json)
            } else if SecretJSON.isName(name, "type") {
                type = try text(&json)
            } else if SecretJSON.isName(name, "uuid") {
                uuid = try text(&json)
            } else {
                if SecretJSON.isName(name, "entries") { isEmptyTable = true }
                try json.skip()
            }
        }

        private func text(_ json: inout SecretJSON) throws(SecretJSON.Failure) -> [UInt8]? {
            guard try json.kind() == .text else {
                try json.skip()
                return nil
            }
            let text = try json.text()
            return text.count <= longestText ? SecretJSON.unescaped(text) : nil
        }

        func mount(_ table: Table) -> Mount? {
            guard let path, let type, let uuid, !type.isEmpty else { return nil }
            func shown(_ bytes: [UInt8]) -> String { bytes.withBytes { escapedKey($0) } }
            return Mount(
                kind: table.kind, path: (table.kind == .auth ? "auth/" : "") + shown(path), type: shown(type),
                uuid: shown(uuid), namespace: shown(table.namespace), folder: folder(table, type, uuid))
        }

        /// The system's own mounts keep their entries elsewhere.
        private func folder(_ table: Table, _ type: [UInt8], _ uuid: [UInt8]) -> StorageKey {
            let name = type.starts(with: "ns_".utf8) ? Array(type.dropFirst(3)) : type
            if table.kind == .secrets, name.elementsEqual("system".utf8) {
                return StorageKey(table.base + Array("sys/".utf8))
            }
            if table.kind == .auth, name.elementsEqual("token".utf8) {
                return StorageKey(table.base + Array("sys/token/".utf8))
            }
            return StorageKey(table.base + Array(table.kind.folder.utf8) + uuid + [UInt8(ascii: "/")])
        }
    }
}
