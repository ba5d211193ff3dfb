import COpenSSL
import Glibc

/// Certificates and keys of one side of TLS connections, loaded; versions 1.2 and newer.
// Unchecked: the library counts references under a lock, and nothing changes after the initialiser.
package final class TLSSettings: @unchecked Sendable {
    let context: OpaquePointer

    /// Loads the files of a side that must prove itself and asks the same of the other one.
    ///
    /// - Parameters:
    ///   - certificateFile: PEM, the own certificate first, then those between it and the authority's.
    ///   - authorityFile: PEM certificates of those who may vouch for the other side.
    /// - Throws: `.configuration`, naming the file.
    package init(certificateFile: String, keyFile: String, authorityFile: String) throws(SocketError) {
        guard let context = SSL_CTX_new(TLS_method()) else {
            throw SocketError(.system, "OpenSSL gives no context: \(Self.reason())")
        }
        self.context = context
        guard sealift_tls_from_1_2(context) == 1 else {
            throw SocketError(.system, "OpenSSL takes no TLS 1.2: \(Self.reason())")
        }
        guard SSL_CTX_use_certificate_chain_file(context, certificateFile) == 1 else {
            throw Self.unusable(certificateFile, "certificate")
        }
        guard SSL_CTX_use_PrivateKey_file(context, keyFile, SSL_FILETYPE_PEM) == 1 else {
            throw Self.unusable(keyFile, "private key")
        }
        guard SSL_CTX_check_private_key(context) == 1 else {
            throw SocketError(.configuration, "\(keyFile) is not the key of the certificate in \(certificateFile).")
        }
        guard SSL_CTX_load_verify_locations(context, authorityFile, nil) == 1 else {
            throw Self.unusable(authorityFile, "certificate authority")
        }
        if let names = SSL_load_client_CA_file(authorityFile) { SSL_CTX_set_client_CA_list(context, names) }
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
    }

    deinit { SSL_CTX_free(context) }

    private static func unusable(_ file: String, _ what: String) -> SocketError {
        let reason = reason()
        return SocketError(
            .configuration, "\(file) cannot be used as \(what) (\(reason)). It must be a readable PEM file.")
    }

    /// The first thing the library has to say, and nothing of what it read.
    static func reason() -> String {
        let code = ERR_get_error()
        ERR_clear_error()
        guard code != 0, let text = ERR_reason_error_string(code) else { return "no reason given" }
        return String(cString: text)
    }
}
