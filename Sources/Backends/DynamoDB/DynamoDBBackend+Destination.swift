import DynamoDBFormat
package import Storage

extension DynamoDBBackend {
    /// Seconds a new table may take to become usable.
    private static let creationSeconds = 600

    /// Makes the table if it is not there and the settings ask for it.
    func createIfMissing() throws(StorageError) {
        // A table whose capacity is being changed can be used as before.
        if let status = try tableDescription()?.status, status == "ACTIVE" || status == "UPDATING" { return }
        let isMissing = knownDescription == nil
        if isMissing {
            guard let creation = settings.creation else { throw missingTable }
            try table.create(creation)
        }
        var waited = 0.0
        while waited < Double(Self.creationSeconds) {
            remember(try table.describe())
            if let made = knownDescription, made.status == "ACTIVE" {
                if let problem = Self.schemaProblem(made, location) { throw StorageError(.configuration, problem) }
                // Shares of the capacity could not be known before.
                if isMissing { table.transport.setRates(made, settings) }
                return
            }
            waited += try table.transport.pause(seconds: waited < 5 ? 0.25 : 2)
        }
        throw StorageError(
            .io, "\(location) did not become ACTIVE within \(Self.creationSeconds / 60) minutes. Look at it in AWS.")
    }

    var missingTable: StorageError {
        StorageError(
            .missingStore,
            "\(location) does not exist. Correct the name, region or endpoint, or have it created: set create_table = "
                + "\"on-demand\" (or \"provisioned\" with read_capacity and write_capacity).")
    }

    package func destinationFindings() throws(StorageError) -> [StoreFinding] {
        guard let description = try tableDescription() else {
            guard let creation = settings.creation else {
                return [StoreFinding(.obstacle(.missingStore), missingTable.message)]
            }
            let billing =
                switch creation {
                case .onDemand: "on demand"
                case .provisioned(let read, let write): "with \(read) read and \(write) write units a second"
                }
            return [StoreFinding(.remark, "\(location) does not exist and will be created, \(billing).")]
        }
        if let problem = Self.schemaProblem(description, location) {
            return [StoreFinding(.obstacle(.configuration), problem)]
        }
        return try lockFindings(isSource: false) + readingFindings() + writingFindings()
    }

    package func sourceFindings() throws(StorageError) -> [StoreFinding] {
        try lockFindings(isSource: true) + readingFindings()
    }

    private func lockFindings(isSource: Bool) throws(StorageError) -> [StoreFinding] {
        guard let lock = try activeLock() else { return [] }
        return [StoreFinding(.obstacle(.inUse), lock.refusal(location, isSource: isSource))]
    }

    /// Why a table cannot hold a Vault store; `nil` if it can.
    static func schemaProblem(_ description: TableDescription, _ location: String) -> String? {
        if description.schema != TableDescription.vaultSchema {
            return
                "\(location) has the key schema \(description.schema.map { "\(StorageKey($0))" }.joined(separator: ", ")); "
                + "Vault's is Path (HASH, S) and Key (RANGE, S). Name the table that Vault uses."
        }
        guard description.status == "ACTIVE" || description.status == "UPDATING" else {
            return "\(location) is \(StorageKey(description.status)), not ACTIVE. Wait until it is."
        }
        return nil
    }

    /// The lock of an active node whose time has not run out.
    private func activeLock() throws(StorageError) -> ActiveLock? {
        guard try tableDescription() != nil else { return nil }
        let now = table.transport.serverTime
        return try table.item(ActiveLock.place) { item in
            item.flatMap(ActiveLock.init).flatMap { $0.isLive(atSecond: now) ? $0 : nil }
        }
    }

    package func bulkLoader(_ plan: LoadPlan) throws(StorageError) -> any BulkLoader {
        try checkOpen()
        return try DynamoDBLoader(self, plan)
    }

    package func serverGuide(largestEntry: Int, seal: SealDescription?) -> ServerGuide? {
        var stanza = [
            "storage \"dynamodb\" {", "  table  = \"\(settings.table)\"", "  region = \"\(settings.region)\"",
        ]
        if let endpoint = settings.endpoint { stanza.append("  endpoint = \"\(endpoint)\"") }
        stanza.append("}")
        return ServerGuide(
            stanza: stanza,
            steps: [
                "Give the server's role dynamodb:DescribeTable, GetItem, PutItem, UpdateItem, DeleteItem, Query, Scan, "
                    + "BatchGetItem and BatchWriteItem on the table.",
                "Start the server with this stanza in place of the old storage stanza.",
                SealDescription.unsealStep(seal),
            ])
    }
}
