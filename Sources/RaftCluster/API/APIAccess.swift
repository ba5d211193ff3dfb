import HTTPServer

/// Who may use a node's API.
package struct APIAccess: Sendable {
    /// What `X-Vault-Token` or `Authorization: Bearer` must say; `nil` if no token opens it.
    package var token: [UInt8]?
    /// Whether a certificate that the authority for clients vouches for opens it.
    package var takesCertificates: Bool
    /// Whether nothing is answered without such a certificate, not even how the node is.
    package var requiresCertificates: Bool
    /// Whether anybody may, since only this machine's programs can reach it.
    package var isOpen: Bool

    package init(token: [UInt8]?, takesCertificates: Bool, requiresCertificates: Bool = false, isOpen: Bool) {
        self.requiresCertificates = requiresCertificates
        self.token = token
        self.takesCertificates = takesCertificates
        self.isOpen = isOpen
    }

    /// Whether a request is looked at at all.
    func admits(_ request: HTTPServerRequest) -> Bool { !requiresCertificates || request.isClientKnown }

    func allows(_ request: HTTPServerRequest) -> Bool {
        guard admits(request) else { return false }
        if takesCertificates, request.isClientKnown { return true }
        guard let token else { return isOpen }
        var given = request.header("x-vault-token")
        if given == nil, let header = request.header("authorization"), header.lowercased().hasPrefix("bearer ") {
            given = String(header.dropFirst(7))
        }
        return Self.isSame(Array((given ?? "").utf8), token)
    }

    /// Compares in a time that does not depend on where the bytes differ.
    private static func isSame(_ given: [UInt8], _ wanted: [UInt8]) -> Bool {
        var difference: UInt8 = given.count == wanted.count && !wanted.isEmpty ? 0 : 1
        for index in wanted.indices { difference |= wanted[index] ^ (index < given.count ? given[index] : 0) }
        return difference == 0
    }
}
