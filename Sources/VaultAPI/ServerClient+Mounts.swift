package import Digest
import JSON

/// A secrets engine that a server serves.
package struct ServedMount: Sendable, Equatable {
    /// With a slash at its end.
    package let path: [UInt8]
    /// `kv`, `pki`, …; escaped.
    package let type: String
}

extension ServerClient {
    /// More than this no server has.
    private static let mostMounts = 100_000

    /// The secrets engines of the root namespace.
    ///
    /// - Parameter token: One that may read `sys/mounts`.
    package func mounts(_ token: SecretBytes) throws(VaultAPIError) -> [ServedMount] {
        try perform("GET", "sys/mounts", token: token) { (root) throws(VaultAPIError) in
            guard let data = root?["data"], data.kind == .object else {
                throw VaultAPIError(.foreign, "GET sys/mounts: the answer has no mounts.")
            }
            return data.members.lazy.prefix(Self.mostMounts).map { name, mount in
                ServedMount(path: Array(name), type: Self.word(mount["type"]) ?? "")
            }
        }.value
    }

    /// Reads what is at a path, and tells whether anything is.
    ///
    /// - Parameter path: As the API has it: `kv/name`, `secret/data/name`. What no URL may hold is encoded.
    /// - Returns: How many members the data has. Nothing of it is kept.
    /// - Throws: `.unsupported` if nothing is there.
    package func read(_ path: String, _ token: SecretBytes) throws(VaultAPIError) -> Int {
        try perform("GET", Self.encoded(path), token: token) { (root) throws(VaultAPIError) -> Int in
            guard let data = root?["data"], data.kind == .object, data.count > 0 else {
                throw VaultAPIError(.unsupported, "GET \(Self.encoded(path)): the answer holds no data.")
            }
            return data.count
        }.value
    }

    /// A path as it stands in a URL: everything but unreserved characters and `/` as `%hh` (RFC 3986).
    static func encoded(_ path: String) -> String {
        var text = ""
        for byte in path.utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "A")...UInt8(ascii: "Z"):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "/"):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default: text += (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
            }
        }
        return text
    }
}
