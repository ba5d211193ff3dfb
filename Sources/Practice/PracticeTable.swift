import Glibc
package import HTTPServer
package import Storage
package import Telemetry

/// A table on this machine that speaks DynamoDB's JSON protocol, so that a migration can be rehearsed without AWS.
///
/// Made in three steps: ``init(path:options:logger:)`` opens the database, ``load(_:into:)`` and its siblings fill it,
/// ``start(address:allowsRemote:)`` serves it.
package final class PracticeTable: Sendable {
    /// How the table behaves.
    package struct Options: Sendable {
        /// Whose signatures are taken; `nil` takes any.
        package var credentials: PracticeCredentials?
        package var faults = FaultPlan()
        /// Whether tables with provisioned capacity may use up to five minutes of what was not used before.
        package var allowsBursts = true
        /// How long a backup is being made before it is available, in seconds.
        package var secondsOfBackup = 0
        /// The folder that holds a folder for each S3 bucket that a table is exported to; `nil` if there are no buckets.
        package var exportFolder: String?

        package init() {}
    }

    /// The table's name where nothing else is said; the stock backend's default.
    package static let defaultTableName = "vault-dynamodb-backend"

    let store: TableStore
    private let handler: RequestHandler
    private let logger: Logger

    /// Opens the database.
    ///
    /// - Parameter path: Its file, made with mode 0600 if it is not there; `nil` keeps everything in memory.
    /// - Throws: `StorageError` if the file cannot be opened or is something else.
    package init(path: String?, options: Options = Options(), logger: Logger) throws(StorageError) {
        store = try TableStore(path: path)
        self.logger = logger
        handler = RequestHandler(store, options, logger)
    }

    /// Starts to serve.
    ///
    /// - Parameters:
    ///   - address: Port 0 takes any free one; the server knows which.
    ///   - allowsRemote: Whether an address that other machines can reach is accepted.
    package func start(address: SocketAddress, allowsRemote: Bool) throws(HTTPServerError) -> HTTPServer {
        let handler = handler
        return try HTTPServer(address: address, allowsRemote: allowsRemote) { handler.answer($0) }
    }

    /// Names and counts of the tables, in the order of the names.
    package var tables: [(name: String, items: Int, bytes: Int)] {
        store.names.compactMap { name in store.table(name).map { (name, $0.items, $0.bytes) } }
    }

    /// Logs what was asked, and what went wrong on purpose.
    package func logCounts() {
        let counts = handler.counters.snapshot
        for (name, count) in counts.requests.sorted(by: { $0.key < $1.key }) {
            logger.info("requests", ["operation": .string(name), "count": .integer(count)])
        }
        for (name, count) in counts.faults.sorted(by: { $0.key < $1.key }) {
            logger.info("faults", ["kind": .string(name), "count": .integer(count)])
        }
        logger.info(
            "capacity used",
            [
                "read_units": .double(counts.readUnits), "write_units": .double(counts.writeUnits),
                "throttles": .integer(counts.throttles),
            ])
    }

    /// Closes the database; the server must have been stopped.
    package func close() {
        store.close()
    }
}
