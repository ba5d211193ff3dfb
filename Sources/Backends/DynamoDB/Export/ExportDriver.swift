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
            notes: """
                DynamoDB JSON of a full export to S3, one of its data files, the output of aws dynamodb scan, or its items alone \
                (jq -c '.Items[]'); gzip or not. Checksums and counts are verified.
                """,
            options: [pathOption],
            openSource: { settings, _ throws(StorageError) in
                try DynamoDBExport(path: settings.path(pathOption), isCancelled: settings.isCancelled)
            },
            openDestination: nil)
    }
}
