import Flags
import Migration
import RaftDirectoryBackend
import RaftFormat
import RaftMaintenance
import Storage
import Telemetry
import Workers

/// `sealift raft spread`: a node that ran alone once becomes a cluster.
let raftSpreadCommand = CommandSpec(
    path: ["sealift", "raft", "spread"], summary: "Make all nodes of a cluster from one that ran alone",
    description: """
        For a store that came without core/raft/tls, the key ring by which the nodes of integrated storage know each other, as \
        from DynamoDB, and whose key shares shall not be given to Sealift. In two phases: migrate to one node, start it, \
        unseal it, wait until it is active, which makes the key ring, and stop it; then spread its directory.

        Each -node gets a copy of vault.db and raft/raft.db, read back and compared byte for byte, without the file node-id, \
        and all of them and the node itself the same raft/peers.json, which every server takes on at its next unsealing. A copy \
        appears under its name when it is whole. Run again, it makes what is missing and touches nothing that is there.

        Refused while a server runs on the directory, if its log is ahead of its data, if it belongs to a cluster already, and \
        where anything stands at the place of a node.

        Exit codes: 0 done, 1 flags or configuration, 2 failed, 130 interrupted.
        """,
    examples: [
        .init(
            "Look first, write nothing:",
            "sealift raft spread -from /opt/vault/raft -node node2=10.0.0.12:8201,path=/opt/vault/node2 -dry-run"),
        .init(
            "Three nodes:",
            "sealift raft spread -from /opt/vault/raft -node node2=10.0.0.12:8201,path=/opt/vault/node2 "
                + "-node node3=10.0.0.13:8201,path=/opt/vault/node3"),
    ],
    flags: [
        .string(
            "from", placeholder: "path", help: "Directory of the node that ran alone, stopped.", completion: .directory),
        .list(
            "node", placeholder: "id=host:port,path=path",
            help:
                "A further node, with the cluster_addr and the node_id of its server, and where its directory is made."),
        .boolean("dry-run", help: "See whether it can be done, and write nothing."),
        .boolean(
            "practice", environment: ["SEALIFT_PRACTICE"],
            help: "A practice run on one machine: accept loopback addresses."),
        .string(
            "chown", placeholder: "user[:group]",
            help: "Owner of the copies, by name or number; needs root. The owner of what is copied if not given."),
        ArchiveFlag.spec, NodeDirectory.nodeIDFlag, CommonFlags.logLevel, CommonFlags.logFormat, CommonFlags.format,
    ])

/// Runs `raft spread`.
struct RaftSpread {
    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    func run() -> Int32 {
        console.perform(flags) { _ in
            do {
                try spread()
                return 0
            } catch {
                throw nodeFailure(error)
            }
        }
    }

    private func spread() throws {
        let path = flags.string("from")
        guard !path.isEmpty else {
            throw MigrationFailure(.configuration, "-from must name the directory of a node that ran alone.")
        }
        let archive = try ArchiveFlag(flags)
        let members = try PeersSpread.members(flags.list("node"))
        let owner = flags.string("chown").isEmpty ? nil : try fileOwner(flags.string("chown"))
        let cancellation = CancellationToken()
        try console.watchSignals(cancellation, announcement: nil)
        let isCancelled: @Sendable () -> Bool = { cancellation.isCancelled }
        let node = try StoppedNode(path: path)
        defer { node.close() }
        for remark in node.remarks { console.printError(remark) }
        let id = flags.string("node-id")
        let look = try PeersLook(node, nodeID: id.isEmpty ? nil : id)
        let store = try RaftDirectoryBackend(path: node.path, isCancelled: isCancelled)
        defer { store.close() }
        let spread = try PeersSpread(
            node, look, store, to: members, isPractice: flags.boolean("practice"), owner: owner)
        let isDry = flags.boolean("dry-run")
        let digest = try digest(of: store, isCancelled)
        let outcomes =
            isDry
            ? try spread.plan(isCancelled: isCancelled)
            : try spread.run(
                holder: "sealift raft spread", time: WallTime.now().compact, isCancelled: isCancelled,
                report: { console.printError($0) })
        let archives = isDry ? nil : try archive?.pack([node.path] + outcomes.map(\.path), isCancelled: isCancelled)
        if flags.string("format") == "json" {
            let more = archives.map { [("archives", ArchiveFlag.json($0))] } ?? []
            EventWriter().emit("result", json(outcomes, spread, node.path, digest, isDry) + more)
        } else {
            let lines = [text(outcomes, spread, node.path, digest, isDry)] + ArchiveFlag.text(archives ?? [])
            console.printResult(lines.joined(separator: "\n"))
        }
    }

