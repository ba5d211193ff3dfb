import FileBackend
import Flags
import Glibc
import HTTPServer
import Migration
import Practice
import Storage
import Telemetry
import Workers

/// `sealift practice-table`: a DynamoDB-compatible table on this machine.
let practiceTableCommand = CommandSpec(
    path: ["sealift", "practice-table"], summary: "Serve a DynamoDB-compatible table to practise on",
    description: """
        Serves the JSON protocol of Amazon DynamoDB from this machine, so that a whole migration can be rehearsed \
        without AWS: with boto3, the aws command, a Vault server or Sealift itself as its client. Limits, errors, \
        capacity and page sizes are the service's own. The items lie in an SQLite file, or in memory.

        Backups are practised as well: on-demand backups and their restore, point-in-time recovery, and exports to a folder that \
        stands for S3. What the service does in minutes is done at once, and the latest time that can be restored is now \
        instead of five minutes ago.

        Prints where it listens once it does, and serves until SIGINT or SIGTERM. GET / answers with counts of \
        requests and consumed capacity as JSON. What is kept here is data to practise with: there is no TLS, and a copy of real \
        data deserves the care of the original.
        """,
    examples: [
        .init("A table in memory:", "sealift practice-table -address 127.0.0.1:8000"),
        .init(
            "What a Vault's file storage would be on DynamoDB, kept in a file:",
            "sealift practice-table -address 127.0.0.1:8000 -path table.sqlite -import /opt/vault/data"),
        .init(
            "With a folder for exports to S3:",
            "sealift practice-table -address 127.0.0.1:8000 -exports /opt/vault/buckets"),
        .init(
            "A bad day:",
            "sealift practice-table -address 127.0.0.1:8000 -import /opt/vault/items.jsonl.gz "
                + "-fault throttle=0.2,http500=0.05,drop=0.02,seed=7"),
    ],
    flags: [
        .string(
            "address", placeholder: "host:port", default: "127.0.0.1:8000",
            help: "Where to listen; port 0 takes any free one."),
        .boolean(
            "allow-remote", help: "Listen also where other machines can reach it: without TLS, for test data only."),
        .string(
            "path", placeholder: "path", help: "The database file; without it everything stays in memory.",
            completion: .file),
        .string(
            "import", placeholder: "path",
            help: """
                Fill the table first: from a Vault file-storage folder, or from items as DynamoDB JSON, a line each \
                ({"Item": …} or the item alone), with or without gzip: a file, an export's folder, or the output of \
                aws dynamodb scan.
                """, completion: .file),
        .string(
            "table", placeholder: "name", default: PracticeTable.defaultTableName,
            help: "The table that -import fills, and makes if it is not there."),
        .boolean("replace", help: "Let -import delete what the table holds."),
        .integer(
            "read-capacity", default: 0, help: "Read units a second of the table that -import makes; 0 for on-demand."),
        .integer(
            "write-capacity", default: 0, help: "Write units a second of the table that -import makes; 0 for on-demand."
        ),
        .string(
            "exports", placeholder: "path",
            help: """
                An existing folder that stands for S3: ExportTableToPointInTime writes into the folder of the bucket's name \
                in it, in the service's layout, which a dynamodb_export source reads.
                """, completion: .file),
        .integer(
            "backup-seconds", default: 0,
            help: "How long CreateBackup takes, in seconds: until then the backup is CREATING."),
        .boolean("no-burst", help: "Throttle provisioned tables at once: keep no unused capacity for bursts."),
        .string(
            "access-key", placeholder: "id",
            help: """
                Take only requests signed with this access key id; its secret key comes from AWS_SECRET_ACCESS_KEY or \
                -credentials-file. Without it any signature is taken.
                """),
        .string(
            "credentials-file", placeholder: "path",
            help: "Take only requests signed with a key of this file, which has the form of ~/.aws/credentials.",
            completion: .file),
        .list(
            "fault", placeholder: "list",
            help: """
                What is to go wrong: shares of requests throttle=, http500=, drop=, slow=, truncate=, crc= and of \
                batched items unprocessed=, all between 0 and 1; expired-after= and delete-table-after= a number of requests; \
                deny= an operation that is not allowed, such as Query, again for each further one; slow-ms= and seed=. The \
                same seed and requests give the same faults.
                """),
        CommonFlags.logLevel, CommonFlags.logFormat,
    ])

