import AWS
package import Storage

extension DynamoDBBackend {
    /// The driver for storage blocks.
    package static func driver() -> BackendDriver {
        BackendDriver(
            kind: "dynamodb", summary: "A table of Amazon DynamoDB or a service with its protocol.",
            options: DynamoDBSettings.options
        ) { settings, purpose throws(StorageError) in
            try open(settings, purpose)
        }
    }

    private static func open(
        _ block: BackendSettings, _ purpose: OpenPurpose
    ) throws(StorageError) -> DynamoDBBackend {
        let settings = try DynamoDBSettings(block)
        let transport = try TableTransport(settings, block)
        let table = VaultTable(
            name: settings.table, transport: transport, readsConsistently: settings.readsConsistently)
        let description = try table.describe()
        transport.setRates(description, settings)
        let isWritable =
            switch purpose {
            case .source(let writesMarker): writesMarker
            case .destination(let context): !context.isDryRun
            }
        let backend = DynamoDBBackend(
            settings: settings, table: table, endpoint: transport.endpoint, isWritable: isWritable,
            description: description)
        guard case .source = purpose else { return backend }
        guard let description else { throw backend.missingSource }
        if let problem = schemaProblem(description, backend.location) { throw StorageError(.configuration, problem) }
        return backend
    }

    private var missingSource: StorageError {
        StorageError(
            .missingStore,
            "\(location) does not exist (region \(settings.region)). A source is never created: correct table, region or "
                + "endpoint; AWS_DYNAMODB_TABLE, AWS_DYNAMODB_REGION, AWS_REGION and AWS_DEFAULT_REGION win over the file."
        )
    }
}
