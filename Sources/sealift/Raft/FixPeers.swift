import Flags
import Migration
import RaftFormat
import RaftMaintenance
import Storage
import Telemetry
import Workers

/// `sealift raft fix-peers`: shows and rewrites who belongs to a stopped node's cluster.
let fixPeersCommand = CommandSpec(
    path: ["sealift", "raft", "fix-peers"], summary: "Show or rewrite the peers of a stopped node",
    description: """
        Shows who belongs to the cluster of a stopped node, by its vault.db, by its log, which wins at start if it holds \
        a newer membership, and by a peers.json, which wins over both; and what keeps such a cluster from forming: \
        addresses that nobody can dial, ids or addresses there twice, this node missing, index 0. Works on directories \
        of Vault and of OpenBao.

        With -peer for every server, or -set-address and -remove for some, rewrites it. -method=peers-json, the default, \
        touches no file of the store: it writes raft/peers.json, which the server takes on at its next unsealing, \
        whatever vault.db and the log say, and deletes; the node then applies what its log holds and empties it. \
        -method=vault-db writes vault.db anew with the other membership, proves that all else in it is the same, and \
        keeps the log; it is refused where something else would win over vault.db. Whatever is replaced is kept beside \
        the new file, as NAME.before-fix-peers-TIME. Make the same change on every node before any of them is started.

        Exit codes: 0 done, or nothing suspicious; 1 flags or configuration; 2 the directory could not be read or \
        changed, or the result not written; 3 something suspicious was found; 130 interrupted.
        """,
    examples: [
        .init("Look:", "sealift raft fix-peers /opt/vault/raft"),
        .init(
            "What a change would do:",
            "sealift raft fix-peers -dry-run -set-address node1=10.0.0.11:8201 /opt/vault/raft"),
        .init(
            "Give a node the address that the others can dial:",
            "sealift raft fix-peers -set-address node1=10.0.0.11:8201 /opt/vault/raft"),
        .init(
            "The same in vault.db itself, the whole set given:",
            "sealift raft fix-peers -method=vault-db -peer node1=10.0.0.11:8202 /opt/vault/raft"),
    ],
    flags: [
        .list(
            "peer", placeholder: "id=host:port[,non-voter]",
            help: "A server of the new set, once for each. In ids \\xhh stands for any byte and \\\\ for a backslash."),
        .list(
            "set-address", placeholder: "id=host:port",
            help: "Another address for a server of the present set, once for each."),
        .list("remove", placeholder: "id", help: "A server that leaves the present set, once for each."),
        .string(
            "method", placeholder: "method", default: "peers-json",
            help: "Where the new set is written: peers-json or vault-db.",
            completion: .values(PeersRewrite.Method.allCases.map(\.rawValue))),
        .boolean(
            "force",
            help:
                "Replace a peers.json that is there already, keeping it under another name; write a set even if this node is "
                + "not in it."
        ),
        .boolean("dry-run", help: "Say what would be written, and write nothing."),
        .boolean(
            "practice", environment: ["SEALIFT_PRACTICE"],
            help: "A practice run on one machine: accept loopback addresses."),
        NodeDirectory.nodeIDFlag,
    ] + NodeDirectory.flags + [CommonFlags.logLevel, CommonFlags.logFormat, CommonFlags.format],
    positional: [NodeDirectory.argument])

/// Runs `raft fix-peers`.
struct FixPeers {
    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    private var isJSON: Bool { flags.string("format") == "json" }

    func run() -> Int32 {
        console.perform(flags) { logger in
            do {
                return try work(logger)
            } catch {
                throw nodeFailure(error)
            }
        }
    }

    private func work(_ logger: Logger) throws -> Int32 {
        guard let method = PeersRewrite.Method(rawValue: flags.string("method")) else {
            throw MigrationFailure(
                .configuration, "-method takes peers-json or vault-db, not \"\(flags.string("method"))\".")
        }
        let change = try PeersChange(
            peers: flags.list("peer"), addresses: flags.list("set-address"), removals: flags.list("remove"))
        let directory = try NodeDirectory(flags, console)
        let cancellation = CancellationToken()
        try console.watchSignals(cancellation, announcement: nil)
        let node = try StoppedNode(path: directory.path)
        defer { node.close() }
        for remark in node.remarks { console.printError(remark) }
        let look = try PeersLook(node, nodeID: directory.nodeID)
        guard let change else {
            isJSON
                ? EventWriter().emit("peers", look.members(of: node.path))
                : console.printResult(look.text(of: node.path))
            return look.findings.isEmpty ? 0 : MigrationFailure.Kind.differences.rawValue
        }
        try rewrite(node, look, change, method, cancellation, logger)
        return 0
    }

    private func rewrite(
        _ node: StoppedNode, _ look: PeersLook, _ change: PeersChange, _ method: PeersRewrite.Method,
        _ cancellation: CancellationToken, _ logger: Logger
    ) throws {
        let isForced = flags.boolean("force")
        let servers = try change.servers(changing: look, isPractice: flags.boolean("practice"), isForced: isForced)
        if look.nodeID == nil {
            console.printError(
                "This node's id is not known (no file node-id, no -node-id): see that it is among the servers.")
        }
        let rewrite = PeersRewrite(node, look, servers, isForced: isForced)
        let isDry = flags.boolean("dry-run")
        let result =
            isDry
            ? try rewrite.plan(method, isCancelled: { cancellation.isCancelled })
            : try rewrite.run(
                method, time: WallTime.now().compact, isCancelled: { cancellation.isCancelled },
                stage: logStages(logger.named("fix-peers")), report: { console.printError($0) })
        isJSON
            ? EventWriter().emit("result", result.members(isDry: isDry))
            : console.printResult(result.text(isDry: isDry))
    }
}
