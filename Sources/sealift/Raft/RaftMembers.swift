import Flags
import HTTPClient
import JSON
import Migration
import RaftClusterBackend
import Storage
import Telemetry

/// `sealift raft join`.
let raftJoinCommand = CommandSpec(
    path: ["sealift", "raft", "join"], summary: "Let a node join a cluster",
    description: """
        Has the node at -address join the cluster of the node at LEADER. A node whose file has retry_join does so by itself.
        """,
    examples: [
        .init(
            "Let the node on this machine join:",
            "sealift raft join -address https://127.0.0.1:8200 https://10.0.0.11:8200")
    ],
    flags: ClusterFlags.all + [
        .boolean(
            "non-voter",
            help: "Join without a vote, which the node's own file must say too: retry_join_as_non_voter."),
        .string(
            "leader-ca-cert", help: "Who vouches for LEADER: PEM text, or @FILE. Else the node's tls_client_ca_file."),
        .string("leader-client-cert", help: "The certificate the node shows LEADER: PEM text, or @FILE."),
        .string("leader-client-key", help: "Its key: @FILE, or PEM text, which other users' ps would show."),
        CommonFlags.format,
    ], positional: [.init("LEADER", help: "The address of the API of a node of the cluster.")])

/// `sealift raft list-peers`.
let raftListPeersCommand = CommandSpec(
    path: ["sealift", "raft", "list-peers"], summary: "List the nodes of a cluster",
    description: "Prints the members of the cluster with their addresses, in the stock command's table.",
    examples: [.init("List:", "sealift raft list-peers -address https://10.0.0.11:8200")],
    flags: ClusterFlags.all + [CommonFlags.format])

/// `sealift raft remove-peer`.
let raftRemovePeerCommand = CommandSpec(
    path: ["sealift", "raft", "remove-peer"], summary: "Take a node out of a cluster",
    description:
        "Removes a member. It keeps its folder and is not asked; stop it, and remove the folder when nobody needs it.",
    examples: [.init("Remove:", "sealift raft remove-peer -address https://10.0.0.11:8200 node3")],
    flags: ClusterFlags.all + [CommonFlags.format], positional: [.init("NODE", help: "The node's id.")])

/// `sealift raft transfer-leadership`.
let raftTransferCommand = CommandSpec(
    path: ["sealift", "raft", "transfer-leadership"], summary: "Hand the leadership to another node",
    description: "Hands over to the node that is named, or else to the one that holds most; writes wait meanwhile.",
    examples: [.init("Hand over:", "sealift raft transfer-leadership -address https://10.0.0.11:8200 node2")],
    flags: ClusterFlags.all + [CommonFlags.format],
    positional: [.init("NODE", help: "The node's id; may be left out.")])

/// Runs the commands on members.
struct RaftMembers {
    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    private var isJSON: Bool { flags.string("format") == "json" }
    private var words: [String] { flags.arguments.map { String(decoding: $0, as: UTF8.self) } }

    private func perform(_ body: (ClusterClient) throws -> Void) -> Int32 {
        do {
            try CommonFlags.checkFormat(flags)
            try body(try ClusterFlags.client(flags, console))
            return 0
        } catch let error as StorageError where error.code == .configuration {
            return console.fail(MigrationFailure(.configuration, error.message, cause: error), flags)
        } catch {
            return console.fail(error, flags)
        }
    }

    private func one(_ what: String) throws(MigrationFailure) -> String {
        guard words.count == 1, let word = words.first, !word.isEmpty else {
            throw MigrationFailure(
                .configuration, "Incorrect arguments (expected 1, got \(words.count)): name \(what).")
        }
        return word
    }

