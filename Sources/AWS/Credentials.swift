/// Keys that sign requests. Printing, dumping or interpolating them shows where they come from and nothing else.
package struct Credentials: Sendable {
    package let accessKeyID: String
    package let secretAccessKey: String
    /// Given with temporary keys; goes along with each request.
    package let sessionToken: String?
    /// When the keys end; `nil` if they do not.
    package let expiry: Timestamp?
    /// Where they come from, for people: `environment`, `profile "prod" in ~/.aws/credentials`.
    package let source: String

    package init(
        accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil, expiry: Timestamp? = nil,
        source: String
    ) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken == "" ? nil : sessionToken
        self.expiry = expiry
        self.source = source
    }
}

extension Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "credentials from \(source)" }

    package var debugDescription: String { description }

    package var customMirror: Mirror { Mirror(self, children: ["source": source]) }
}
