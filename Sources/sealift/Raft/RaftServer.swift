import CSystem
import Files
import Flags
import Glibc
import HTTPClient
import HTTPServer
import Migration
import RaftCluster
import RaftClusterBackend
import RaftCore
import Sockets
import Storage
import Synchronization
import Telemetry
import Workers

/// `sealift raft server`: a node.
let raftServerCommand = CommandSpec(
    path: ["sealift", "raft", "server"], summary: "Run a node of a Raft log store",
    description: """
        Runs one node until SIGINT or SIGTERM; SIGHUP has it read its certificates and the token file again. The file is \
        a server's: storage "raft" with path, node_id and retry_join, listener "tcp", api_addr and cluster_addr. The first \
        node of a new cluster is started once with -bootstrap; the others name it in retry_join and get their vote when \
        they have caught up.

        With TLS the nodes prove themselves to one another by certificates of tls_client_ca_file. Without TLS a node listens on \
        this machine only. The API is open to clients with the token of token_file or with a certificate; without \
        either, to this machine only.
        """,
    examples: [
        .init("Begin a cluster with this node:", "sealift raft server -config node1.hcl -bootstrap"),
        .init("Any later start, and any other node:", "sealift raft server -config node2.hcl"),
    ],
    flags: [
        CommonFlags.storeConfig,
        .boolean(
            "bootstrap", help: "Make an empty folder a cluster of one, to which others join; only once, for one node."),
        .boolean(
            "allow-remote",
            help: "Listen without TLS where other machines reach it: for test data in a network of its own."),
        CommonFlags.logLevel, CommonFlags.logFormat,
    ])

/// Runs `raft server`.
struct RaftServerRun {
    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    private enum Request: Sendable {
        case stop
        case reload
        case failed(String)
    }

    func run() -> Int32 {
        let requests = Monitor<[Request]>([])
        // A heap for each of many threads would keep what they are done with.
        cs_share_one_heap()
        do {
            // Watched before anything else, so that every thread leaves the signals to the watch.
            _ = try SignalWatch { signal, _ in
                requests.change { $0.append(signal == SIGHUP ? .reload : .stop) }
            }
            return try serve(requests)
        } catch {
            console.printError(console.screen.paint("Error: \(error)", .red))
            return (error as? MigrationFailure)?.exitCode ?? 2
        }
    }

    private func configuration() throws -> NodeConfiguration {
        do {
            return try read()
        } catch let error as StorageError {
            throw MigrationFailure(.configuration, error.message, cause: error)
        }
    }

    private func read() throws -> NodeConfiguration {
        try NodeConfiguration(
            path: CommonFlags.configPath(flags), environment: console.environment,
            allowsRemote: flags.boolean("allow-remote"))
    }

    private func serve(_ requests: Monitor<[Request]>) throws -> Int32 {
        var configuration = try configuration()
        var logger = try console.logger(flags)
        if !flags.isSet("log-level"), let level = configuration.logLevel {
            logger = Logger(
                level: try LogLevel(parsing: level), format: LogFormat(parsing: flags.string("log-format")))
        }
        for remark in configuration.remarks { logger.warn("configuration", ["remark": .string(remark)]) }
        let certificates = try NodeCertificates(configuration)
        configuration.options.tls = { certificates.settings }
        configuration.options.bootstraps = flags.boolean("bootstrap")
        if flags.boolean("bootstrap"), access("\(configuration.options.path)/log.mdb", F_OK) == 0 {
            throw MigrationFailure(
                .configuration,
                "\(configuration.options.path) holds a node already: start it without -bootstrap, which begins another cluster."
            )
        }
        let node = try ClusterNode(configuration.options, logger: logger.named("raft")) { error in
            requests.change { $0.append(.failed("\(error)")) }
        }
        try node.start()
        defer { node.stop() }
        let steward = try ClusterSteward(node, logger: logger.named("steward"))
        defer { steward.stop() }
        let joiner = NodeJoiner(node, configuration, logger.named("join"))
        defer { joiner.stop() }
        let api = ClusterAPI(
            node,
            try configuration.access(), logger: logger.named("api")
        ) { request throws(ClusterError) in try joiner.join(request) }
        try api.serve(
            configuration.listener, tls: try certificates.api(), allowsRemote: flags.boolean("allow-remote"))
        defer { api.stop() }
        if node.membership.0.member(node.id) == nil, !configuration.joinTargets.isEmpty { try joiner.start() }
        console.printResult(
            "Node \(node.id) listening on \(configuration.options.listenAddress), API on "
                + "\(configuration.usesTLS ? "https" : "http")://\(configuration.listener.authority(port: configuration.listener.port))"
        )
        try console.checkResult()
        return wait(requests, certificates, api, configuration, logger)
    }

