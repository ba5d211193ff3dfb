/// Where a client gets keys from, asked before each request from any thread.
package protocol CredentialsProvider: Sendable {
    /// Keys that are valid now, without a request of its own as long as those at hand are.
    func credentials() throws(CredentialsError) -> Credentials

    /// Other keys than `rejected`, which a service says have ended; the same ones if there are no others.
    func credentials(replacing rejected: Credentials) throws(CredentialsError) -> Credentials
}

/// There are no keys. Says every place that was looked at; holds nothing secret.
package struct CredentialsError: Error, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// Keys that are what they are.
package struct FixedCredentials: CredentialsProvider {
    private let fixed: Credentials

    package init(_ credentials: Credentials) {
        fixed = credentials
    }

    package func credentials() throws(CredentialsError) -> Credentials { fixed }

    package func credentials(replacing rejected: Credentials) throws(CredentialsError) -> Credentials { fixed }
}