    func list() -> Int32 {
        perform { client in
            let answer = try client.perform("GET", "sys/storage/raft/configuration")
            if isJSON {
                let text = answer.withBody { String(decoding: $0, as: UTF8.self) }
                return console.printResult(text.hasSuffix("\n") ? String(text.dropLast()) : text)
            }
            let parser = try JSONParser()
            let rows = try answer.withBody { body in
                guard let servers = try parser.parse(body)["data"]?["config"]?["servers"] else {
                    throw StorageError(.io, "\(client.address) answers with something else than members.")
                }
                return servers.elements.map { server in
                    [
                        server["node_id"]?.text ?? "", server["address"]?.text ?? "",
                        server["leader"]?.boolean == true ? "leader" : "follower",
                        server["voter"]?.boolean == true ? "true" : "false",
                    ].map { word in
                        String(
                            String.UnicodeScalarView(
                                word.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7f }))
                    }
                }
            }
            for line in Self.table(["Node", "Address", "State", "Voter"], rows) { console.printResult(line) }
        }
    }

    /// Columns as the stock command sets them: four spaces between, dashes below the heads.
    static func table(_ head: [String], _ rows: [[String]]) -> [String] {
        let all = [head, head.map { String(repeating: "-", count: $0.count) }] + rows
        let widths = head.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            row.indices.map { column in
                column == row.count - 1
                    ? row[column] : row[column] + String(repeating: " ", count: widths[column] - row[column].count)
            }.joined(separator: "    ")
        }
    }

    private static let credentials = [
        ("leader-ca-cert", "leader_ca_cert"), ("leader-client-cert", "leader_client_cert"),
        ("leader-client-key", "leader_client_key"),
    ]

    /// A flag's PEM, or that of the file behind its `@`.
    private func pem(_ flag: String) throws -> String? {
        let word = flags.string(flag)
        guard !word.isEmpty else { return nil }
        let text = word.hasPrefix("@") ? try SmallFile.text(String(word.dropFirst())) : word
        guard text.contains("-----BEGIN ") else {
            throw MigrationFailure(
                .configuration, "-\(flag) is PEM text (-----BEGIN …), or @ and the name of a file with it.")
        }
        return text
    }

    func join() -> Int32 {
        perform { client in
            let leader = try one("the address of a node of the cluster, such as https://10.0.0.11:8200")
            var members: [(String, JSONText)] = [
                ("leader_api_addr", .string(leader)), ("non_voter", .boolean(flags.boolean("non-voter"))),
            ]
            for (flag, member) in Self.credentials {
                if let text = try pem(flag) { members.append((member, .string(text))) }
            }
            let body = JSONText.object(members)
            let answer = try client.performOnce("POST", "sys/storage/raft/join", body: Array(body.text.utf8))
            guard answer.status < 300 else {
                throw StorageError(
                    .io, "\(client.address) did not join \(leader): \(Self.errors(answer.withBody { Array($0) }))")
            }
            console.printResult(
                isJSON
                    ? "{\"joined\":true}" : Self.table(["Key", "Value"], [["Joined", "true"]]).joined(separator: "\n"))
        }
    }

    func remove() -> Int32 {
        perform { client in
            let id = try one("a node")
            let body = JSONText.object([("server_id", .string(id))])
            _ = try client.perform("POST", "sys/storage/raft/remove-peer", body: Array(body.text.utf8))
            console.printResult(isJSON ? "{\"removed\":true}" : "Peer removed successfully!")
        }
    }

    func transfer() -> Int32 {
        perform { client in
            guard words.count <= 1 else { throw MigrationFailure(.configuration, "Name one node, or none.") }
            let body = JSONText.object([("server_id", .string(words.first ?? ""))])
            let answer = try client.perform(
                "POST", "sys/storage/raft/transfer-leadership", body: Array(body.text.utf8), isRepeatable: false)
            let parser = try JSONParser()
            let id = try answer.withBody { try parser.parse($0)["node_id"]?.text ?? "" }
            console.printResult(
                isJSON ? JSONText.object([("leader", .string(id))]).text : "Leadership handed to \(StorageKey(id)).")
        }
    }

    private static func errors(_ body: [UInt8]) -> String {
        guard let parser = try? JSONParser() else { return "" }
        let text = body.withUnsafeBytes { bytes in
            (try? parser.parse(bytes))?["errors"].flatMap { errors in
                errors.elements.lazy.compactMap(\.text).first { _ in true }
            }
        }
        return StorageKey(text ?? "no reason given").description
    }
}
