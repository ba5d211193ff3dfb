package import Storage

/// What a backend supplies so that its promises can be checked.
package protocol StorageHarness: AnyObject, Sendable {
    /// The store's kind, for messages.
    var name: String { get }
    /// Where this backend honestly differs from the common model, each with its reason.
    var differences: [Difference: String] { get }
    /// A store without entries, at a place of its own.
    func makeEmpty() throws -> any StorageBackend
    /// Closes a store and opens the same place again.
    func reopen(_ store: any StorageBackend) throws -> any StorageBackend
}

/// A part of the common model that some backends cannot keep.
package enum Difference: String, Sendable, CaseIterable {
    case noEmptyKey = "the empty key"
    case noUncleanedKeys = "keys with an empty or dot segment, or a slash at an end"
    case noParentReferences = "keys with two dots in a row"
    case noZeroBytes = "keys with a zero byte"
    case noLongSegments = "segments of 250 bytes and more"
    case noUnderscoreNeighbours = "an entry x beside a directory _x"
    case forgetsOnClose = "entries after the store was closed"

    /// The difference under which a key is refused; `nil` if every store must keep it.
    package init?(refusing key: StorageKey) {
        let bytes = key.bytes
        let segments = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        if bytes.isEmpty {
            self = .noEmptyKey
        } else if bytes.contains(0) {
            self = .noZeroBytes
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

    /// Fails unless the backend declares the difference.
    func requireDeclared(_ difference: Difference?, for key: StorageKey) throws {
        guard let difference, differences[difference] != nil else {
            throw PromiseFailure("\(name) refuses the key \(key) without declaring a difference")
        }
    }

    /// The keys that this store takes side by side; fails if one is missing that no declared difference covers.
    func acceptable(_ keys: [StorageKey], _ limits: StorageLimits) throws -> [StorageKey] {
        var accepted: [StorageKey] = []
        for key in keys {
            if key.bytes.withUnsafeBytes({ limits.objection(to: $0, valueCount: 1) }) != nil {
                try requireDeclared(Difference(refusing: key), for: key)
                continue
            }
            let rivals = key.bytes.withUnsafeBytes { limits.rivals(of: $0) }
            if rivals.contains(where: keys.contains) {
                try requireDeclared(.noUnderscoreNeighbours, for: key)
                continue
            }
            accepted.append(key)
        }
        return accepted
    }
}
