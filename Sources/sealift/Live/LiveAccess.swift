import Digest
import HTTPServer

/// Who may look at the live view.
///
/// Without a token whoever is on this machine, by one of the machine's own names only: a page of somebody else's, whose
/// name was pointed to this machine, is refused. With a token whoever knows it, as `Authorization: Bearer`, as
/// `X-Vault-Token`, or as `?token=`, which is traded for a cookie at once, so that it stays in no address bar.
struct LiveAccess: Sendable {
    enum Decision {
        case allowed
        case refused(HTTPServerResponse)
    }

    private static let ownNames: Set<String> = ["localhost", "127.0.0.1", "[::1]", "::1"]

    private let token: [UInt8]?
    /// What the cookie says; anew for each run.
    private let session: String
    private let cookie: String
    private let host: String

    /// - Parameter token: `nil` lets this machine's programs look.
    init(token: String?, address: SocketAddress) throws {
        self.token = token.map { Array($0.utf8) }
        session = try randomUUID()
        // Cookies are shared by all ports of a host.
        cookie = "sealift_view_\(try randomUUID().prefix(8))"
        host = address.host.contains(":") ? "[\(address.host)]" : address.host
    }

    func decide(_ request: HTTPServerRequest) -> Decision {
        guard let token else {
            return isOwnName(request)
                ? .allowed
                : .refused(
                    .live(
                        421,
                        "This name is not one of this machine. Use the address that was printed, or a tunnel to it.\n"
                    ))
        }
        if let given = request.argument("token"), equalInConstantTime(Array(given.utf8), token) {
            guard request.path == "/" else { return .allowed }
            var answer = HTTPServerResponse.live(303, "")
            answer.headers.append(("Location", "/"))
            answer.headers.append(("Set-Cookie", "\(cookie)=\(session); Path=/; HttpOnly; SameSite=Strict"))
            return .refused(answer)
        }
        let given = [request.header("x-vault-token"), bearer(request)].compactMap { $0 }
        if given.contains(where: { equalInConstantTime(Array($0.utf8), token) }) { return .allowed }
        if isInSession(request) { return .allowed }
        var answer = HTTPServerResponse.live(
            401,
            "This view needs the token of -ui-token-file: /?token=… in a browser, or a header Authorization: Bearer.\n")
        answer.headers.append(("WWW-Authenticate", "Bearer"))
        return .refused(answer)
    }

    private func bearer(_ request: HTTPServerRequest) -> String? {
        guard let header = request.header("authorization"), header.lowercased().hasPrefix("bearer ") else { return nil }
        return String(header.dropFirst(7))
    }

    private func isInSession(_ request: HTTPServerRequest) -> Bool {
        let wanted = Array("\(cookie)=\(session)".utf8)
        return request.headers.filter { $0.name == "cookie" }.flatMap { $0.value.split(separator: ";") }.contains {
            equalInConstantTime(Array($0.utf8.drop { $0 == UInt8(ascii: " ") }), wanted)
        }
    }

    /// The port does not matter: a tunnel has another one, and nobody else's page can have this machine's name.
    private func isOwnName(_ request: HTTPServerRequest) -> Bool {
        guard let header = request.header("host") else { return false }
        var name = header[...]
        if let colon = name.lastIndex(of: ":"), name[name.index(after: colon)...].allSatisfy(\.isNumber),
            !name.hasPrefix("[") || name[..<colon].hasSuffix("]")
        {
            name = name[..<colon]
        }
        return Self.ownNames.contains(name.lowercased()) || name == host
    }
}

extension HTTPServerResponse {
    /// An answer of the live view: nothing keeps it, nothing else may show or read it.
    static func live(_ status: Int, _ text: String, type: String = "text/plain; charset=utf-8") -> HTTPServerResponse {
        HTTPServerResponse(
            status: status,
            headers: [
                ("Content-Type", type), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
                ("Referrer-Policy", "no-referrer"), ("Cross-Origin-Resource-Policy", "same-origin"),
                ("Cross-Origin-Opener-Policy", "same-origin"),
            ], body: HTTPServerBody(copying: Array(text.utf8)))
    }
}
