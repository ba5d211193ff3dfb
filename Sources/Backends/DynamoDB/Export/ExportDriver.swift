import Files
package import Storage

extension DynamoDBExport {
    private static let pathOption = BackendOption(
        "path", .path, "The export's folder, one of its data files, or a file with the output of a scan.")

    /// The driver for storage blocks.
    package static func driver() -> BackendDriver {
        BackendDriver(
            kind: "dynamodb_export",
            summary: "A downloaded export of a DynamoDB table, or the output of aws dynamodb scan; only as a source.",
            options: [pathOption]
        ) { settings, purpose throws(StorageError) in
            guard case .source = purpose else {
                throw StorageError(
                    .configuration, "dynamodb_export can only be a source: an export is not written to.",
                    place: settings.place)
            }
            let path = try settings.path(pathOption)
            return try DynamoDBExport(path: path, isCancelled: settings.isCancelled)
        }
    }
}