    private func wait(
        _ requests: Monitor<[Request]>, _ certificates: NodeCertificates, _ api: ClusterAPI,
        _ configuration: NodeConfiguration, _ logger: Logger
    ) -> Int32 {
        while true {
            let request = requests.wait(until: .now + .seconds(60)) { requests in
                requests.isEmpty ? nil : requests.removeFirst()
            }
            api.tidy()
            switch request {
            case nil: continue
            case .stop: return 0
            case .failed(let message):
                console.printError(console.screen.paint("Error: \(message)", .red))
                return 2
            case .reload:
                do {
                    try certificates.reload()
                    api.setAccess(try configuration.access())
                    try api.serve(
                        configuration.listener, tls: try certificates.api(), allowsRemote: flags.boolean("allow-remote")
                    )
                    logger.info("certificates and token were read again")
                } catch {
                    logger.error("certificates and token were not read again", ["error": .string("\(error)")])
                }
            }
        }
    }
}

/// A node's certificates, as they are on disk at the last reading.
final class NodeCertificates: Sendable {
    private let certificateFile: String?
    private let keyFile: String?
    private let authorityFile: String?
    private let requiresClients: Bool
    private let current: Mutex<TLSSettings?>

    init(_ configuration: NodeConfiguration) throws {
        certificateFile = configuration.certificateFile
        keyFile = configuration.keyFile
        authorityFile = configuration.authorityFile
        requiresClients = configuration.requiresClientCertificates
        current = Mutex(nil)
        try reload()
    }

    /// For connections among nodes.
    var settings: TLSSettings? { current.withLock { $0 } }

    func reload() throws {
        guard let certificateFile, let keyFile, let authorityFile else { return }
        do throws(SocketError) {
            let new = try TLSSettings(
                certificateFile: certificateFile, keyFile: keyFile, authorityFile: authorityFile)
            current.withLock { $0 = new }
        } catch {
            throw MigrationFailure(.configuration, "\(error)")
        }
    }

    /// For the API.
    func api() throws -> HTTPServer.TLS? {
        guard let certificateFile, let keyFile else { return nil }
        return HTTPServer.TLS(
            certificate: try SmallFile.text(certificateFile), key: try SmallFile.text(keyFile),
            clientAuthority: try authorityFile.map { try SmallFile.text($0) }
        )
    }
}

/// Lets a node join the cluster that its file or a request names.
final class NodeJoiner: Sendable {
    private static let interval = Duration.seconds(2)

    private let node: ClusterNode
    private let configuration: NodeConfiguration
    private let logger: Logger
    private let isStopped = Monitor(false)
    private let thread = Mutex<WorkerThread?>(nil)

    init(_ node: ClusterNode, _ configuration: NodeConfiguration, _ logger: Logger) {
        self.node = node
        self.configuration = configuration
        self.logger = logger
    }

    func stop() {
        isStopped.change { $0 = true }
        thread.withLock { $0 }?.join()
    }

    /// Tries the nodes of `retry_join` until one takes this one in.
    func start() throws {
        let started = try WorkerThread { [self] in
            while !isStopped.read({ $0 }), node.membership.0.member(node.id) == nil {
                for target in configuration.joinTargets where target.address != configuration.options.apiAddress {
                    do throws(StorageError) {
                        try ask(target)
                        logger.info("joined", ["leader": .string(target.address)])
                        break
                    } catch {
                        logger.warn(
                            "not joined yet", ["leader": .string(target.address), "error": .string(error.message)])
                    }
                }
                _ = isStopped.wait(until: .now + Self.interval) { $0 ? true : nil }
            }
        }
        thread.withLock { $0 = started }
    }

    /// Joins the cluster that a request names.
    func join(_ request: ClusterAPI.JoinRequest) throws(ClusterError) {
        guard let address = ClusterClient.address(request.address) else {
            throw ClusterError(
                .refused, "leader_api_addr is http:// or https://, host and port, such as https://10.0.0.11:8200.")
        }
        do throws(StorageError) {
            try ask(
                NodeConfiguration.JoinTarget(
                    address: address, authority: request.authority.map { .text($0) },
                    certificate: request.certificate.map { .text($0) }, key: request.key.map { .text($0) }))
        } catch {
            throw ClusterError(.unavailable, error.message)
        }
    }

    private func ask(_ target: NodeConfiguration.JoinTarget) throws(StorageError) {
        var settings = ClusterClient.Settings(addresses: [target.address])
        settings.token = configuration.token ?? ""
        settings.authority = target.authority ?? configuration.authorityFile.map { .file($0) }
        settings.certificate = target.certificate ?? configuration.certificateFile.map { .file($0) }
        settings.key = target.key ?? configuration.keyFile.map { .file($0) }
        settings.patience = .seconds(5)
        let body = JSONText.object([
            ("server_id", .string("\(node.id)")), ("cluster_addr", .string("\(configuration.options.address)")),
        ])
        let stopped = isStopped
        _ = try ClusterClient(settings).perform(
            "POST", "sealift/peers", body: Array(body.text.utf8), isCancelled: { stopped.read { $0 } })
    }
}
