import Flags
import Glibc
import Migration
import RaftClusterBackend
import Storage
import Telemetry
import Workers

/// `sealift raft status`.
let raftStatusCommand = CommandSpec(
    path: ["sealift", "raft", "status"], summary: "Show how the nodes of a cluster stand",
    description: """
        Prints a line for each node: state, term, last, committed and applied index, how far it is behind the leader, entries, \
        and with -prove the digest that it computes now over everything that it holds.

        Exit codes: 0 all nodes take part (and agree), 1 flags, 2 no leader, 3 a node is away, behind or holds something else.
        """,
    examples: [
        .init("Look:", "sealift raft status -address https://10.0.0.11:8200"),
        .init("Have every node compute its digest:", "sealift raft status -address https://10.0.0.11:8200 -prove"),
        .init("Keep looking:", "sealift raft status -address https://10.0.0.11:8200 -watch"),
    ],
    flags: ClusterFlags.all + [
        .boolean("prove", help: "Have every node compute the digest of what it holds, and compare."),
        .boolean("watch", help: "Look again every two seconds until interrupted."), CommonFlags.format,
    ])

/// Runs `raft status`.
struct RaftStatus {
    /// How long digests are waited for.
    private static let patience = Duration.seconds(600)
    /// How often nodes are asked again that have not answered.
    private static let askAgain = Duration.seconds(10)
    /// Entries that a node may be behind and still be up to date.
    private static let lag = 64

    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    func run() -> Int32 {
        do {
            try CommonFlags.checkFormat(flags)
            let cancellation = CancellationToken()
            try console.watchSignals(cancellation, announcement: nil)
            let client = try ClusterFlags.client(flags, console)
            var code: Int32 = 0
            repeat {
                code = try lookOnce(client, cancellation)
                guard flags.boolean("watch"), !cancellation.isCancelled else { break }
                for _ in 0..<20 where !cancellation.isCancelled { usleep(100_000) }
            } while !cancellation.isCancelled
            return cancellation.isCancelled && !flags.boolean("watch") ? 130 : code
        } catch let error as StorageError where error.code == .configuration {
            return console.fail(MigrationFailure(.configuration, error.message, cause: error), flags)
        } catch let error as StorageError where error.code == .cancelled {
            return 130
        } catch {
            return console.fail(error, flags)
        }
    }

    /// While watching, a cluster without a leader is no reason to end.
    private func lookOnce(_ client: ClusterClient, _ cancellation: CancellationToken) throws -> Int32 {
        do throws(StorageError) {
            return report(try look(client, cancellation))
        } catch {
            guard flags.boolean("watch"), error.code == .io else { throw error }
            console.printError(error.message)
            return 2
        }
    }

    private func look(
        _ client: ClusterClient, _ cancellation: CancellationToken
    ) throws(StorageError) -> [ClusterNodeState] {
        let isCancelled: @Sendable () -> Bool = { cancellation.isCancelled }
        guard flags.boolean("prove") else { return try client.nodes(isCancelled: isCancelled) }
        var index = try client.prove(isCancelled: isCancelled)
        var asked = ContinuousClock.now
        let deadline = ContinuousClock.now + Self.patience
        while true {
            let nodes = try client.nodes(isCancelled: isCancelled)
            let isComplete = nodes.allSatisfy { $0.proofIndex >= index || !$0.isReachable || !$0.problem.isEmpty }
            if isComplete || ContinuousClock.now > deadline { return nodes }
            // A node that has come by a snapshot since has not seen the question.
            if ContinuousClock.now - asked > Self.askAgain,
                nodes.contains(where: { $0.appliedIndex >= index && $0.proofIndex < index })
            {
                index = try client.prove(isCancelled: isCancelled)
                asked = .now
            }
            usleep(100_000)
        }
    }

    private func report(_ nodes: [ClusterNodeState]) -> Int32 {
        let leader = nodes.first { $0.isLeader }
        let last = leader?.lastIndex ?? 0
        if flags.string("format") == "json" {
            console.printResult(JSONText.object([("nodes", .array(nodes.map { Self.json($0, last) }))]).text)
        } else {
            let rows = nodes.map { node in
                node.isReachable
                    ? [
                        node.id, node.address, node.state, "\(node.isVoter)", "\(node.term)", "\(node.lastIndex)",
                        "\(node.commitIndex)", "\(node.appliedIndex)", "\(max(0, last - node.appliedIndex))",
                        "\(node.entries)",
                        node.proofIndex > 0 ? "\(node.proofDigest) at \(node.proofIndex)" : "not computed",
                    ]
                    : [node.id, node.address, "away", "\(node.isVoter)", "-", "-", "-", "-", "-", "-", "-"]
            }
            let head = [
                "Node", "Address", "State", "Voter", "Term", "Last", "Committed", "Applied", "Lag", "Entries", "Digest",
            ]
            for line in RaftMembers.table(head, rows) { console.printResult(line) }
            for node in nodes where !node.problem.isEmpty { console.printResult("\(node.id): \(node.problem)") }
        }
        let newest = nodes.map(\.proofIndex).max() ?? 0
        let digests = Set(nodes.filter { $0.proofIndex == newest && newest > 0 }.map(\.proofDigest))
        let isWell = nodes.allSatisfy { node in
            node.isReachable && node.problem.isEmpty && last - node.appliedIndex <= Self.lag
        }
        return isWell && digests.count <= 1 ? 0 : MigrationFailure.Kind.differences.rawValue
    }

    private static func json(_ node: ClusterNodeState, _ last: Int) -> JSONText {
        .object([
            ("node_id", .string(node.id)), ("address", .string(node.address)),
            ("api_address", .string(node.apiAddress)),
            ("voter", .boolean(node.isVoter)), ("leader", .boolean(node.isLeader)),
            ("reachable", .boolean(node.isReachable)), ("state", .string(node.state)), ("term", .integer(node.term)),
            ("last_index", .integer(node.lastIndex)), ("commit_index", .integer(node.commitIndex)),
            ("applied_index", .integer(node.appliedIndex)), ("lag", .integer(max(0, last - node.appliedIndex))),
            ("entries", .integer(node.entries)), ("digest_index", .integer(node.proofIndex)),
            ("digest", .string(node.proofDigest)), ("problem", .string(node.problem)),
        ])
    }
}
