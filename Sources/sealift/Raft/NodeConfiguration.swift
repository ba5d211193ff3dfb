import Files
import Glibc
import HTTPClient
import HTTPServer
import JSON
import Migration
import RaftCluster
import RaftClusterBackend
import Sockets
import Storage

/// A node's configuration file, in the words of a server's.
struct NodeConfiguration {
    /// One block of `retry_join`.
    struct JoinTarget: Sendable {
        var address: String
        var authority: PEM?
        var certificate: PEM?
        var key: PEM?
        var serverName: String?
    }

    var options: NodeOptions
    /// Where the API listens.
    let listener: SocketAddress
    let certificateFile: String?
    let keyFile: String?
    /// Who vouches for clients of the API, and for other nodes.
    let authorityFile: String?
    let requiresClientCertificates: Bool
    let token: String?
    private let tokenPath: String?
    let joinTargets: [JoinTarget]
    let logLevel: String?
    let remarks: [String]

    var usesTLS: Bool { certificateFile != nil }

    private static let path = BackendOption(
        "path", .path, environment: ["BAO_RAFT_PATH", "VAULT_RAFT_PATH"], "The node's folder.")
    private static let nodeID = BackendOption(
        "node_id", .text, environment: ["BAO_RAFT_NODE_ID", "VAULT_RAFT_NODE_ID"], "The node's name.")
    private static let multiplier = BackendOption(
        "performance_multiplier", .number(maximum: nil), default: "5", "Stretches all time-outs.")
    private static let trailingLogs = BackendOption(
        "trailing_logs", .integer(minimum: 0), default: "10240", "Entries kept in the log for nodes that are away.")
    private static let snapshotThreshold = BackendOption(
        "snapshot_threshold", .integer(minimum: 1), default: "8192", "Entries after which the log is cut.")
    private static let retryJoin = BackendOption("retry_join", .text, "Nodes of the cluster to join.")
    private static let nonVoter = BackendOption(
        "retry_join_as_non_voter", .boolean,
        environment: ["BAO_RAFT_RETRY_JOIN_AS_NON_VOTER", "VAULT_RAFT_RETRY_JOIN_AS_NON_VOTER"],
        "Whether the node stays without a vote.")
    private static let storage = BackendDriver(
        kind: "raft", summary: "",
        options: [path, nodeID, multiplier, trailingLogs, snapshotThreshold, retryJoin, nonVoter]
            + ["max_entry_size", "snapshot_interval", "autopilot_reconcile_interval", "autopilot_update_interval"].map {
                BackendOption(ignored: $0)
            }, openSource: { _, _ throws(StorageError) in throw StorageError(.unsupported, "") }, openDestination: nil)

    private static let address = BackendOption("address", .text, default: "127.0.0.1:8200", "Where the API listens.")
    private static let clusterListener = BackendOption("cluster_address", .text, "Where other nodes are heard.")
    private static let tlsDisable = BackendOption("tls_disable", .boolean, "Whether there is no TLS.")
    private static let certificate = BackendOption("tls_cert_file", .path, "The node's certificate, PEM.")
    private static let key = BackendOption("tls_key_file", .path, "The key of the certificate, PEM.")
    private static let authority = BackendOption(
        "tls_client_ca_file", .path, "Certificates of those who vouch for clients and other nodes, PEM.")
    private static let requires = BackendOption(
        "tls_require_and_verify_client_cert", .boolean, "Whether only clients with a certificate are served.")
    private static let tokenFile = BackendOption("token_file", .path, "A file of mode 0600 with the cluster's token.")
    private static let tcp = BackendDriver(
        kind: "tcp", summary: "",
        options: [address, clusterListener, tlsDisable, certificate, key, authority, requires, tokenFile]
            + ["tls_min_version", "tls_disable_client_certs", "proxy_protocol_behavior"].map {
                BackendOption(ignored: $0)
            },
        openSource: { _, _ throws(StorageError) in throw StorageError(.unsupported, "") }, openDestination: nil)

