import AWS
package import Storage

extension DynamoDBBackend {
    /// The driver for storage blocks.
    package static func driver() -> BackendDriver {
        BackendDriver(
            kind: "dynamodb", summary: "A table of Amazon DynamoDB or a service with its protocol.",
            notes: """
                A table with Vault's schema. Variables win over the file on both sides, as in Vault. Read with parallel, strongly \
                consistent scans, as many segments as -max-parallel says. Throttles are waited out and counted; the limits are \
                shares of the provisioned capacity or units a second. A destination table is made only if create_table says so, or \
                a capacity is set.
                """,
            options: DynamoDBSettings.options,
            openSource: { settings, context throws(StorageError) in
                let backend = try open(settings, isWritable: context.writesMarker)
                guard let description = backend.knownDescription else { throw backend.missingSource }
                if let problem = schemaProblem(description, backend.location) {
                    throw StorageError(.configuration, problem)
                }
                return backend
            },
            openDestination: { settings, context throws(StorageError) in
                try open(settings, isWritable: !context.isDryRun)
            })
    }

    private static func open(
        _ block: BackendSettings, isWritable: Bool
    ) throws(StorageError) -> DynamoDBBackend {
        let settings = try DynamoDBSettings(block)
        let transport = try TableTransport(settings, block)
        let table = VaultTable(
            name: settings.table, transport: transport, readsConsistently: settings.readsConsistently)
        let description = try table.describe()
        transport.setRates(description, settings)
        return DynamoDBBackend(
            settings: settings, table: table, endpoint: transport.endpoint, isWritable: isWritable,
            description: description)
    }

    private var missingSource: StorageError {
        StorageError(
            .missingStore,
            "\(location) does not exist (region \(settings.region)). A source is never created: correct table, region or "
                + "endpoint; AWS_DYNAMODB_TABLE, AWS_DYNAMODB_REGION, AWS_REGION and AWS_DEFAULT_REGION win over the file."
        )
    }
}
