/// The keys whose signatures the practice table takes.
package struct PracticeCredentials: Sendable {
    /// Secret keys by access key id.
    let secrets: [String: String]

    /// - Parameter secrets: Secret keys by access key id; not empty.
    package init(_ secrets: [String: String]) {
        self.secrets = secrets
    }
}
