import Storage

/// An error as the service answers it: HTTP status, type and message.
///
/// Types and messages are those of Amazon DynamoDB (API reference, "Common errors" and each operation's "Errors").
struct ServiceError: Error, Equatable {
    private static let serviceNamespace = "com.amazonaws.dynamodb.v20120810#"
    private static let commonNamespace = "com.amazon.coral.service#"

    let status: Int
    /// With its namespace.
    let type: String
    let message: String
    /// Whether the member is called `Message`: errors of the serializer spell it so.
    var hasCapitalMessage = false
    /// The item that failed a condition, as JSON, where the request asked for it.
    var item: [UInt8]?
    /// What went wrong in the table's own database.
    var cause: StorageError?

    private init(_ type: String, _ message: String, status: Int = 400) {
        self.type = type
        self.message = message
        self.status = status
    }

    /// The type without its namespace.
    var name: String { type.split(separator: "#").last.map(String.init) ?? type }

    /// The request is well-formed JSON and asks for something that cannot be.
    static func validation(_ message: String) -> ServiceError {
        ServiceError("com.amazon.coral.validate#ValidationException", message)
    }

    /// A parameter is outside what the service's model allows.
    static func constraint(_ value: String, at parameter: String, _ constraint: String) -> ServiceError {
        .validation(
            "1 validation error detected: Value \(value) at '\(parameter)' failed to satisfy constraint: \(constraint)")
    }

    /// The request is no JSON, or a member has the wrong JSON type.
    static func serialization(_ message: String) -> ServiceError {
        var error = ServiceError(commonNamespace + "SerializationException", message)
        error.hasCapitalMessage = true
        return error
    }

    /// Something about the request as a whole: authentication, unknown operation.
    static func common(_ name: String, _ message: String) -> ServiceError {
        ServiceError(commonNamespace + name, message)
    }

    private static func service(_ name: String, _ message: String, status: Int = 400) -> ServiceError {
        ServiceError(serviceNamespace + name, message, status: status)
    }

    static let tableNotFound = service("ResourceNotFoundException", "Requested resource not found")

    static func tableNotFound(named name: String) -> ServiceError {
        service("ResourceNotFoundException", "Requested resource not found: Table: \(name) not found")
    }

    static func resourceInUse(_ message: String) -> ServiceError { service("ResourceInUseException", message) }

    // Backups, restores and exports (API reference, each operation's "Errors").

    static func noTableToBackUp(_ name: String) -> ServiceError {
        service("TableNotFoundException", "Table not found: \(name)")
    }

    static func backupNotFound(_ resourceName: String) -> ServiceError {
        service("BackupNotFoundException", "Backup not found: \(resourceName)")
    }

    static func backupInUse(_ resourceName: String) -> ServiceError {
        service("BackupInUseException", "Backup is being created or restored from: \(resourceName)")
    }

    static func tableAlreadyExists(_ name: String) -> ServiceError {
        service("TableAlreadyExistsException", "Table already exists: \(name)")
    }

    static func recoveryUnavailable(_ name: String) -> ServiceError {
        service(
            "PointInTimeRecoveryUnavailableException", "Point in time recovery is not enabled for table '\(name)'")
    }

    static let invalidRestoreTime = service(
        "InvalidRestoreTimeException",
        "An invalid restore time was specified. RestoreDateTime must be between EarliestRestorableDateTime and "
            + "LatestRestorableDateTime.")

    static let invalidExportTime = service(
        "InvalidExportTimeException",
        "The export time must be within the table's point in time recovery window")

    static func exportNotFound(_ resourceName: String) -> ServiceError {
        service("ExportNotFoundException", "Export not found: \(resourceName)")
    }

    static let exportConflict = service(
        "ExportConflictException", "There was a conflict when writing to the specified S3 bucket.")

    static let conditionFailed = service("ConditionalCheckFailedException", "The conditional request failed")

    static let throughputExceeded = service(
        "ProvisionedThroughputExceededException",
        "The level of configured provisioned throughput for the table was exceeded. "
            + "Consider increasing your provisioning level with the UpdateTable API.")

    /// The service could not do it; a repeated request may succeed.
    static let internalError = service("InternalServerError", "Internal server error", status: 500)

    /// The table's own disk or database is at fault. The file's place is for the log, and not for clients.
    static func database(_ cause: StorageError) -> ServiceError {
        let reason = cause.code == .noSpace ? "its disk is full" : "its log says why"
        var error = service(
            "InternalServerError", "The practice table cannot write or read its database: \(reason)", status: 500)
        error.cause = cause
        return error
    }

    /// The action is none of the requester's permissions.
    static func denied(_ action: String) -> ServiceError {
        common(
            "AccessDeniedException",
            "User: arn:aws:iam::000000000000:user/practice is not authorized to perform: dynamodb:\(action) because no "
                + "identity-based policy allows the dynamodb:\(action) action")
    }
}
