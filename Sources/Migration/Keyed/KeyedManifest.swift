import Storage

/// A manifest that tells nobody without its secret which entries there are: in place of value and key each line has their
/// codes, and the order is that of the codes of the keys. See ``KeyedHasher`` for what the codes are made of.
package enum KeyedManifest {
    static let title = "sealift keyed manifest 1"
    private static let anyTitle = "sealift keyed manifest"
    private static let checkName = "key check: "

    /// The first lines of its header, without the sign they begin with.
    ///
    /// - Parameter keyCheck: See ``ManifestKey/check()``.
    package static func header(keyCheck: String) -> [String] {
        [
            title, "value: HMAC-SHA-256 of \"value:<SHA-256 of the value, hexadecimal>:<key>\"",
            "name: HMAC-SHA-256 of \"name:<key>\"", "\(checkName)\(keyCheck)",
        ]
    }

    /// Whether a name is the code of a key, in hexadecimal.
    static func isHashedName(_ name: UnsafeRawBufferPointer) -> Bool {
        name.count == 64 && name.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    /// Sees that a manifest is keyed if there is a secret, by that secret, and plain if there is none.
    ///
    /// - Parameter header: Its lines with the sign they begin with.
    static func check(_ header: [String], of path: String, _ key: ManifestKey?) throws {
        let lines = header.map { line in
            let text = line.drop { $0 == "#" || $0 == " " }
            return String(text.reversed().drop { $0.isWhitespace }.reversed())
        }
        guard let said = lines.first(where: { $0.hasPrefix(anyTitle) }) else {
            guard key == nil else {
                throw StorageError(
                    .damagedStore,
                    "\(path) is no keyed manifest: it does not begin with \"# \(title)\". To hold a store against a plain one, "
                        + "leave out -key-file.")
            }
            return
        }
        guard let key else {
            throw StorageError(
                .configuration,
                "\(path) is a keyed manifest. Name the file with its secret: -key-file FILE. Nothing was compared.")
        }
        guard said == title else {
            throw StorageError(
                .unsupported,
                "\(path) is a keyed manifest of another version than 1. Use the version of Sealift that wrote it.")
        }
        guard let check = lines.first(where: { $0.hasPrefix(checkName) })?.dropFirst(checkName.count) else {
            throw StorageError(
                .damagedStore,
                "\(path) has no \"key check\" line in its header: it is damaged. Nothing is proven by it.")
        }
        guard try key.check() == check else {
            throw StorageError(
                .configuration,
                "\(path) was written with another secret than that in -key-file (its key check differs). Name the file that was "
                    + "used then. Nothing was compared.")
        }
    }
}
