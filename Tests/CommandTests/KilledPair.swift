import Foundation
import TestSupport
import Testing

/// Two stores of any kinds, and migrations from one to the other that are killed before one of their changes and taken up
/// again. Each round has a destination of its own.
final class KilledPair {
    static let kinds = ["file", "sqlite", "raft", "dynamodb", "raft_cluster"]

    private let sandbox: Sandbox
    private let kinds: (source: String, destination: String)
    private let source: StorePlace
    private let digest: String
    private let files: [String: String]
    private let table: PracticeServer?
    private var nodes: [SingleNode] = []
    private var rounds = 0

    init(_ source: String, _ destination: String) throws {
        sandbox = try Sandbox()
        kinds = (source, destination)
        table = kinds.source == "dynamodb" || kinds.destination == "dynamodb" ? try PracticeServer(sandbox, []) : nil
        var entries = SampleEntry.initialised
        for number in 0..<12 {
            let value = [UInt8](repeating: UInt8(number), count: number.isMultiple(of: 4) ? 5000 : 40)
            entries.append(SampleEntry("logical/\(number % 3)/\(number).temp", value))
        }
        guard case .file(let folder) = try sandbox.makeFileStore("src", entries) else { throw CannotBe() }
        let made = StorePlace(kind: "file", name: folder)
        digest = try sandbox.digest(of: .file(folder))
        self.source =
            source == "file" ? made : try StorePlace(kind: source, name: "", sandbox, table, &nodes, called: "source")
        files = try snapshot(folder, times: false)
        guard source != "file" else { return }
        let outcome = try sandbox.migrate(
            try sandbox.write(
                "fill.hcl",
                made.block("storage_source") + self.source.block("storage_destination")
                    + StorePlace.clusterAddress), ["-state-dir", "\(sandbox.path)/home/fill"])
        try #require(outcome.code == 0, "\(outcome.errors)")
    }

    private struct CannotBe: Error {}

    /// A migration to a destination that is new.
    final class Round {
        fileprivate let destination: StorePlace
        fileprivate let words: [String]
        /// Whether a run has told of success: then nothing is left to do.
        fileprivate(set) var isTold = false

        fileprivate init(_ destination: StorePlace, _ configuration: String, _ state: String) {
            self.destination = destination
            words = ["operator", "migrate", "-config", configuration, "-state-dir", state]
        }
    }

    func round() throws -> Round {
        rounds += 1
        let destination = try StorePlace(
            kind: kinds.destination, name: "", sandbox, table, &nodes, called: "dst-\(rounds)")
        let file = try sandbox.write(
            "migrate-\(rounds).hcl",
            source.block("storage_source") + destination.block("storage_destination") + StorePlace.clusterAddress)
        return Round(destination, file, "\(sandbox.path)/home/state-\(rounds)")
    }

    /// How many steps an undisturbed run takes.
    ///
    /// - Parameter kind: `all` or `durable`, see `Tests/steps/steps.c`.
    func steps(_ kind: String) throws -> Int {
        let round = try round()
        let total = "\(sandbox.path)/home/total"
        let outcome = try sandbox.sealift(
            round.words, adding: try Steps.variables(["STEPS_KIND": kind, "STEPS_TOTAL": total]))
        try #require(outcome.code == 0, "\(outcome.errors)")
        return try #require(Int(try text(of: total).dropLast()))
    }

    /// Runs the migration, killed before a step.
    ///
    /// - Returns: Whether it was killed, and not done before.
    func kill(_ round: Round, before step: Int, _ kind: String, _ comment: Comment) throws -> Bool {
        let outcome = try sandbox.sealift(
            round.words, adding: try Steps.variables(["STEPS_KIND": kind, "STEPS_KILL": "\(step)"]))
        #expect(outcome.code == -SIGKILL || outcome.code == 0, "\(comment): \(outcome.errors)")
        round.isTold = outcome.output.contains("Success!")
        #expect(round.isTold || outcome.code != 0, comment)
        try expectNothingHalf(round, isDone: round.isTold, comment)
        return outcome.code == -SIGKILL
    }

    /// Runs the same command to its end.
    func complete(_ round: Round, _ comment: Comment) throws {
        let outcome = try sandbox.sealift(round.words)
        // A run that was killed behind its last word has left nothing to do: the next one finds a store that is no more its.
        let isOver = round.isTold && ["is not empty", "already has state"].contains { outcome.errors.contains($0) }
        try #require(outcome.code == 0 || isOver, "\(comment): \(outcome.errors)")
        #expect(outcome.output.contains("sha256:\(digest)") || isOver, comment)
        try expectNothingHalf(round, isDone: true, comment)
        let names = try FileManager.default.contentsOfDirectory(atPath: sandbox.path)
        let left = names.filter { $0.contains("sealift") || $0.hasSuffix("-journal") || $0.hasSuffix("-wal") }
        #expect(left.isEmpty, "\(comment): left behind \(left)")
        if round.destination.kind == "file" {
            let copy = try snapshot(round.destination.name, times: false)
            #expect(Set(copy.keys) == Set(files.keys), comment)
        }
    }

    /// Takes the marker from a destination of files behind the back of the run that was killed.
    ///
    /// - Returns: Whether there are entries, which nothing guards any more.
    func takeGuard(from round: Round) throws -> Bool {
        let names = try? FileManager.default.subpathsOfDirectory(atPath: round.destination.name)
        guard (names ?? []).contains(where: { $0.contains("/_") && $0 != "core/_migration" }) else { return false }
        return unlink("\(round.destination.name)/core/_migration") == 0
    }