/// Runs `practice-table`.
struct PracticeTableRun {
    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    func run() -> Int32 {
        let stop = Monitor(false)
        let cancellation = CancellationToken()
        cancellation.onCancel { stop.change { $0 = true } }
        do {
            // Watched before anything else, so that every thread leaves the signals to the watch.
            try console.watchSignals(cancellation, announcement: nil)
            let logger = try console.logger(flags)
            return try serve(logger, cancellation, stop)
        } catch {
            console.printError(console.screen.paint("Error: \(error)", .red))
            return (error as? MigrationFailure)?.exitCode ?? (error is OutputFailure ? 2 : 1)
        }
    }

    private func serve(_ logger: Logger, _ cancellation: CancellationToken, _ stop: Monitor<Bool>) throws -> Int32 {
        let address = try SocketAddress(flags.string("address"))
        let allowsRemote = flags.boolean("allow-remote")
        guard allowsRemote || address.isLoopback else {
            throw MigrationFailure(
                .configuration,
                "-address \(address.host) can be reached from other machines, and the practice table has no TLS. Listen "
                    + "on 127.0.0.1, or give -allow-remote if all it holds is test data.")
        }
        let path = flags.string("path")
        let table = try PracticeTable(
            path: path.isEmpty ? nil : path, options: try options(), logger: logger.named("practice"))
        defer { table.close() }
        try importItems(into: table, cancellation)
        if cancellation.isCancelled { return 0 }
        let server = try table.start(address: address, allowsRemote: allowsRemote)
        announce(table, server)
        do throws(OutputFailure) {
            // Whoever was to learn the port from it waits in vain.
            try console.checkResult()
        } catch {
            server.stop()
            throw error
        }
        stop.wait { $0 ? ((), wakes: nil) : nil }
        server.stop()
        table.logCounts()
        return 0
    }

    private func options() throws -> PracticeTable.Options {
        var options = PracticeTable.Options()
        options.allowsBursts = !flags.boolean("no-burst")
        options.secondsOfBackup = flags.integer("backup-seconds")
        guard (0...86_400).contains(options.secondsOfBackup) else {
            throw MigrationFailure(.configuration, "-backup-seconds is a number of seconds from 0 to 86400.")
        }
        options.exportFolder = try exportFolder()
        options.credentials = try credentials()
        for text in flags.list("fault") { try options.faults.add(text) }
        return options
    }

    /// Whose signatures are to be taken; secret keys are never on the command line, where other users could see them.
    private func credentials() throws -> PracticeCredentials? {
        let path = flags.string("credentials-file")
        let keyID = flags.string("access-key")
        if !path.isEmpty {
            guard keyID.isEmpty else {
                throw MigrationFailure(.configuration, "Give -access-key or -credentials-file, not both.")
            }
            guard let found = try PracticeCredentials(file: path) else {
                throw MigrationFailure(
                    .configuration,
                    "\(path): no profile has aws_access_key_id and aws_secret_access_key. Add one, as in "
                        + "~/.aws/credentials."
                )
            }
            return found
        }
        guard !keyID.isEmpty else { return nil }
        guard let secret = console.environment["AWS_SECRET_ACCESS_KEY"], !secret.isEmpty else {
            throw MigrationFailure(
                .configuration,
                "-access-key needs the secret key in the environment variable AWS_SECRET_ACCESS_KEY, or use "
                    + "-credentials-file.")
        }
        return PracticeCredentials([keyID: secret])
    }

