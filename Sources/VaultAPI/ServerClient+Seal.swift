package import Digest
import JSON

/// What `sys/health` says.
package struct ServerHealth: Sendable, Equatable {
    package let isInitialised: Bool
    package let isSealed: Bool
    package let isStandby: Bool
    /// `2.7.2`, escaped; `nil` if the server does not say.
    package let version: String?

    /// Whether the server answers everything itself.
    package var isActive: Bool { isInitialised && !isSealed && !isStandby }
}

/// What `sys/seal-status` says, and what follows a share that was given.
package struct ServerSealStatus: Sendable, Equatable {
    /// `shamir`, or what unseals it.
    package let type: String
    package let isInitialised: Bool
    package let isSealed: Bool
    /// Shares that are needed, and that the server has by now.
    package let threshold: Int
    package let progress: Int
    package let version: String?
}

extension ServerClient {
    /// Asks how the server is. Needs no token; any state is an answer.
    package func health() throws(VaultAPIError) -> ServerHealth {
        try perform("GET", "sys/health", accepting: [429, 472, 473, 474, 501, 503, 530]) {
            (root) throws(VaultAPIError) in
            guard let root, let isInitialised = root["initialized"]?.boolean, let isSealed = root["sealed"]?.boolean
            else {
                throw VaultAPIError(.foreign, "GET sys/health: the answer is not that of a server of Vault or OpenBao.")
            }
            return ServerHealth(
                isInitialised: isInitialised, isSealed: isSealed, isStandby: root["standby"]?.boolean ?? false,
                version: Self.word(root["version"]))
        }.value
    }

    /// Asks whether the server is sealed, and with what. Needs no token.
    package func sealStatus() throws(VaultAPIError) -> ServerSealStatus {
        try perform("GET", "sys/seal-status") { (root) throws(VaultAPIError) in
            try Self.sealStatus(root, "GET sys/seal-status")
        }.value
    }

    /// Gives a server one key share.
    ///
    /// - Parameter share: Its bytes, of which the server gets the hexadecimal form.
    /// - Throws: `.refused` if the shares given so far are enough and do not fit.
    package func unseal(_ share: SecretBytes) throws(VaultAPIError) -> ServerSealStatus {
        let body = try SecretBody(hexadecimal: share, nonce: nil)
        return try perform("PUT", "sys/unseal", body: body.bytes) { (root) throws(VaultAPIError) in
            try Self.sealStatus(root, "PUT sys/unseal")
        }.value
    }

    private static func sealStatus(_ root: JSONNode?, _ request: String) throws(VaultAPIError) -> ServerSealStatus {
        guard let root, let isSealed = root["sealed"]?.boolean, let type = word(root["type"]) else {
            throw VaultAPIError(.foreign, "\(request): the answer is not that of a server of Vault or OpenBao.")
        }
        return ServerSealStatus(
            type: type, isInitialised: root["initialized"]?.boolean ?? false, isSealed: isSealed,
            threshold: root["t"]?.integer ?? 0, progress: root["progress"]?.integer ?? 0,
            version: word(root["version"]))
    }

    /// A short text without what does not print.
    static func word(_ node: JSONNode?) -> String? {
        node?.text.map { text in
            String(
                String.UnicodeScalarView(text.unicodeScalars.filter { $0.value > 0x20 && $0.value < 0x7f }.prefix(100)))
        }
    }
}