    /// Whatever stands at the destination is whole, or no server starts on it, and the source is as it was.
    func expectNothingHalf(_ round: Round, isDone: Bool, _ comment: Comment) throws {
        try expectSourceUnchanged(isDone: isDone, comment)
        let destination = round.destination
        let isGuarded = try isGuarded(destination)
        if isDone { #expect(!isGuarded, "\(comment): guarded though success was told") }
        guard !isGuarded else { return }
        // A server takes a directory without vault.db for an empty one.
        if destination.kind == "raft", !isDone, !exists("\(destination.name)/vault.db") { return }
        let outcome = try checksum(destination)
        if !isDone {
            let isMissing = ["no such file", "has no table", "does not exist"].contains { outcome.errors.contains($0) }
            if outcome.code == 0 ? outcome.output.contains("# entries: 0\n") : isMissing { return }
        }
        #expect(outcome.code == 0, "\(comment): \(outcome.errors)")
        #expect(outcome.output.contains("# keyspace digest: \(digest)"), "\(comment): \(outcome.output)")
    }

    private func expectSourceUnchanged(isDone: Bool, _ comment: Comment) throws {
        if isDone { #expect(try !isGuarded(source), "\(comment): the source is guarded though success was told") }
        switch source.kind {
        case "file":
            let now = try snapshot(source.name, times: false)
            let added = Set(now.keys).subtracting(files.keys)
            #expect(added.isSubset(of: ["core/_migration", "core/.migration.temp"]), "\(comment): \(added)")
            #expect(now.filter { files[$0.key] != nil } == files, comment)
        // Beside the marker, which is no entry.
        default: #expect(try checksum(source).output.contains("# keyspace digest: \(digest)"), comment)
        }
    }

    private func checksum(_ place: StorePlace) throws -> Outcome {
        let file = try sandbox.write("home/checksum.hcl", try settled(place).block("storage"))
        return try sandbox.sealift(["checksum", "-config", file, "-digest-only"])
    }

    /// A store as any program finds it: what a killed one was writing to a database is undone, here in a copy.
    private func settled(_ place: StorePlace) throws -> StorePlace {
        guard place.kind == "sqlite", exists(place.name) else { return place }
        let copy = "\(sandbox.path)/home/copy"
        try sandbox.shell(
            "rm -f '\(copy)'*; cp '\(place.name)' '\(copy)'; "
                + "if [ -e '\(place.name)-journal' ]; then cp '\(place.name)-journal' '\(copy)-journal'; fi")
        try sandbox.sql(copy, "SELECT count(*) FROM sqlite_master")
        return StorePlace(kind: place.kind, name: copy)
    }

    private func isGuarded(_ place: StorePlace) throws -> Bool {
        switch place.kind {
        case "file": return exists("\(place.name)/core/_migration")
        case "raft": return false
        default:
            let file = try sandbox.write("home/inspect.hcl", try settled(place).block("storage"))
            return try sandbox.sealift(["inspect", "stat", "-config", file, "core/migration"]).code == 0
        }
    }
}

/// Where a store of any kind is.
struct StorePlace {
    /// A Raft directory needs it, all others pass over it.
    static let clusterAddress = "cluster_addr = \"https://10.0.0.11:8201\"\n"

    let kind: String
    /// A path, the name of a table, or the address of a node.
    let name: String
    private let endpoint: String

    init(kind: String, name: String, endpoint: String = "") {
        self.kind = kind
        self.name = name
        self.endpoint = endpoint
    }

    /// A store that holds nothing yet, and the service behind it.
    fileprivate init(
        kind: String, name: String, _ sandbox: Sandbox, _ table: PracticeServer?, _ nodes: inout [SingleNode],
        called word: String
    ) throws {
        switch kind {
        case "dynamodb": self.init(kind: kind, name: word, endpoint: table?.endpoint ?? "")
        case "raft_cluster":
            nodes.append(try SingleNode(sandbox, word))
            self.init(kind: kind, name: nodes[nodes.count - 1].address)
        default: self.init(kind: kind, name: "\(sandbox.path)/\(word)")
        }
    }

    func block(_ side: String) -> String {
        let options =
            switch kind {
            case "dynamodb":
                """
                  table        = "\(name)"
                  endpoint     = "\(endpoint)"
                  access_key   = "AKIATEST"
                  secret_key   = "test"
                  create_table = "on-demand"
                """
            case "raft_cluster": "  address = \"\(name)\""
            case "raft": "  path    = \"\(name)\"\n  node_id = \"node1\""
            default: "  path = \"\(name)\""
            }
        return "\(side) \"\(kind)\" {\n\(options)\n}\n"
    }
}

/// A Raft log store of one node, served by the built program.
final class SingleNode {
    let address: String
    private let started: Sandbox.Started

    init(_ sandbox: Sandbox, _ name: String) throws {
        let (port, clusterPort) = (try FreePort.take(), try FreePort.take())
        address = "http://127.0.0.1:\(port)"
        let file = try sandbox.write(
            "\(name)-node.hcl",
            """
            storage "raft" {
              path                   = "\(sandbox.path)/\(name)-node"
              node_id                = "n1"
              performance_multiplier = 0.1
            }
            listener "tcp" {
              address         = "127.0.0.1:\(port)"
              cluster_address = "127.0.0.1:\(clusterPort)"
              tls_disable     = true
            }
            cluster_addr = "http://127.0.0.1:\(clusterPort)"

            """)
        started = try sandbox.start(["raft", "server", "-config", file, "-bootstrap"])
        try waitUntil("the node leads") { [address, started] in
            guard !started.program.ends(within: 20) else {
                throw RunningProgram.Failure(description: try text(of: started.errors))
            }
            return (try? sandbox.shell("curl -fsS \(address)/v1/sys/leader | grep -q '\"is_self\": *true'")) != nil
        }
    }

    deinit { started.program.send(SIGKILL) }
}
