import Glibc
package import HTTPClient
import JSON
package import Storage
import Synchronization

/// Finds a cluster's leader among its nodes and asks it, over the loss of leaders.
package final class ClusterClient: Sendable {
    /// How a cluster is reached.
    package struct Settings: Sendable {
        /// `http://` or `https://`, host and port of one or several nodes.
        package var addresses: [String]
        /// Empty for none.
        package var token = ""
        package var authority: PEM?
        package var certificate: PEM?
        package var key: PEM?
        /// How long a request is repeated while no node leads.
        package var patience = Duration.seconds(90)

        package init(addresses: [String]) {
            self.addresses = addresses
        }
    }

    private struct State {
        var addresses: [String]
        var current = 0
    }

    private let client: HTTPClient
    private let settings: Settings
    private let state: Mutex<State>

    package init(_ settings: Settings) {
        self.settings = settings
        var configuration = HTTPConfiguration(
            connectTimeout: .seconds(3), requestTimeout: .seconds(60), maximumBodyBytes: 80 << 20, usesProxies: false)
        configuration.certificates = settings.authority
        configuration.clientCertificate = settings.certificate
        configuration.clientKey = settings.key
        configuration.trustAdvice = "Name the authority of its certificate with tls_ca_cert, or VAULT_CACERT"
        client = HTTPClient(configuration)
        state = Mutex(State(addresses: settings.addresses))
    }

    /// What a node's API address is given as, without a slash at its end: `http://` or `https://`, host and port. `nil` for
    /// anything else; a name and password before the host would be shown in messages.
    package static func address(_ text: String) -> String? {
        let address = text.hasSuffix("/") ? text.dropLast() : text[...]
        guard let scheme = ["http://", "https://"].first(where: { address.hasPrefix($0) }) else { return nil }
        let authority = address.dropFirst(scheme.count)
        guard !authority.isEmpty, authority.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }),
            !authority.contains(where: { "@/?#".contains($0) })
        else { return nil }
        return String(address)
    }

    /// The node that answered last, for messages.
    package var address: String { state.withLock { $0.addresses[$0.current] } }

    package func letIdleGo() { client.letIdleGo() }

    /// Asks the leader.
    ///
    /// - Parameters:
    ///   - path: Behind `/v1/`, with its query.
    ///   - timeout: For one attempt; a minute if `nil`.
    ///   - isRepeatable: Whether a request that may have been seen may be sent once more.
    /// - Returns: A node's answer of status 200 to 299, or 410.
    /// - Throws: ``StorageError``: `.configuration` if access is denied, the request is wrong or another server answers, `.io` if
    ///   no leader answers in time.
    package func perform(
        _ method: String, _ path: String, body: [UInt8] = [], isRepeatable: Bool = true, timeout: Duration? = nil,
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) throws(StorageError) -> HTTPResponse {
        let deadline = ContinuousClock.now + settings.patience
        var last = "no node was asked"
        var redirects = 0
        while true {
            if isCancelled() { throw StorageError.cancelled }
            let (address, number) = state.withLock { ($0.addresses[$0.current], $0.current) }
            switch attempt(method, "\(address)/v1/\(path)", body, timeout, isCancelled) {
            case .success(let answer):
                try checkNode(answer, address)
                switch answer.status {
                case 200..<300, 410: return answer
                case 307:
                    last = "\(address) does not lead"
                    redirects += 1
                    if redirects % 8 != 0, follow(answer, from: address) { continue }
                case 400..<500: throw refusal(answer, address)
                default:
                    last =
                        "\(address) answers with status \(answer.status)\(Self.reason(answer).map { ": \($0)" } ?? "")"
                    if answer.status == 507 { throw StorageError(.noSpace, "\(last).") }
                }
            case .failure(let error):
                if error.code == .cancelled { throw StorageError.cancelled }
                if error.code == .tls || error.code == .other { throw StorageError(.io, error.message) }
                last = error.message
                if error.mayHaveBeenSent, !isRepeatable {
                    throw StorageError(.io, "\(error.message) It may have taken effect: look before doing it again.")
                }
            }
            guard ContinuousClock.now < deadline else {
                throw StorageError(
                    .io,
                    "No node of the cluster leads, or none can be reached (\(last)). Start its nodes, or correct the "
                        + "address.")
            }
            state.withLock { if $0.current == number { $0.current = ($0.current + 1) % $0.addresses.count } }
            usleep(50_000)
        }
    }

    /// Asks one node, whoever leads; nothing is repeated.
    package func performOnce(
        _ method: String, _ path: String, body: [UInt8] = []
    ) throws(StorageError) -> HTTPResponse {
        let address = address
        switch attempt(method, "\(address)/v1/\(path)", body, nil, { false }) {
        case .failure(let error): throw StorageError(.io, error.message)
        case .success(let answer):
            try checkNode(answer, address)
            guard answer.status < 400 || answer.status == 503 else { throw refusal(answer, address) }
            return answer
        }
    }

    private func attempt(
        _ method: String, _ url: String, _ body: [UInt8], _ timeout: Duration?,
        _ isCancelled: @escaping @Sendable () -> Bool
    ) -> Result<HTTPResponse, HTTPError> {
        var request = HTTPRequest(method: method, url: url, timeout: timeout)
        if !settings.token.isEmpty { request.headers.append(("X-Vault-Token", settings.token)) }
        if !body.isEmpty { request.headers.append(("Content-Type", "application/octet-stream")) }
        do throws(HTTPError) {
            return .success(
                try body.withUnsafeBufferPointer { body throws(HTTPError) in
                    try client.perform(request, body: UnsafeRawBufferPointer(body), isCancelled: isCancelled)
                })
        } catch {
            return .failure(error)
        }
    }

    /// Goes to the node that a redirection names, never from TLS to a connection without.
    private func follow(_ answer: HTTPResponse, from address: String) -> Bool {
        guard let location = answer.headers["location"], let scheme = location.firstRange(of: "://") else {
            return false
        }
        let authority = location[scheme.upperBound...].prefix { $0 != "/" }
        let target = "\(location[..<scheme.lowerBound])://\(authority)"
        guard !address.hasPrefix("https://") || target.hasPrefix("https://"), !authority.contains("@") else {
            return false
        }
        return state.withLock { state in
            if let place = state.addresses.firstIndex(of: target) {
                state.current = place
            } else {
                guard state.addresses.count < 64 else { return false }
                state.addresses.append(target)
                state.current = state.addresses.count - 1
            }
            return true
        }
    }

    /// Takes no answer of another server for a node's: a write would seem to be acknowledged. What stands between may fail.
    private func checkNode(_ answer: HTTPResponse, _ address: String) throws(StorageError) {
        guard answer.headers["x-sealift-api"] == nil, answer.status < 500 else { return }
        throw StorageError(
            .configuration,
            "\(address) is no node of a Raft log store: its answer, of status \(answer.status), is another server's. Correct "
                + "the address.")
    }

    private func refusal(_ answer: HTTPResponse, _ address: String) -> StorageError {
        let reason = Self.reason(answer) ?? "status \(answer.status)"
        if answer.status == 403 {
            return StorageError(
                .configuration,
                "\(address) denies access (\(reason)). Give the cluster's token (token_file, or VAULT_TOKEN), or a client "
                    + "certificate.")
        }
        return StorageError(.configuration, "\(address): \(reason)")
    }

    /// What the node says of an error, fit for printing.
    private static func reason(_ answer: HTTPResponse) -> String? {
        guard let parser = try? JSONParser() else { return nil }
        let text = answer.withBody { body in
            (try? parser.parse(body))?["errors"].flatMap { errors in
                errors.elements.lazy.compactMap(\.text).first { _ in true }
            }
        }
        guard let text else { return nil }
        return String(
            String.UnicodeScalarView(text.unicodeScalars.prefix(500).filter { $0.value >= 0x20 && $0.value != 0x7f }))
    }
}