    /// Reads a node's file.
    ///
    /// - Parameter allowsRemote: Whether addresses without TLS may be such that other machines reach them.
    init(path: String, environment: [String: String], allowsRemote: Bool) throws {
        let file = try ConfigurationFile(path: path, environment: environment, allowsFolder: true)
        let storage = try file.serverStore()
        guard storage.type == "raft" else {
            throw MigrationFailure(
                .configuration,
                "\(path): the storage stanza is \"\(storage.type)\", and a node's is storage \"raft\".")
        }
        let listeners = try file.blocks("listener")
        guard listeners.count == 1, let tcp = listeners.first, tcp.type == "tcp" else {
            throw MigrationFailure(
                .configuration, "\(path): a node has one listener \"tcp\" { … }, and the file has \(listeners.count).")
        }
        remarks = try storage.checkOptions(Self.storage, .server) + (try tcp.checkOptions(Self.tcp, .server))
        let (settings, listening) = (storage.settings, tcp.settings)
        listener = try SocketAddress(listening.text(Self.address) ?? "127.0.0.1:8200")
        let isPlain = try listening.boolean(Self.tlsDisable) ?? false
        certificateFile = isPlain ? nil : listening.text(Self.certificate)
        keyFile = isPlain ? nil : listening.text(Self.key)
        authorityFile = listening.text(Self.authority)
        requiresClientCertificates = try listening.boolean(Self.requires) ?? false
        tokenPath = listening.text(Self.tokenFile)
        token = try tokenPath.map { try TokenFile.read($0) }
        joinTargets = try Self.targets(settings)
        logLevel = try file.text("log_level")
        func variable(_ names: [String]) -> String? { names.lazy.compactMap { environment[$0] }.first { !$0.isEmpty } }
        let scheme = certificateFile == nil ? "http" : "https"
        let api =
            try variable(["BAO_API_ADDR", "VAULT_API_ADDR"]) ?? file.text("api_addr")
            ?? "\(scheme)://\(listener.authority(port: listener.port))"
        guard let api = ClusterClient.address(api) else {
            throw MigrationFailure(
                .configuration,
                "api_addr is http:// or https://, host and port, such as https://10.0.0.11:8200: where others reach this node."
            )
        }
        let cluster = try variable(["BAO_CLUSTER_ADDR", "VAULT_CLUSTER_ADDR"]) ?? file.clusterAddress()
        let own = try Self.clusterAddress(cluster, path)
        let heard = try listening.text(Self.clusterListener).map { try Self.hostAddress($0, "cluster_address") }
        options = NodeOptions(
            path: try settings.path(Self.path), address: own,
            listenAddress: heard ?? HostAddress(host: listener.host, port: own.port), apiAddress: api)
        options.id = settings.text(Self.nodeID)
        options.multiplier = try settings.number(Self.multiplier) ?? 5
        options.trailingLogs = UInt64(try settings.integer(Self.trailingLogs) ?? 10_240)
        options.snapshotThreshold = UInt64(try settings.integer(Self.snapshotThreshold) ?? 8192)
        options.wantsVote = !(try settings.boolean(Self.nonVoter) ?? false)
        options.serverName = joinTargets.lazy.compactMap(\.serverName).first
        try check(path, isPlain: isPlain, allowsRemote: allowsRemote)
    }

    /// Who may use the API, by the token file as it is now.
    func access() throws -> APIAccess {
        let token = try tokenPath.map { try TokenFile.read($0) }
        return APIAccess(
            token: token.map { Array($0.utf8) }, takesCertificates: usesTLS && authorityFile != nil,
            requiresCertificates: requiresClientCertificates,
            isOpen: token == nil && !requiresClientCertificates && listener.isLoopback)
    }

