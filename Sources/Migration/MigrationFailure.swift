package import Storage

/// Why a run did not succeed, with the exit code scripts look at, and what is known of the cause as fields.
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

        /// Whether the command says before the message what it was that failed.
        var isPrefixed: Bool { self == .failed || self == .differences }
    }

    /// A place in a configuration file.
    package struct Place: Sendable, Equatable {
        package let file: String
        /// Both 1-based.
        package let line: Int
        package let column: Int
    }

    package let kind: Kind
    /// What to print behind the command's own prefix: the first line in the stock command's words where it has any, then
    /// what it means and what to do.
    package let message: String
    /// What a store or a disk said: its code, and the entry concerned; `nil` if nothing of the kind is at fault.
    package let cause: StorageError?
    /// Where in a configuration file the fault stands, if it stands in one.
    package let place: Place?
    /// Whether the command says before the message what it was that failed.
    private let isPrefixed: Bool

    /// - Parameter isPrefixed: Whether the command says before the message what it was that failed; by its kind if `nil`.
    package init(
        _ kind: Kind, _ message: String, cause: StorageError? = nil, place: Place? = nil, isPrefixed: Bool? = nil
    ) {
        self.kind = kind
        self.message = message
        self.cause = cause
        self.place = place
        self.isPrefixed = isPrefixed ?? kind.isPrefixed
    }

    package var exitCode: Int32 { kind.rawValue }

    /// Whether a store could not be opened because a server runs on it.
    var concernsStoreInUse: Bool { cause?.code == .inUse }

    /// The whole text.
    ///
    /// - Parameter prefix: What the command says of its failures: `Error migrating: `.
    package func text(prefix: String) -> String { isPrefixed ? prefix + message : message }

    package var description: String { message }

    /// A failure of the migration proper.
    static func migrating(_ message: String, cause: StorageError? = nil) -> MigrationFailure {
        MigrationFailure(.failed, message, cause: cause)
    }

    /// Any error of a stage: cancellation stays what it is.
    package static func stage(_ context: String, _ error: any Error) -> MigrationFailure {
        if let failure = error as? MigrationFailure { return failure }
        guard let error = error as? StorageError else { return migrating("\(context)\(error)") }
        if error.code == .cancelled { return interrupted }
        // What the stage was reading or writing is not at fault for the disk of the state folder.
        return migrating(error.concernsOwnFiles ? "\(error)" : "\(context)\(error)", cause: error)
    }

    /// The failure of a run that was told to stop.
    static let interrupted = MigrationFailure(
        .interrupted, "Interrupted. Nothing half-finished can be taken for a whole store; run the same command again.")
}