    /// The keyspace digest of what is spread.
    private func digest(
        of store: RaftDirectoryBackend, _ isCancelled: @escaping @Sendable () -> Bool
    ) throws -> (entries: Int, digest: String) {
        var options = DigestedScan.Options()
        options.writesManifestLines = true
        options.request.readers = 2
        options.request.isCancelled = isCancelled
        let scan = DigestedScan(store, options)
        defer { scan.stop() }
        var digest = try KeyspaceDigest()
        var entries = 0
        while let batch = try scan.nextBatch() {
            try digest.add(batch.manifestLines)
            entries += batch.count
            batch.recycle()
        }
        return (entries, try digest.finish())
    }

    private func text(
        _ outcomes: [PeersSpread.Outcome], _ spread: PeersSpread, _ path: String,
        _ digest: (entries: Int, digest: String),
        _ isDry: Bool
    ) -> String {
        let own = spread.servers[0]
        let rows =
            [("\(StorageKey(own.id))", StorageKey(own.address), path, "the node itself")]
            + outcomes.map { outcome in
                (
                    "\(StorageKey(outcome.server.id))", StorageKey(outcome.server.address), outcome.path,
                    outcome.wasThere
                        ? "was there already, byte for byte"
                        : isDry ? "would be made" : "read back, byte for byte the same"
                )
            }
        let width = (rows.map(\.0.count).max() ?? 0) + 2
        var lines = [
            isDry ? "Dry run: nothing was written. The node would be spread." : "Success! The node is spread.", "",
            "  Entries       \(formatCount(digest.entries)) on every node", "  Keyspace      sha256:\(digest.digest)",
            "",
        ]
        for row in rows {
            lines.append(
                "  \(row.0)\(String(repeating: " ", count: width - row.0.count))\(row.1)  \(row.2)  (\(row.3))")
        }
        guard !isDry else { return lines.joined(separator: "\n") }
        lines += [
            "", "Next steps:", "",
            "  1. Carry each directory whole to its machine, and give it to the user who runs the server. Start no server on a "
                + "second copy of any of them.",
            "  2. In each server's configuration: node_id and cluster_addr as above, path its directory, no retry_join.",
            "  3. Start all of them, then unseal one after the other, in any order; the cluster forms once most of its voters are "
                + "unsealed. Each deletes its raft/peers.json then.",
            "  4. Check `operator raft list-peers`: \(spread.servers.count) nodes.",
        ]
        return lines.joined(separator: "\n")
    }

    private func json(
        _ outcomes: [PeersSpread.Outcome], _ spread: PeersSpread, _ path: String,
        _ digest: (entries: Int, digest: String),
        _ isDry: Bool
    ) -> [(String, JSONText)] {
        func node(_ server: ClusterServer, _ path: String, _ state: String) -> JSONText {
            .object([
                ("id", .string(server.id)), ("address", .string(server.address)),
                ("suffrage", .string(server.suffrage == .voter ? "voter" : "non-voter")), ("path", .string(path)),
                ("state", .string(state)),
            ])
        }
        let nodes =
            [node(spread.servers[0], path, "origin")]
            + outcomes.map { node($0.server, $0.path, $0.wasThere ? "there" : isDry ? "missing" : "made") }
        return [
            ("dry_run", .boolean(isDry)), ("entries", .integer(digest.entries)),
            ("keyspace_digest", .string(digest.digest)), ("nodes", .array(nodes)),
        ]
    }
}
