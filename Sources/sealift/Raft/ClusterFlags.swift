import Flags
import Glibc
import HTTPClient
import Migration
import RaftClusterBackend
import Storage

/// How commands find a cluster: Vault's flags and variables.
enum ClusterFlags {
    static let address = FlagSpec.string(
        "address", placeholder: "url", default: "https://127.0.0.1:8200", environment: ["BAO_ADDR", "VAULT_ADDR"],
        help: "Where the API of one of the nodes is; several, separated by commas.")
    static let authority = FlagSpec.string(
        "ca-cert", placeholder: "path", environment: ["BAO_CACERT", "VAULT_CACERT"],
        help: "Certificates of those who vouch for the nodes, PEM.", completion: .file)
    static let certificate = FlagSpec.string(
        "client-cert", placeholder: "path", environment: ["BAO_CLIENT_CERT", "VAULT_CLIENT_CERT"],
        help: "The client's own certificate, PEM.", completion: .file)
    static let key = FlagSpec.string(
        "client-key", placeholder: "path", environment: ["BAO_CLIENT_KEY", "VAULT_CLIENT_KEY"],
        help: "The key of the client's certificate, PEM.", completion: .file)
    static let tokenFile = FlagSpec.string(
        "token-file", placeholder: "path",
        help: "A file of mode 0600 with the cluster's token; else BAO_TOKEN or VAULT_TOKEN, else ~/.vault-token.",
        completion: .file)

    static let all = [address, authority, certificate, key, tokenFile]

    /// The client that the flags ask for.
    static func client(
        _ flags: ParsedFlags, _ console: Console, patience: Duration = .seconds(20)
    ) throws -> ClusterClient {
        let words = flags.string("address").split { $0 == "," || $0 == " " }
        let addresses = words.compactMap { ClusterClient.address(String($0)) }
        guard !addresses.isEmpty, addresses.count == words.count else {
            throw MigrationFailure(
                .configuration, "-address is http:// or https://, host and port, such as https://10.0.0.11:8200.")
        }
        var settings = ClusterClient.Settings(addresses: addresses)
        func pem(_ name: String) -> PEM? { flags.string(name).isEmpty ? nil : .file(flags.string(name)) }
        settings.authority = pem("ca-cert")
        settings.certificate = pem("client-cert")
        settings.key = pem("client-key")
        settings.token = try token(flags, console)
        settings.patience = patience
        return ClusterClient(settings)
    }

    private static func token(_ flags: ParsedFlags, _ console: Console) throws -> String {
        let path = flags.string("token-file")
        if !path.isEmpty { return try TokenFile.read(path) }
        for name in ["BAO_TOKEN", "VAULT_TOKEN"] {
            if let token = console.environment[name], !token.isEmpty { return token }
        }
        // Where the stock command keeps the token of a login.
        guard let home = console.environment["HOME"], !home.isEmpty, access("\(home)/.vault-token", R_OK) == 0 else {
            return ""
        }
        return try TokenFile.read("\(home)/.vault-token")
    }
}
