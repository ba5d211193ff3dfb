import HTTPServer
import JSON

extension Operation {
    private static let maximumListed = 100

    /// `CreateBackup`.
    func createBackup() throws(ServiceError) -> HTTPServerBody {
        let table = try request.tableName()
        let name = try backupName()
        let backup = try store.createBackup(name, of: table, at: wallMilliseconds())
        return answer { json in
            json.name("BackupDetails")
            writeDetails(backup, status: "CREATING", &json)
        }
    }

    private func backupName() throws(ServiceError) -> String {
        guard let name = try request.string("BackupName") else {
            throw .constraint("null", at: "backupName", "Member must not be null")
        }
        let isPlain = name.utf8.allSatisfy { ExpressionLexer.isNamePart($0) || $0 == 0x2e || $0 == 0x2d }
        guard isPlain else {
            throw .constraint(
                "'\(name.prefix(255))'", at: "backupName",
                "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+")
        }
        guard (3...255).contains(name.utf8.count) else {
            throw .constraint(
                "'\(name)'", at: "backupName",
                name.utf8.count < 3
                    ? "Member must have length greater than or equal to 3"
                    : "Member must have length less than or equal to 255")
        }
        return name
    }

    private func namedBackup() throws(ServiceError) -> TableBackup {
        guard let name = try request.string("BackupArn") else {
            throw .constraint("null", at: "backupArn", "Member must not be null")
        }
        return try store.backup(name)
    }

    private func status(_ backup: TableBackup) -> String {
        wallMilliseconds() - backup.createdAt < backups.secondsOfBackup * 1000 ? "CREATING" : "AVAILABLE"
    }

    /// `DescribeBackup`.
    func describeBackup() throws(ServiceError) -> HTTPServerBody {
        let backup = try namedBackup()
        return describe(backup, status: status(backup))
    }

    /// `DeleteBackup`.
    func deleteBackup() throws(ServiceError) -> HTTPServerBody {
        let backup = try namedBackup()
        guard status(backup) == "AVAILABLE" else { throw .backupInUse(backup.resourceName) }
        try store.deleteBackup(backup)
        return describe(backup, status: "DELETED")
    }

    /// `ListBackups`.
    func listBackups() throws(ServiceError) -> HTTPServerBody {
        let table = request.has("TableName") ? try request.tableName() : nil
        let limit = try limit("Limit", at: "limit", most: Self.maximumListed)
        let kind = try request.choice(
            "BackupType", at: "backupType", among: ["USER", "SYSTEM", "AWS_BACKUP", "ALL"])
        let bounds = (
            try milliseconds("TimeRangeLowerBound") ?? .min, try milliseconds("TimeRangeUpperBound") ?? .max
        )
        var found = try store.backups().filter { backup in
            table.map { $0 == backup.source.name } ?? true && backup.createdAt >= bounds.0
                && backup.createdAt < bounds.1 && (kind == nil || kind == "ALL" || kind == backup.kind.rawValue)
        }
        if let start = try request.string("ExclusiveStartBackupArn") {
            guard let place = found.firstIndex(where: { $0.resourceName == start }) else {
                throw .validation("Invalid ExclusiveStartBackupArn")
            }
            found.removeFirst(place + 1)
        }
        return answer { json in
            json.name("BackupSummaries")
            json.array(Array(found.prefix(limit))) { json, backup in
                json.beginObject()
                json.name("TableName")
                json.string(backup.source.name)
                json.name("TableId")
                json.string(backup.source.identifier)
                json.name("TableArn")
                json.string(backup.source.resourceName)
                writeMembers(backup, status: status(backup), &json)
                json.endObject()
            }
            if found.count > limit {
                json.name("LastEvaluatedBackupArn")
                json.string(found[limit - 1].resourceName)
            }
        }
    }

    /// `RestoreTableFromBackup`.
    func restoreTableFromBackup() throws(ServiceError) -> HTTPServerBody {
        let target = try targetName()
        let backup = try namedBackup()
        guard status(backup) == "AVAILABLE" else { throw .backupInUse(backup.resourceName) }
        try refuseIndexes()
        let now = wallSeconds()
        let made = try store.restore(
            backup, as: target, billing: try billing(backup.source.billing, suffix: "Override"), at: now)
        return try describeRestored(made)
    }

