import Flags
import Migration
import RaftCluster
import RaftDirectoryBackend
import Storage
import Telemetry
import Workers

/// `sealift raft export`.
let raftExportCommand = CommandSpec(
    path: ["sealift", "raft", "export"], summary: "Make a stopped node's copy a server's directory",
    description: """
        Writes what a stopped node holds as a directory of integrated storage, with all voters of the cluster in it, reads it \
        back and compares. Done on every node of a stopped cluster with its own file, the directories differ only in what is a \
        node's own, and servers started on them form a cluster by themselves.

        The servers get the names and addresses that the nodes had; -peer gives them others, the same list on every node. With \
        -digest nothing is written unless the node holds exactly that: the digest that the migration printed. Give it on every \
        node, since servers never notice that their data differ.

        Exit codes: 0 done, 1 flags or configuration, 2 failed, 3 the node holds something else, 130 interrupted.
        """,
    examples: [
        .init(
            "On each node, with the digest that the migration printed:",
            "sealift raft export -config node1.hcl -path /opt/vault/raft -digest sha256:5d45918a812fce3917ac14080828e0834b7340d8eac6954af3b4a92856e7dd33"
        )
    ],
    flags: [
        CommonFlags.storeConfig,
        .string(
            "path", placeholder: "path", help: "The directory to make; nothing may stand there.", completion: .file),
        .list(
            "peer", placeholder: "id=host:port",
            help:
                "A voter of the servers' cluster, again for each further one, the same on every node; the nodes' own if "
                + "not given."),
        .string("digest", placeholder: "digest", help: "The keyspace digest that the node must hold."),
        .boolean("practice", help: "Take addresses that no real cluster could use: for a rehearsal on one machine."),
        .boolean("allow-any-data", help: "Export also what is not the store of an initialised server."),
        .boolean("dry-run", help: "Read everything and write nothing."),
        .string(
            "chown", placeholder: "user[:group]", help: "Give everything written to this user, such as the server's."),
        .string("state-dir", placeholder: "path", help: "Folder for manifest and report.", completion: .file),
        .boolean("allow-remote", help: "As for sealift raft server: read a file whose node has no TLS."),
        CommonFlags.logLevel, CommonFlags.logFormat, CommonFlags.format,
    ])

/// Runs `raft export`.
struct RaftExport {
    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    func run() -> Int32 {
        console.perform(flags) { logger in
            do {
                try export(logger)
                return 0
            } catch let error as StorageError where error.code == .configuration {
                throw MigrationFailure(.configuration, error.message, cause: error)
            }
        }
    }

    private func export(_ logger: Logger) throws {
        let path = flags.string("path")
        guard !path.isEmpty else {
            throw MigrationFailure(.configuration, "-path must say where the directory is to be made.")
        }
        let configuration = try NodeConfiguration(
            path: CommonFlags.configPath(flags), environment: console.environment,
            allowsRemote: flags.boolean("allow-remote"))
        let cancellation = CancellationToken()
        let isJSON = flags.string("format") == "json"
        try console.watchSignals(cancellation, announcement: isJSON ? nil : "==> Export shutdown triggered\n")
        let source = try NodeCopy(path: configuration.options.path)
        defer { source.close() }
        try check(source, cancellation)
        let voters = try voters(source)
        guard let own = voters.first(where: { $0.id == source.id }) else {
            throw MigrationFailure(
                .configuration,
                "-peer does not name this node, \(StorageKey(source.id)). Give the same list on every node.")
        }
        if voters.count > 1, try source.get("core/raft/tls") == nil {
            throw MigrationFailure(
                .configuration,
                "the store has no core/raft/tls, the key ring by which servers of a cluster prove themselves to one another: each "
                    + "of \(voters.count) servers would make its own and wait for the others for ever. Export one node alone, with "
                    + "-peer \(own.id)=\(own.address), start and unseal it, and let empty servers join it with retry_join."
            )
        }
        let destination = try RaftDirectoryDestination(
            path: path,
            node: RaftDirectoryDestination.Node(
                configuredID: source.id, address: try ClusterAddress(parsing: "https://\(own.address)"),
                isPractice: flags.boolean("practice"), members: voters))
        defer { destination.close() }
        let counters = ProgressCounters()
        let context = RunContext(
            logger: logger, counters: counters, cancellation: cancellation, environment: console.environment,
            version: sealiftVersion, isWatched: !isJSON && console.screen.allowsLiveBlock)
        let display = ProgressDisplay(counters, style: console.progressStyle(flags, logger))
        defer { display.finish(showingLast: false) }
        try MigrationRun.run(
            from: source, to: destination,
            reopening: { () throws(StorageError) in try RaftDirectoryBackend(path: path) }, options: try options(),
            context: context
        ) { summary in
            display.finish(showingLast: false)
            isJSON ? EventWriter().emit("result", summary.members) : console.printResult(summaryText(summary))
            try console.checkResult()
        }
    }

