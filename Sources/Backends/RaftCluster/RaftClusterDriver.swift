import Files
import HTTPClient
package import Storage

extension RaftClusterBackend {
    private static let addressOption = BackendOption(
        "address", .text, environment: ["BAO_ADDR", "VAULT_ADDR"],
        "Where the API of one or several nodes is, separated by commas: https://host:8200. The leader is found from there."
    )
    private static let tokenFileOption = BackendOption(
        "token_file", .path, isOwn: true,
        "A file of mode 0600 with the cluster's token; without it the token of BAO_TOKEN or VAULT_TOKEN is sent.")
    private static let authorityOption = BackendOption(
        "tls_ca_cert", .path, environment: ["BAO_CACERT", "VAULT_CACERT"], isOwn: true,
        "Certificates of those who vouch for the nodes, PEM; the system's if it is not set.")
    private static let certificateOption = BackendOption(
        "tls_client_cert", .path, environment: ["BAO_CLIENT_CERT", "VAULT_CLIENT_CERT"], isOwn: true,
        "The client's own certificate, PEM.")
    private static let keyOption = BackendOption(
        "tls_client_key", .path, environment: ["BAO_CLIENT_KEY", "VAULT_CLIENT_KEY"], isOwn: true,
        "The key of the client's certificate, PEM.")
    private static let replicasOption = BackendOption(
        "replicas", .integer(minimum: 1), isOwn: true,
        "Nodes that must hold every entry durably, and prove it with their own digest, before a migration is done; every voter "
            + "if it is not set.")

    /// How `raft_cluster` is configured and opened.
    package static func driver() -> BackendDriver {
        BackendDriver(
            kind: "raft_cluster", summary: "A cluster of Sealift's own nodes, which replicate the store by Raft.",
            notes: """
                Nodes are started with sealift raft server. As a destination, every node computes its own digest over what it \
                holds, and the migration is done when they are the source's. No server runs on it: sealift raft export makes a \
                node's copy an integrated-storage directory.
                """,
            options: [
                addressOption, tokenFileOption, authorityOption, certificateOption, keyOption, replicasOption,
                BackendOption(ignored: "max_parallel"),
            ],
            openSource: { settings, _ throws(StorageError) in try open(settings) },
            openDestination: { settings, _ throws(StorageError) in try open(settings) })
    }

    private static func open(_ settings: BackendSettings) throws(StorageError) -> RaftClusterBackend {
        let words = (settings.text(addressOption) ?? "").split { $0 == "," || $0 == " " }.map(String.init)
        guard !words.isEmpty else {
            throw StorageError(
                .configuration, "'address' must be set: where a node's API is, such as https://10.0.0.1:8200.",
                place: settings.place)
        }
        var addresses: [String] = []
        for word in words {
            guard let address = ClusterClient.address(word) else {
                throw StorageError(
                    .configuration, "address is http:// or https://, host and port, such as https://10.0.0.1:8200.",
                    place: settings.place(of: addressOption))
            }
            addresses.append(address)
        }
        var cluster = ClusterClient.Settings(addresses: addresses)
        cluster.token = try token(settings)
        func pem(_ option: BackendOption) -> PEM? { settings.text(option).flatMap { $0.isEmpty ? nil : .file($0) } }
        cluster.authority = pem(authorityOption)
        cluster.certificate = pem(certificateOption)
        cluster.key = pem(keyOption)
        return try RaftClusterBackend(cluster, replicas: try settings.integer(replicasOption))
    }

    private static func token(_ settings: BackendSettings) throws(StorageError) -> String {
        if let path = settings.text(tokenFileOption), !path.isEmpty {
            do throws(StorageError) {
                return try TokenFile.read(path)
            } catch {
                throw StorageError(error.code, error.message, place: settings.place(of: tokenFileOption))
            }
        }
        return ["BAO_TOKEN", "VAULT_TOKEN"].lazy.compactMap { settings.environment[$0] }.first { !$0.isEmpty } ?? ""
    }
}

/// A file with a token, which nobody but its owner may read.
package enum TokenFile {
    private static let mostBytes = 4096

    /// Reads the token; white space around it does not count.
    ///
    /// - Throws: `.configuration` if others may read the file, or if there is no token in it. Never with what is in it.
    package static func read(_ path: String) throws(StorageError) -> String {
        let bytes = try readPrivateFile(path, atMost: mostBytes + 1, content: "the token")
        let text = bytes.drop { $0 <= 0x20 }
        let token = text.prefix { $0 > 0x20 && $0 < 0x7f }
        guard bytes.count <= mostBytes, !token.isEmpty, text.dropFirst(token.count).allSatisfy({ $0 <= 0x20 }) else {
            throw StorageError(.configuration, "\(path) holds no token: one word of printable characters.")
        }
        return String(decoding: token, as: UTF8.self)
    }
}