    private func describeRestored(_ table: TableStore.Table) throws(ServiceError) -> HTTPServerBody {
        let origin = try store.origin(of: table.definition)
        return describe("TableDescription", table, status: "CREATING") { json in
            Self.write(origin, isInProgress: true, &json)
        }
    }

    static func write(_ origin: RestoreOrigin?, isInProgress: Bool, _ json: inout JSONWriter) {
        guard let origin else { return }
        json.name("RestoreSummary")
        json.beginObject()
        if let backup = origin.backup {
            json.name("SourceBackupArn")
            json.string(backup)
        }
        json.name("SourceTableArn")
        json.string(origin.table)
        json.name("RestoreDateTime")
        json.double(Double(origin.moment) / 1000)
        json.name("RestoreInProgress")
        json.boolean(isInProgress)
        json.endObject()
    }

    private func targetName() throws(ServiceError) -> String {
        guard let text = try request.string("TargetTableName") else {
            throw .constraint("null", at: "targetTableName", "Member must not be null")
        }
        return try RequestBody.tableName(text)
    }

    private func refuseIndexes() throws(ServiceError) {
        for unsupported in ["GlobalSecondaryIndexOverride", "LocalSecondaryIndexOverride"] {
            guard let list = request.member(unsupported), list.count > 0 else { continue }
            throw .validation("The practice table has no \(unsupported)")
        }
    }

    // MARK: Point-in-time recovery

    /// `DescribeContinuousBackups`.
    func describeContinuousBackups() throws(ServiceError) -> HTTPServerBody {
        let name = try request.tableName()
        guard let table = store.table(name) else { throw .noTableToBackUp(name) }
        return continuousBackups(try store.recovery(of: table.definition))
    }

    /// `UpdateContinuousBackups`.
    func updateContinuousBackups() throws(ServiceError) -> HTTPServerBody {
        let name = try request.tableName()
        guard let specification = try request.structure("PointInTimeRecoverySpecification") else {
            throw .constraint("null", at: "pointInTimeRecoverySpecification", "Member must not be null")
        }
        guard let isOn = try specification.flag("PointInTimeRecoveryEnabled") else {
            throw .constraint(
                "null", at: "pointInTimeRecoverySpecification.pointInTimeRecoveryEnabled", "Member must not be null")
        }
        let days = try specification.integer("RecoveryPeriodInDays")
        if let days, !(1...RecoveryPeriod.mostDays).contains(days) {
            throw .constraint(
                "'\(days)'", at: "pointInTimeRecoverySpecification.recoveryPeriodInDays",
                days < 1
                    ? "Member must have value greater than or equal to 1"
                    : "Member must have value less than or equal to \(RecoveryPeriod.mostDays)")
        }
        guard isOn || days == nil else {
            throw .validation("RecoveryPeriodInDays can only be given with PointInTimeRecoveryEnabled: true")
        }
        return continuousBackups(try store.setRecovery(isOn, days: days, of: name, at: wallMilliseconds()))
    }

    /// - Parameter recovery: `nil` if it is off.
    private func continuousBackups(_ recovery: RecoveryPeriod?) -> HTTPServerBody {
        answer { json in
            json.name("ContinuousBackupsDescription")
            json.beginObject()
            // As on every table of the service.
            json.name("ContinuousBackupsStatus")
            json.string("ENABLED")
            json.name("PointInTimeRecoveryDescription")
            json.beginObject()
            json.name("PointInTimeRecoveryStatus")
            json.string(recovery == nil ? "DISABLED" : "ENABLED")
            if let recovery {
                let now = wallMilliseconds()
                let earliest = recovery.earliest(at: now)
                json.name("RecoveryPeriodInDays")
                json.integer(recovery.days)
                // Clients give times back in whole seconds, and must not come before it.
                json.name("EarliestRestorableDateTime")
                json.integer((earliest + 999) / 1000)
                // The service is about five minutes behind; nobody has to wait for those here.
                json.name("LatestRestorableDateTime")
                json.double(Double(max(now, earliest + 999)) / 1000)
            }
            json.endObject()
            json.endObject()
        }
    }

