import Flags
import JSON
import Migration
import Storage
import Telemetry

/// `sealift operator rollback`: takes a migration back.
let operatorRollbackCommand = CommandSpec(
    path: ["sealift", "operator", "rollback"], summary: "Take a migration back, with what was written since",
    description: """
        Reads the report of a migration and brings the old store up to date with what servers have written to the new one \
        since the cut-over: only the difference is written, and every entry is proven. Nothing is written to an old store \
        that does not hold exactly what the migration read from it. Without -run it says what would be done.

        Stop every server on both stores first. An old store that is a directory of integrated storage is built whole: \
        migrate from the new store into another directory instead.

        Exit codes: 0 told, or rolled back and proven, 1 flags or configuration, 2 failed, 3 the old store was changed \
        since, or differs, 130 interrupted.
        """,
    examples: [
        .init("See what would be done:", "sealift operator rollback -report /opt/vault/raft.sealift/report.json")
    ],
    flags: [
        .string(
            "report", placeholder: "path", help: "The report.json of the migration that is to be taken back.",
            completion: .file),
        .boolean("run", help: "Do it."),
        .boolean("force", help: "Write mount tables back even if no server on the old kind of storage reads them."),
        .string(
            "config", placeholder: "path",
            help: "The migration's configuration file, if it is not where the report says.", completion: .file),
        CommonFlags.maxParallel, CommonFlags.allowMissingLog, CommonFlags.readOnlySource, CommonFlags.stateFolder,
        CommonFlags.logLevel, CommonFlags.logFormat, CommonFlags.format,
    ])

/// Runs `operator rollback`.
struct OperatorRollback {
    private static let mostReportBytes = 64 << 20

    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    func run() -> Int32 {
        let command = MigrationCommand(flags, console)
        return command.perform("Error rolling back: ") { logger throws(MigrationFailure) in
            let path = flags.string("report")
            guard !path.isEmpty else {
                throw MigrationFailure(.configuration, "Name the migration's report with -report.")
            }
            let (migration, file) = try read(path)
            let named = flags.string("config").isEmpty ? file : flags.string("config")
            guard let named else {
                throw MigrationFailure(.configuration, "\(path) names no configuration file. Name it with -config.")
            }
            guard flags.boolean("run") else {
                tell(migration, path, named)
                return 0
            }
            let configuration = try ConfigurationFile(path: named, environment: console.environment)
            try command.run(configuration, options(command, migration), logger)
            return 0
        }
    }

    private func options(_ command: MigrationCommand, _ migration: MigrationToRollBack) -> MigrationOptions {
        var options = command.options(.rollback)
        options.rollback = migration
        options.allowsAnyData = true
        options.isForced = flags.boolean("force")
        return options
    }

    private func tell(_ migration: MigrationToRollBack, _ path: String, _ file: String) {
        let (old, new) = (migration.old, migration.new)
        if flags.string("format") == "json" {
            func store(_ store: (kind: String, location: String)) -> JSONText {
                .object([("kind", .string(store.kind)), ("location", .string(store.location))])
            }
            return EventWriter().emit(
                "plan",
                [
                    ("source", store(new)), ("destination", store(old)), ("configuration", .string(file)),
                    ("keyspace_digest", .string(migration.keyspaceDigest)),
                ])
        }
        console.printResult(
            """
            Nothing was done. A rollback would

              1. read \(new.kind) \(new.location) and \(old.kind) \(old.location) whole,
              2. stop unless the latter holds exactly what the migration has read from it
                 (sha256:\(migration.keyspaceDigest)),
              3. write to it what the former holds otherwise, remove what is gone there, and prove every entry.

            Stop every server on both stores, then run

              sealift operator rollback -report \(path) -run

            and start the server with its old configuration.
            """)
    }

    /// What a report tells of its migration, and the configuration file that it names.
    private func read(_ path: String) throws(MigrationFailure) -> (MigrationToRollBack, file: String?) {
        let fault = { (what: String) in MigrationFailure(.configuration, "-report \(path): \(what)") }
        do {
            let bytes = try SmallFile.bytes(path, most: Self.mostReportBytes)
            let parser = try JSONParser()
            return try bytes.withUnsafeBytes { bytes in
                let report = try parser.parse(bytes)
                guard let result = report["result"]?.text, report["partial"] != nil, let source = report["source"]
                else {
                    throw fault("this is no report of a migration.")
                }
                guard result == "migrated and proven", report["partial"]?.boolean == false else {
                    throw fault(
                        "only a migration of a whole store that was proven can be taken back; this one: \(result).")
                }
                guard let mode = report["mode"]?.text, ["whole", "final", "repair"].contains(mode) else {
                    throw fault("this is the report of a rollback. Name that of the migration itself.")
                }
                let upgraded = report["seal_upgrade"]
                let lists = [upgraded?["added"], upgraded?["changed"], upgraded?["left_out"]].compactMap(\.self)
                guard !lists.contains(where: { $0.count > 0 }) else { throw fault(Self.isUpgraded) }
                guard report["raft_tls_generated"]?.boolean != true else { throw fault(Self.hasMadeKeyRing) }
                guard report["destinations"]?.count ?? 0 < 2 else { throw fault(Self.isOfSeveral) }
                guard let destinations = report["destinations"].map({ Array($0.elements) }), destinations.count == 1,
                    let destination = destinations.first, let digest = report["keyspace_digest"]?.text,
                    let old = Self.store(source), let new = Self.store(destination)
                else { throw fault("it names no source, or not one destination.") }
                return (
                    MigrationToRollBack(old: old, new: new, keyspaceDigest: digest), report["configuration"]?.text
                )
            }
        } catch let failure as MigrationFailure {
            throw failure
        } catch let error as StorageError {
            throw MigrationFailure(.configuration, error.message, cause: error)
        } catch {
            throw fault("\(error)")
        }
    }

    /// What the old store's server makes of entries that were written for newer ones, and whether shares were changed since,
    /// nobody knows here.
    private static let isUpgraded =
        "the migration made the new store fit for today's servers (-upgrade-legacy-seal). A rollback would write its seal into "
        + "the old store, and a server of before Vault 1.3 unseals nothing with it. The old store is as the migration left it: "
        + "its server starts on it with the old key shares, without what was written since. To take that back as well, migrate "
        + "from the new store into an empty one (operator migrate) and start a Vault of 1.3 up to 1.14 on it, with the key "
        + "shares that the new store has now."

    private static let hasMadeKeyRing =
        "the migration made core/raft/tls for the new cluster (-generate-raft-tls), which the old store never had, so that the two "
        + "cannot be held against each other by its digest. The old store is as the migration left it: its server starts on it, "
        + "without what was written since. To take that back as well, migrate from one stopped node of the new cluster into an "
        + "empty store of the old kind (operator migrate)."
    private static let isOfSeveral =
        "the migration filled several stores, the nodes of one cluster, of which any may have led last. The old store is as the "
        + "migration left it. To take back what was written since, stop all nodes and migrate from the one that led last into an "
        + "empty store of the old kind (operator migrate)."

    private static func store(_ node: JSONNode) -> (kind: String, location: String)? {
        guard let kind = node["kind"]?.text, let location = node["location"]?.text else { return nil }
        return (kind, location)
    }
}