    private func options() throws -> MigrationOptions {
        var options = MigrationOptions()
        options.isPractice = flags.boolean("practice")
        options.isDryRun = flags.boolean("dry-run")
        options.allowsAnyData = flags.boolean("allow-any-data")
        if !flags.string("state-dir").isEmpty { options.stateFolder = flags.string("state-dir") }
        if !flags.string("chown").isEmpty { options.owner = try fileOwner(flags.string("chown")) }
        return options
    }

    /// Refuses a copy that is not what it should be.
    private func check(_ source: NodeCopy, _ cancellation: CancellationToken) throws {
        if let index = source.quarantine {
            throw MigrationFailure(
                .failed,
                "node \(source.id) is quarantined: at entry \(index) it held something else than the majority. Export the other "
                    + "nodes, remove this one's folder and let it join anew. Nothing was written.")
        }
        guard try source.get(.migrationMarker) == nil else {
            throw MigrationFailure(
                .failed,
                "\(source.location) carries the marker of a migration that is not done. Start all nodes and run the migration to "
                    + "its end; if it has ended, "
                    + "let them run until sealift raft status shows no lag, and stop them again.")
        }
        var wanted = flags.string("digest")
        if wanted.hasPrefix("sha256:") { wanted = String(wanted.dropFirst(7)) }
        guard !wanted.isEmpty else {
            guard source.missing == 0 else {
                throw MigrationFailure(
                    .failed,
                    "node \(source.id) has \(counted(Int(clamping: source.missing), "entry", "entries")) of the log behind index "
                        + "\(source.index), of which it does not know whether they were committed. Say with -digest what it must "
                        + "hold, or start all nodes until sealift raft status shows no lag and stop them again. Nothing was "
                        + "written.")
            }
            return
        }
        guard wanted.utf8.count == 64, wanted.utf8.allSatisfy({ hexDigitValue($0) != nil }) else {
            throw MigrationFailure(
                .configuration, "-digest is sha256: and 64 hexadecimal digits, as a migration prints it.")
        }
        let proof = try source.digest(isCancelled: { cancellation.isCancelled })
        guard proof.digest == wanted.lowercased() else {
            throw MigrationFailure(
                .differences,
                "node \(source.id) holds \(counted(Int(clamping: proof.entries), "entry", "entries")) at index \(proof.index), "
                    + "sha256:\(proof.digest), and not what -digest says. Start all nodes until sealift raft status -prove "
                    + "shows the digest on each, stop them, and run again. Nothing was written.")
        }
    }

    /// The voters, in the order of their names, so that every node writes the same.
    private func voters(_ source: NodeCopy) throws -> [RaftDirectoryDestination.Member] {
        let given = try flags.list("peer").map { text in
            let parts = text.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw MigrationFailure(
                    .configuration, "-peer is a node's id and its address: -peer node1=10.0.0.1:8201.")
            }
            let address = try ClusterAddress(parsing: "https://\(parts[1])")
            if let objection = address.objection, !(flags.boolean("practice") && address.isExcusedInPractice) {
                throw MigrationFailure(.configuration, "-peer \(parts[0]): \(address.hostAndPort) \(objection).")
            }
            return RaftDirectoryDestination.Member(id: String(parts[0]), address: address.hostAndPort)
        }
        let own = source.members.filter(\.isVoter).map {
            RaftDirectoryDestination.Member(id: $0.id, address: $0.address)
        }
        let voters = given.isEmpty ? own : given
        guard Set(voters.map { Array($0.id.utf8) }).count == voters.count,
            Set(voters.map { Array($0.address.utf8) }).count == voters.count
        else { throw MigrationFailure(.configuration, "-peer names a node or an address twice.") }
        return voters.sorted { $0.id.utf8.lexicographicallyPrecedes($1.id.utf8) }
    }
}
