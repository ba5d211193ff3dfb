import Glibc

/// One request; its body is given beside it, since it is borrowed.
package struct HTTPRequest: Sendable {
    package var method: String
    /// `http` or `https`, sent as it stands: path and query must already be encoded.
    package var url: String
    /// Headers in their order. `Host` comes from the URL if it is not here.
    package var headers: [(name: String, value: String)]
    /// Time for the whole request, in place of the client's.
    package var timeout: Duration?

    package init(
        method: String, url: String, headers: [(name: String, value: String)] = [], timeout: Duration? = nil
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.timeout = timeout
    }

    /// The URL without user, password and query, for messages.
    package var shownURL: String {
        let (scheme, host, path) = parts
        return String("\(scheme)\(host)\(path)".prefix(200))
    }

    /// Whether the server is on this machine, where no proxy can be meant.
    var isLoopback: Bool {
        let host = parts.host
        let name = host.hasPrefix("[") ? host.prefix { $0 != "]" } : host.prefix { $0 != ":" }
        return name == "localhost" || name == "[::1" || name.hasPrefix("127.")
    }

    /// The variable of the environment that names the proxy for this request, with the proxy's address; `nil` for none.
    ///
    /// The names are libcurl's, libcurl-env(3); what stands before an @ is left out. Whether `no_proxy` excepts the server
    /// is not looked at.
    package var proxy: String? {
        guard !isLoopback else { return nil }
        let names =
            parts.scheme == "https://"
            ? ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] : ["http_proxy", "all_proxy", "ALL_PROXY"]
        for name in names {
            guard let value = getenv(name).map({ String(cString: $0) }), !value.isEmpty else { continue }
            let scheme = value.firstRange(of: "://").map { value[..<$0.upperBound] } ?? ""
            let rest = value.dropFirst(scheme.count).split(separator: "@").last ?? ""
            let host = rest.prefix { $0 != "/" && $0 != "?" }
            let plain = "\(scheme)\(host)".unicodeScalars.prefix(200).filter { $0.value > 0x20 && $0.value < 0x7f }
            return "\(name) (\(String(String.UnicodeScalarView(plain))))"
        }
        return nil
    }

    /// The scheme with its slashes, host and port, and the path.
    private var parts: (scheme: Substring, host: Substring, path: Substring) {
        let text = url.prefix { $0 != "?" && $0 != "#" }
        guard let scheme = text.firstRange(of: "://") else { return ("", "", text) }
        let rest = text[scheme.upperBound...]
        let authority = rest.prefix { $0 != "/" }
        return (
            text[..<scheme.upperBound], authority.split(separator: "@").last ?? "", rest.dropFirst(authority.count)
        )
    }
}

/// Certificates, or a key, in PEM.
package enum PEM: Sendable, Equatable {
    case file(String)
    /// The text itself, which is kept out of messages.
    case text(String)
}

/// How a client connects and what it takes.
package struct HTTPConfiguration: Sendable {
    /// Time for a connection to stand, TLS included.
    package var connectTimeout: Duration
    /// Time for a whole request, connecting included.
    package var requestTimeout: Duration
    /// Largest body of an answer, in bytes.
    package var maximumBodyBytes: Int
    /// Whether `http_proxy`, `https_proxy` and `no_proxy` count; for the own machine they never do, as with Go's programs.
    package var usesProxies: Bool
    /// Certificates to trust in place of the system's.
    package var certificates: PEM?
    /// The client's own certificate and its key.
    package var clientCertificate: PEM?
    package var clientKey: PEM?
    /// What to do if a server is not trusted, one sentence without its full stop; told with such errors.
    package var trustAdvice: String?
    /// An answer that has begun and moves fewer bytes a second than this for ``slowSeconds`` is given up; 0 waits for the
    /// time-out.
    package var leastBytesPerSecond = 1000
    package var slowSeconds = 20
    /// A socket of the file system to which all requests go, whatever host their URLs name, without a proxy; at most 107 bytes.
    package var unixSocket: String?
    /// Asked often during a request; `true` ends it, within about a second if nothing moves.
    package var isCancelled: @Sendable () -> Bool

    package init(
        connectTimeout: Duration = .seconds(10), requestTimeout: Duration = .seconds(60),
        maximumBodyBytes: Int = 32 << 20, usesProxies: Bool = true, certificates: PEM? = nil,
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) {
        self.connectTimeout = connectTimeout
        self.requestTimeout = requestTimeout
        self.maximumBodyBytes = maximumBodyBytes
        self.usesProxies = usesProxies
        self.certificates = certificates
        self.isCancelled = isCancelled
    }
}
