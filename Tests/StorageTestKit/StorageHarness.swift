package import Storage

/// What a backend supplies so that its promises can be checked.
package protocol StorageHarness: AnyObject, Sendable {
    /// The store's kind, for messages.
    var name: String { get }
    /// Where this backend honestly differs from the common model, each with its reason.
    var differences: [Difference: String] { get }
    /// A store without entries, at a place of its own.
    func makeEmpty() throws -> any FullStore
    /// Closes a store and opens the same place again.
    func reopen(_ store: any FullStore) throws -> any FullStore
    /// How many entries many are: fewer for a server that is slow by itself.
    var manyEntries: Int { get }
}

/// A part of the common model that some backends cannot keep.
package enum Difference: String, Sendable, CaseIterable {
    case noEmptyKey = "the empty key"
    case noUncleanedKeys = "keys with an empty or dot segment, or a slash at an end"
    case noParentReferences = "keys with two dots in a row"
    case noZeroBytes = "keys with a zero byte"
    case noLongSegments = "segments of 250 bytes and more"
    case noUnderscoreNeighbours = "an entry x beside a directory _x"
    case noInvalidUTF8 = "keys that are not valid UTF-8"
    case noLargeValues = "values of more than 400 KB"
    case hidesUnderscoreNames = "names that begin with _ in listings"
    case scansInNoOrder = "the order of keys in scans"
    case forgetsOnClose = "entries after the store was closed"

    /// The difference under which a key is refused; `nil` if every store must keep it.
    package init?(refusing key: StorageKey) {
        let bytes = key.bytes
        let segments = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        if bytes.isEmpty {
            self = .noEmptyKey
        } else if bytes.contains(0) {
            self = .noZeroBytes
        } else if String(validating: bytes, as: UTF8.self) == nil {
            self = .noInvalidUTF8
        } else if zip(bytes, bytes.dropFirst()).contains(where: { $0 == UInt8(ascii: ".") && $1 == $0 }) {
            self = .noParentReferences
        } else if segments.contains(where: { $0.isEmpty || $0.elementsEqual([UInt8(ascii: ".")]) }) {
            self = .noUncleanedKeys
        } else if segments.contains(where: { $0.count >= 250 }) {
            self = .noLongSegments
        } else {
            return nil
        }
    }
}

extension StorageHarness {
    package var differences: [Difference: String] { [:] }

    package var manyEntries: Int { 100_000 }

    /// The names that listing shows of those there are.
    func listed(_ names: [StorageKey]) -> [StorageKey] {
        guard differences[.hidesUnderscoreNames] != nil else { return names }
        return names.filter { $0.bytes.first != UInt8(ascii: "_") }
    }

    /// Fails unless the backend declares the difference.
    func requireDeclared(_ difference: Difference?, for key: StorageKey) throws {
        guard let difference, differences[difference] != nil else {
            throw PromiseFailure("\(name) refuses the key \(key) without declaring a difference")
        }
    }

    /// The keys that this store takes side by side; fails if one is missing that no declared difference covers.
    func acceptable(_ keys: [StorageKey], _ rules: EntryRules) throws -> [StorageKey] {
        var accepted: [StorageKey] = []
        for key in keys {
            if key.bytes.withUnsafeBytes({ rules.objection(to: $0, valueCount: 1) }) != nil {
                try requireDeclared(Difference(refusing: key), for: key)
                continue
            }
            let rivals = key.bytes.withUnsafeBytes { rules.rivals(of: $0) }
            if rivals.contains(where: keys.contains) {
                try requireDeclared(.noUnderscoreNeighbours, for: key)
                continue
            }
            accepted.append(key)
        }
        return accepted
    }
}