    private func check(_ path: String, isPlain: Bool, allowsRemote: Bool) throws(MigrationFailure) {
        func refuse(_ text: String) -> MigrationFailure { MigrationFailure(.configuration, "\(path): \(text)") }
        guard isPlain || certificateFile != nil && keyFile != nil else {
            throw refuse(
                "listener \"tcp\" needs tls_cert_file and tls_key_file, or tls_disable = true for this machine alone.")
        }
        if usesTLS, authorityFile == nil {
            throw refuse(
                "nodes prove themselves to one another: set tls_client_ca_file to the authority of their certificates.")
        }
        let isLocal = [SocketAddress(host: options.listenAddress.host, port: 0), listener].allSatisfy(\.isLoopback)
        guard usesTLS || !requiresClientCertificates else {
            throw refuse("tls_require_and_verify_client_cert needs TLS: set tls_cert_file and tls_key_file.")
        }
        guard usesTLS || isLocal || allowsRemote else {
            throw refuse(
                "without TLS a node listens on this machine only (127.0.0.1). Set tls_cert_file, tls_key_file and "
                    + "tls_client_ca_file, or give -allow-remote for a network that nobody else is on.")
        }
        guard token != nil || requiresClientCertificates || listener.isLoopback else {
            throw refuse(
                "listener \"tcp\" at \(listener.host) can be reached by others: set token_file, or "
                    + "tls_require_and_verify_client_cert = true.")
        }
    }

    private static func clusterAddress(_ text: String?, _ path: String) throws(MigrationFailure) -> HostAddress {
        guard let text else {
            throw MigrationFailure(
                .configuration,
                "\(path): cluster_addr must be set: where other nodes reach this one, such as https://10.0.0.1:8201.")
        }
        return try hostAddress(text, "cluster_addr")
    }

    private static func hostAddress(_ text: String, _ name: String) throws(MigrationFailure) -> HostAddress {
        var rest = text[...]
        if let scheme = rest.firstRange(of: "://") { rest = rest[scheme.upperBound...] }
        guard let address = HostAddress(String(rest.prefix { $0 != "/" })), address.port > 0,
            !["0.0.0.0", "::"].contains(address.host) || name == "cluster_address"
        else {
            throw MigrationFailure(
                .configuration,
                "\(name) must be host and port by which others reach the node, such as https://10.0.0.1:8201.")
        }
        return address
    }

    /// What a block gives as text or as a file.
    private static func pem(
        _ node: JSONNode, _ text: StaticString, _ file: StaticString, _ place: SettingPlace?
    ) throws(StorageError) -> PEM? {
        func word(_ name: StaticString) -> String? { node[name]?.text.flatMap { $0.isEmpty ? nil : $0 } }
        switch (word(text), word(file)) {
        case (_?, _?):
            throw StorageError(.configuration, "retry_join: \(text) and \(file) say the same: keep one.", place: place)
        case (let words?, nil):
            guard words.contains("-----BEGIN ") else {
                throw StorageError(
                    .configuration, "retry_join: \(text) is PEM text (-----BEGIN …). For a file there is \(file).",
                    place: place)
            }
            return .text(words)
        case (nil, let path): return path.map { .file($0) }
        }
    }

    private static func targets(_ settings: BackendSettings) throws -> [JoinTarget] {
        guard let text = settings.text(retryJoin), !text.isEmpty else { return [] }
        let parser = try JSONParser()
        return try Array(text.utf8).withUnsafeBytes { bytes in
            let list = try parser.parse(bytes)
            let place = settings.place(of: retryJoin)
            if list.elements.contains(where: { $0["auto_join"] != nil }) {
                throw StorageError(
                    .configuration, "retry_join: auto_join is not taken here. Name nodes with leader_api_addr.",
                    place: place)
            }
            return try list.elements.map { node in
                guard let address = ClusterClient.address(node["leader_api_addr"]?.text ?? "") else {
                    throw StorageError(
                        .configuration,
                        "retry_join needs leader_api_addr: http:// or https://, host and port, such as https://10.0.0.11:8200.",
                        place: place)
                }
                return JoinTarget(
                    address: address,
                    authority: try pem(node, "leader_ca_cert", "leader_ca_cert_file", place),
                    certificate: try pem(node, "leader_client_cert", "leader_client_cert_file", place),
                    key: try pem(node, "leader_client_key", "leader_client_key_file", place),
                    serverName: node["leader_tls_servername"]?.text)
            }
        }
    }
}
