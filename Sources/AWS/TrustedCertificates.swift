package import HTTPClient

/// Whom requests over TLS trust in place of the system's certificates: `AWS_CA_BUNDLE`, else `ca_bundle` of the profile
/// (AWS SDKs and Tools Reference Guide, "General configuration settings"), else `SSL_CERT_FILE`, as Vault's own client.
package struct TrustedCertificates: Sendable, Equatable {
    /// The file; `nil` for the system's.
    package let file: String?
    /// What names the file, for messages.
    package let source: String?

    /// - Parameter environment: `HOME` among it.
    package init(environment: [String: String]) {
        self.init(environment: environment, SharedConfiguration(environment: environment))
    }

    init(environment: [String: String], _ configuration: SharedConfiguration) {
        let name = environment.profileName
        if let path = environment.nonEmpty("AWS_CA_BUNDLE") {
            (file, source) = (path, "AWS_CA_BUNDLE")
        } else if let path = configuration.profiles[name]?["ca_bundle"] {
            (file, source) = (path, "ca_bundle of profile \"\(shown(name.utf8))\"")
        } else if let path = environment.nonEmpty("SSL_CERT_FILE") {
            (file, source) = (path, "SSL_CERT_FILE")
        } else {
            (file, source) = (nil, nil)
        }
    }

    /// Sets a client up to trust them, and to say so when a server is not trusted.
    package func apply(to configuration: inout HTTPConfiguration) {
        configuration.certificates = file.map { .file($0) }
        configuration.trustAdvice =
            if let file, let source {
                "The certificates that are trusted are those in \(shown(file.utf8)), which \(source) names: it must be a "
                    + "PEM file with the authority of the server, or of the proxy that stands in for it"
            } else {
                "The system's certificates are trusted: if the server, or a proxy that stands in for it, has one of another "
                    + "authority, name a PEM file with that authority in AWS_CA_BUNDLE"
            }
    }
}