    /// Fills the table if that was asked for, and prints what came in.
    private func importItems(into table: PracticeTable, _ cancellation: CancellationToken) throws {
        let source = flags.string("import")
        guard !source.isEmpty else { return }
        let name = flags.string("table")
        let (read, write) = (flags.integer("read-capacity"), flags.integer("write-capacity"))
        guard (read > 0) == (write > 0), read >= 0, write >= 0 else {
            throw MigrationFailure(
                .configuration, "Give both -read-capacity and -write-capacity, each at least 1, or neither.")
        }
        var info = stat()
        guard stat(source, &info) == 0 else { throw StorageError.system("import", source, errno: errno) }
        let isFolder = info.st_mode & S_IFMT == S_IFDIR
        try table.prepareImport(
            into: name, replaces: flags.boolean("replace"), capacity: read > 0 ? (read, write) : nil)
        let isCancelled: @Sendable () -> Bool = { cancellation.isCancelled }
        let result: ImportResult
        var digest: String?
        do {
            let files = isFolder ? try PracticeTable.exportFiles(in: source) : [source]
            if isFolder { digest = try ImportCheck(folder: source, files: files).run(isCancelled: isCancelled) }
            if files.isEmpty {
                let store = try FileBackend(path: source, mustExist: true)
                defer { store.close() }
                result = try table.load(from: store, into: name, isCancelled: isCancelled)
            } else {
                result = try table.load(files: files, into: name, isCancelled: isCancelled)
            }
        } catch let error as StorageError where error.code == .cancelled {
            throw MigrationFailure(.interrupted, "Interrupted. The import is incomplete; run again with -replace.")
        }
        guard result.items > 0 else {
            throw StorageError(
                .missingStore,
                "\(source) holds neither a Vault's file storage nor items as DynamoDB JSON. Correct the path of -import."
            )
        }
        for reason in result.leftOut { console.printError("left out: \(reason)") }
        let leftOut = result.leftOutCount > 0 ? ", left out \(formatCount(result.leftOutCount))" : ""
        console.printResult(
            "Imported \(counted(result.items, "item")) (\(counted(result.items - result.markers, "entry", "entries")), "
                + "\(counted(result.markers, "marker")), \(formatBytes(result.bytes))) into \(name)\(leftOut)"
                + (digest.map { "; they are those of its manifest, sha256:\($0)" } ?? ""))
    }

    private func exportFolder() throws -> String? {
        guard flags.isSet("exports") else { return nil }
        let path = flags.string("exports")
        var info = stat()
        guard !path.isEmpty, stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else {
            throw MigrationFailure(.configuration, "-exports \(path) is no folder. Make it first: mkdir -m 700 FOLDER.")
        }
        return path
    }

    private func announce(_ table: PracticeTable, _ server: HTTPServer) {
        let endpoint = "http://\(server.address.authority(port: server.port))"
        let held = table.tables.map { "\($0.name) (\(counted($0.items, "item")))" }
        let contents = held.isEmpty ? "without tables" : "with " + held.joined(separator: ", ")
        // Any keys do where no signatures are checked, but clients insist on having some.
        let isChecked = flags.isSet("access-key") || flags.isSet("credentials-file")
        let variables = isChecked ? "" : "AWS_ACCESS_KEY_ID=practice AWS_SECRET_ACCESS_KEY=practice "
        let keys = isChecked ? "" : "access_key = \"practice\" secret_key = \"practice\" "
        let settings = "endpoint = \"\(endpoint)\" region = \"us-east-1\" table = \"\(flags.string("table"))\" \(keys)"
        console.printResult(
            """
            Practice table listening on \(endpoint) \(contents)
              \(variables)aws dynamodb list-tables --endpoint-url \(endpoint) --region us-east-1
              storage_source "dynamodb" { \(settings)}
            """)
    }
}
