import Digest
import Glibc
import Storage

/// A manifest that somebody kept, as one side of a comparison. It is read to its end whatever part of it is wanted, and its
/// lines must give the keyspace digest and the count that it states itself.
package final class SavedManifest: DigestSource {
    private let path: String
    private let scope: KeyScope
    private let isKeyed: Bool
    private let reader: ManifestReader
    private let whole: SHA256Hasher
    private var part: KeyspaceDigest
    private var lastKey: [UInt8]?
    private var lines = 0
    private var stated: [String: String] = [:]
    /// Entries that are wanted.
    private(set) var totals = KeyspaceTotals()

    /// - Parameter key: The secret of a keyed manifest.
    /// - Throws: If the file cannot be opened, or is not of the kind that the secret says.
    package init(path: String, scope: KeyScope, key: ManifestKey? = nil) throws {
        self.path = path
        self.scope = scope
        isKeyed = key != nil
        reader = try ManifestReader(path: path, advice: "It is damaged, or no manifest.")
        whole = try SHA256Hasher()
        part = try KeyspaceDigest()
        try KeyedManifest.check(reader.header(), of: path, key)
    }

    /// Whether what was read once is there to be read again, as behind a pipe it is not.
    static func canBeReadTwice(_ path: String) -> Bool {
        var info = stat()
        return stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFREG
    }

    /// Reads a manifest to its end, to see that it is whole and what its digest stands for.
    ///
    /// - Returns: Its keyspace digest.
    @discardableResult
    static func verify(_ path: String, key: ManifestKey? = nil) throws -> String {
        let manifest = try SavedManifest(path: path, scope: KeyScope(), key: key)
        while let page = try manifest.next() { page.recycle() }
        return try manifest.finish()
    }

    package func next() throws -> (any DigestPage)? {
        while let page = try reader.nextPage(remark: note, line: take) {
            if page.count > 0 { return page }
            page.recycle()
        }
        return nil
    }

    /// Notes what stands behind a `#`.
    private func note(_ line: UnsafeRawBufferPointer) {
        let text = String(decoding: line.dropFirst(), as: UTF8.self)
        guard let colon = text.firstIndex(of: ":") else { return }
        let name = text[..<colon].filter { $0 != " " }
        stated[name] = String(text[text.index(after: colon)...]).filter { $0 != " " && $0 != "\r" }
    }

    /// Counts a line.
    ///
    /// - Returns: Whether its key is wanted.
    private func take(_ line: UnsafeRawBufferPointer, _ key: UnsafeRawBufferPointer) throws -> Bool {
        let isBehind = lastKey.map { last in last.withUnsafeBytes { compareBytes($0, key) < 0 } } ?? true
        guard isBehind else {
            throw StorageError(
                .damagedStore,
                "\(path): the key \(escapedKey(key)) is not behind the one before it. It is damaged, or no manifest.")
        }
        guard !isKeyed || KeyedManifest.isHashedName(key) else {
            throw StorageError(
                .damagedStore, "\(path) has a line that no keyed manifest has. It is damaged, or no manifest.")
        }
        lastKey = Array(key)
        lines += 1
        try whole.update(line)
        guard scope.contains(key) else { return false }
        totals.entries += 1
        if !scope.isWhole { try part.add(Array(line)) }
        return true
    }

    /// The keyspace digest of what is wanted, once all was read.
    ///
    /// - Throws: If the manifest is not whole, or not what its digest stands for.
    package func finish() throws -> String {
        let digest = try whole.finish().hexadecimal
        guard let said = stated["keyspacedigest"], !said.isEmpty else {
            throw StorageError(
                .damagedStore,
                "\(path) states no keyspace digest: it was not written to its end, or is no manifest. Nothing is proven by it."
            )
        }
        guard said == digest else {
            // Whatever else stands there is shown nobody.
            let isDigest = said.utf8.count == 64 && said.utf8.allSatisfy { hexDigitValue($0) != nil }
            throw StorageError(
                .damagedStore,
                "\(path) was changed: it states \(isDigest ? "the keyspace digest \(said)" : "another keyspace digest"), and its \(lines) lines give \(digest). "
                    + "Nothing is proven by it.")
        }
        guard stated["entries"] == "\(lines)" else {
            throw StorageError(
                .damagedStore,
                "\(path) was changed: it has \(lines) lines and does not say so. Nothing is proven by it.")
        }
        return scope.isWhole ? digest : try part.finish()
    }

    package func stop() {}
}
