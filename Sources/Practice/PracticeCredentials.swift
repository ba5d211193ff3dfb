import Glibc
package import Storage
import Wording

/// The keys whose signatures the practice table takes. Printing them shows how many there are and nothing else.
package struct PracticeCredentials: Sendable, CustomStringConvertible, CustomReflectable {
    /// Longest file that is read.
    private static let maximumFileBytes = 1 << 20

    /// Secret keys by access key id.
    let secrets: [String: String]

    /// - Parameter secrets: Secret keys by access key id.
    package init(_ secrets: [String: String]) {
        self.secrets = secrets
    }

    /// Reads a file in the form of `~/.aws/credentials`: every profile's `aws_access_key_id` and
    /// `aws_secret_access_key`.
    ///
    /// - Returns: `nil` if it has no pair of them.
    package init?(parsing text: String) {
        var secrets: [String: String] = [:]
        var (keyID, secret): (String?, String?)
        func trimmed(_ text: Substring) -> String {
            String(text.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
        }
        for line in text.split(whereSeparator: \.isNewline) {
            let line = trimmed(line)
            if line.hasPrefix("[") { (keyID, secret) = (nil, nil) }
            guard let equals = line.firstIndex(of: "="), !line.hasPrefix("#") else { continue }
            let value = trimmed(line[line.index(after: equals)...])
            switch trimmed(line[..<equals]).lowercased() {
            case "aws_access_key_id": keyID = value
            case "aws_secret_access_key": secret = value
            default: continue
            }
            if let keyID, let secret, !keyID.isEmpty, !secret.isEmpty { secrets[keyID] = secret }
        }
        guard !secrets.isEmpty else { return nil }
        self.secrets = secrets
    }

    /// Reads such a file.
    ///
    /// - Returns: `nil` if it has no pair of keys.
    /// - Throws: `StorageError` if it cannot be read or is too large for what it should be.
    package init?(file path: String) throws(StorageError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw StorageError.system("open", path, errno: errno) }
        defer { close(descriptor) }
        var text: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(descriptor, &room, room.count)
            guard count >= 0 else { throw StorageError.system("read", path, errno: errno) }
            if count == 0 { break }
            text += room.prefix(count)
            guard text.count <= Self.maximumFileBytes else {
                throw StorageError(.configuration, "\(path) is larger than a file of credentials is. Correct the path.")
            }
        }
        self.init(parsing: String(decoding: text, as: UTF8.self))
    }

    package var description: String { "\(secrets.count) \(plural(secrets.count, "access key"))" }

    package var customMirror: Mirror { Mirror(self, children: ["count": secrets.count]) }
}
