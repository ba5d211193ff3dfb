package import JSON
import Storage

/// The lock that an active node keeps in the table and renews every five seconds
/// (Vault 1.14 `physical/dynamodb`, `DynamoDBLockRecord`): Identity, Value (the node's id) and Expires in nanoseconds.
package struct ActiveLock: Sendable {
    package static let place = ItemKey(path: Array("core".utf8), name: Array("_lock".utf8))
    private static let maximumShown = 64

    /// Who holds it, escaped.
    package let holder: String
    /// Nanoseconds since 1970; `nil` in very old locks, which say nothing about a living server. A time that cannot be
    /// read has not passed.
    package let expires: Int?

    /// - Returns: `nil` for an item that is not the lock, and for a very old lock.
    package init?(_ item: JSONNode) {
        let parts: ItemReader.Parts
        do throws(StorageError) { parts = try ItemReader.parts(of: item) } catch { return nil }
        guard parts.kind == .lock, parts.hasLockAttributes else { return nil }
        expires = item["Expires"].map { $0["N"]?.text.flatMap(Self.nanoseconds) ?? .max }
        holder = Self.text(item["Identity"]) ?? Self.text(item["Value"]) ?? "unknown"
    }

    /// The service writes whole numbers out; others may not.
    private static func nanoseconds(_ text: String) -> Int? {
        Int(text) ?? Double(text).flatMap { Int(exactly: $0.rounded()) }
    }

    /// Identity and Value are texts, kept as binary.
    private static func text(_ attribute: JSONNode?) -> String? {
        guard let encoded = attribute?["B"]?.bytes, !encoded.isEmpty, encoded.count < 1024 else { return nil }
        let bytes = [UInt8](unsafeUninitializedCapacity: Base64.maximumDecodedCount(encoded.count) + 3) { room, used in
            used = Base64.decode(encoded, into: UnsafeMutableRawBufferPointer(room)) ?? 0
        }
        return bytes.isEmpty ? nil : "\(StorageKey(Array(bytes.prefix(maximumShown))))"
    }

    package func isLive(atSecond now: Int) -> Bool {
        guard let expires else { return false }
        return expires / 1_000_000_000 >= now
    }
}
