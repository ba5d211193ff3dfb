import Digest
import HTTPClient
import JSON

/// The HTTP API of Vault and OpenBao, as far as it is needed. May be used from any thread; nothing is tried twice, and no
/// redirect is followed.
package final class ServerClient: Sendable {
    /// Characters of a server's own words in a message.
    private static let mostWords = 300

    private let address: ServerAddress
    private let client: HTTPClient
    private let timeout: Duration

    /// - Parameters:
    ///   - timeout: Time for one request, connecting included.
    ///   - isCancelled: Asked during every request.
    package init(
        _ address: ServerAddress, timeout: Duration = .seconds(60), isCancelled: @escaping @Sendable () -> Bool
    ) {
        self.address = address
        self.timeout = timeout
        var configuration = HTTPConfiguration(
            connectTimeout: min(timeout, .seconds(10)), requestTimeout: timeout, isCancelled: isCancelled)
        configuration.unixSocket = address.socket
        client = HTTPClient(configuration)
    }

    /// Closes connections that nobody uses now.
    package func close() { client.letIdleGo() }

    /// What became of a request: its status, and what `read` made of its body.
    struct Answer<Value> {
        let status: Int
        let value: Value
    }

    /// Sends a request and has the JSON of the answer read.
    ///
    /// - Parameters:
    ///   - path: Behind `/v1/`, as it stands in a URL.
    ///   - accepted: Statuses besides 200 and 204 that are no error.
    ///   - read: Is handed the root of the answer, `nil` if there is no body, for the length of the call.
    /// - Throws: ``VaultAPIError``; for any other status with what the server says in `errors`.
    func perform<Value>(
        _ method: String, _ path: String, token: SecretBytes? = nil, body: SecretBytes? = nil,
        accepting accepted: Set<Int> = [],
        _ read: (JSONNode?) throws(VaultAPIError) -> Value
    ) throws(VaultAPIError) -> Answer<Value> {
        // An agent or proxy in between may insist on it.
        var headers: [(name: String, value: String)] = [("X-Vault-Request", "true")]
        if let token {
            headers.append(("X-Vault-Token", token.withBytes { String(decoding: $0, as: UTF8.self) }))
        }
        if body != nil { headers.append(("Content-Type", "application/json")) }
        let request = HTTPRequest(
            method: method, url: "\(address.url)/v1/\(path)", headers: headers, timeout: timeout)
        let response: HTTPResponse
        do throws(HTTPError) {
            if let body {
                response = try body.withBytes { (bytes) throws(HTTPError) in
                    try client.perform(request, body: bytes)
                }
            } else {
                response = try client.perform(request)
            }
        } catch {
            throw VaultAPIError(error)
        }
        let status = response.status
        return try response.withBody { (bytes) throws(VaultAPIError) in
            guard [200, 204].contains(status) || accepted.contains(status) else {
                throw Self.failure(method, path, status, bytes)
            }
            guard !bytes.isEmpty else { return Answer(status: status, value: try read(nil)) }
            let parser: JSONParser
            let root: JSONNode
            do throws(JSONError) {
                parser = try JSONParser()
                root = try parser.parse(bytes)
            } catch {
                throw VaultAPIError(
                    .foreign, status: status,
                    "\(method) \(path): what answers is no server of Vault or OpenBao: \(error).")
            }
            // The nodes are the parser's.
            defer { withExtendedLifetime(parser) {} }
            return Answer(status: status, value: try read(root))
        }
    }

    private static func failure(
        _ method: String, _ path: String, _ status: Int, _ body: UnsafeRawBufferPointer
    ) -> VaultAPIError {
        let code: VaultAPIError.Code =
            switch status {
            case 404, 405: .unsupported
            case 400..<500: .refused
            case 500..<600: .failed
            default: .foreign
            }
        let said = words(body)
        return VaultAPIError(
            code, status: status, "\(method) \(path) was answered with \(status)\(said.isEmpty ? "" : ": \(said)").")
    }

    /// The texts in `errors`, on one line, without what does not print.
    private static func words(_ body: UnsafeRawBufferPointer) -> String {
        guard !body.isEmpty, let parser = try? JSONParser(), let root = try? parser.parse(body) else { return "" }
        let texts = root["errors"]?.elements.compactMap(\.text) ?? []
        withExtendedLifetime(parser) {}
        let line = texts.joined(separator: "; ").split(whereSeparator: \.isWhitespace).joined(separator: " ")
        let plain = line.unicodeScalars.map { $0.value >= 0x20 && $0.value < 0x7f ? Character($0) : "?" }
        return String(plain.prefix(mostWords))
    }
}