    /// `RestoreTableToPointInTime`.
    func restoreTableToPointInTime() throws(ServiceError) -> HTTPServerBody {
        let target = try targetName()
        let names = (try request.string("SourceTableArn"), try request.string("SourceTableName"))
        guard let text = names.0 ?? names.1 else {
            throw .validation("Either SourceTableName or SourceTableArn must be specified")
        }
        let name = try RequestBody.tableName(text)
        guard let source = store.table(name)?.definition else { throw .noTableToBackUp(name) }
        try refuseIndexes()
        guard let recovery = try store.recovery(of: source) else { throw .recoveryUnavailable(name) }
        let now = wallMilliseconds()
        let isLatest = try request.flag("UseLatestRestorableTime") == true
        let wanted = try milliseconds("RestoreDateTime")
        guard isLatest != (wanted != nil) else {
            throw .validation(
                isLatest
                    ? "Both UseLatestRestorableTime and RestoreDateTime are specified. Please specify only one."
                    : "Either RestoreDateTime or UseLatestRestorableTime must be specified")
        }
        let moment = wanted ?? now
        guard moment >= recovery.earliest(at: now), moment <= now else { throw .invalidRestoreTime }
        let made = try store.restore(
            source, asItWasAt: moment, as: target, billing: try billing(source.billing, suffix: "Override"),
            at: wallSeconds())
        return try describeRestored(made)
    }

    // MARK: What they have in common

    /// A time of the request, in milliseconds since 1970: the JSON protocol has seconds, with fractions.
    func milliseconds(_ name: String) throws(ServiceError) -> Int? {
        guard let member = request.member(name) else { return nil }
        guard let seconds = member.double, seconds.magnitude < 1e12 else {
            throw .serialization("NUMBER_VALUE cannot be converted to Timestamp")
        }
        return Int((seconds * 1000).rounded())
    }

    func limit(_ name: String, at parameter: String, most: Int) throws(ServiceError) -> Int {
        guard let limit = try request.integer(name) else { return most }
        guard (1...most).contains(limit) else {
            throw .constraint(
                "'\(limit)'", at: parameter,
                limit < 1
                    ? "Member must have value greater than or equal to 1"
                    : "Member must have value less than or equal to \(most)")
        }
        return limit
    }

    func answer(_ body: (inout JSONWriter) -> Void) -> HTTPServerBody {
        var json = JSONWriter()
        json.beginObject()
        body(&json)
        json.endObject()
        return HTTPServerBody(copying: json.bytes)
    }

    private func writeMembers(_ backup: TableBackup, status: String, _ json: inout JSONWriter) {
        json.name("BackupArn")
        json.string(backup.resourceName)
        json.name("BackupName")
        json.string(backup.name)
        json.name("BackupSizeBytes")
        json.integer(backup.bytes)
        json.name("BackupStatus")
        json.string(status)
        json.name("BackupType")
        json.string(backup.kind.rawValue)
        json.name("BackupCreationDateTime")
        json.double(Double(backup.createdAt) / 1000)
    }

    private func writeDetails(_ backup: TableBackup, status: String, _ json: inout JSONWriter) {
        json.beginObject()
        writeMembers(backup, status: status, &json)
        json.endObject()
    }

    private func describe(_ backup: TableBackup, status: String) -> HTTPServerBody {
        let source = backup.source
        return answer { json in
            json.name("BackupDescription")
            json.beginObject()
            json.name("BackupDetails")
            writeDetails(backup, status: status, &json)
            json.name("SourceTableDetails")
            json.beginObject()
            json.name("TableName")
            json.string(source.name)
            json.name("TableId")
            json.string(source.identifier)
            json.name("TableArn")
            json.string(source.resourceName)
            json.name("TableSizeBytes")
            json.integer(backup.bytes)
            writeKeySchema(source, &json)
            json.name("TableCreationDateTime")
            json.integer(source.createdAt)
            var units = (read: 0, write: 0)
            if case .provisioned(let read, let write) = source.billing { units = (read, write) }
            json.name("ProvisionedThroughput")
            json.beginObject()
            json.name("ReadCapacityUnits")
            json.integer(units.read)
            json.name("WriteCapacityUnits")
            json.integer(units.write)
            json.endObject()
            json.name("ItemCount")
            json.integer(backup.items)
            json.name("BillingMode")
            json.string(source.billing == .perRequest ? "PAY_PER_REQUEST" : "PROVISIONED")
            json.endObject()
            json.name("SourceTableFeatureDetails")
            json.beginObject()
            json.endObject()
            json.endObject()
        }
    }
}
