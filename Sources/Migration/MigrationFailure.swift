import Storage

/// Why a run did not succeed, with the exit code scripts look at.
package struct MigrationFailure: Error, Sendable, CustomStringConvertible {
    package enum Kind: Int32, Sendable {
        /// Flags or configuration.
        case configuration = 1
        /// The migration itself.
        case failed = 2
        /// Source and destination hold different entries.
        case differences = 3
        /// Stopped by a signal.
        case interrupted = 130
    }

    package let kind: Kind
    /// What to print: the first line in the stock command's words where it has any, then what it means and what to do.
    package let message: String

    /// Whether a store could not be opened because a server runs on it.
    let concernsStoreInUse: Bool

    package init(_ kind: Kind, _ message: String) {
        self.init(kind, message, concernsStoreInUse: false)
    }

    private init(_ kind: Kind, _ message: String, concernsStoreInUse: Bool) {
        self.kind = kind
        self.message = message
        self.concernsStoreInUse = concernsStoreInUse
    }

    /// A store that could not be opened.
    static func mounting(_ message: String, _ code: StorageError.Code) -> MigrationFailure {
        MigrationFailure(.failed, "Error migrating: \(message)", concernsStoreInUse: code == .inUse)
    }

    package var exitCode: Int32 { kind.rawValue }

    package var description: String { message }

    /// A failure of the migration proper, as `Error migrating: …`.
    static func migrating(_ message: String) -> MigrationFailure {
        MigrationFailure(.failed, "Error migrating: \(message)")
    }

    /// Any error of a stage: cancellation stays what it is.
    static func stage(_ context: String, _ error: any Error) -> MigrationFailure {
        if let failure = error as? MigrationFailure { return failure }
        if let error = error as? StorageError, error.code == .cancelled { return interrupted }
        // What the stage was reading or writing is not at fault for the disk of the state folder.
        if let error = error as? StorageError, error.concernsOwnFiles { return migrating("\(error)") }
        return migrating("\(context)\(error)")
    }

    /// The failure of a run that was told to stop.
    static let interrupted = MigrationFailure(
        .interrupted, "Interrupted. Nothing half-finished can be taken for a whole store; run the same command again.")
}
