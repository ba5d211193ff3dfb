import HTTPServer
import JSON

extension Operation {
    private static let maximumListedExports = 25

    /// `ExportTableToPointInTime`: done when it is answered, though the answer says that it is in progress, as the service's
    /// does.
    func exportTableToPointInTime() throws(ServiceError) -> HTTPServerBody {
        guard let text = try request.string("TableArn") else {
            throw .constraint("null", at: "tableArn", "Member must not be null")
        }
        let name = try RequestBody.tableName(text)
        let bucket = try bucket()
        let prefix = try prefix()
        try refuseOtherForms()
        guard let table = store.table(name)?.definition else { throw .noTableToBackUp(name) }
        guard let recovery = try store.recovery(of: table) else { throw .recoveryUnavailable(name) }
        let now = wallMilliseconds()
        let moment = try milliseconds("ExportTime") ?? now
        guard moment >= recovery.earliest(at: now), moment <= now else { throw .invalidExportTime }
        let token = try request.string("ClientToken") ?? ""
        // The same request sent again is the same export.
        if !token.isEmpty, let earlier = backups.exports.first(where: { $0.token == token }) {
            guard earlier.table.name == name, earlier.bucket == bucket, earlier.prefix == prefix else {
                throw .exportConflict
            }
            return describe(earlier, isDone: true)
        }
        guard let folder = backups.exportFolder else {
            throw .validation(
                "The practice table has no bucket \(bucket): start it with -exports FOLDER, in which each bucket is a folder"
            )
        }
        let number = Int.random(in: 1..<TableDefinition.maximumNumber)
        let mark = TableBackup.mark(now, number)
        var export = BackupService.Export(
            resourceName: "\(table.resourceName)/export/\(mark)", table: table, bucket: bucket, prefix: prefix,
            token: token, moment: moment, begin: now, end: now)
        do throws(ServiceError) {
            let writer = try ExportWriter(folder: folder, export: export, mark: mark)
            try store.walk(table, asItWasAt: moment) { item throws(ServiceError) in try writer.add(item) }
            export = try writer.finish()
        } catch {
            export.end = wallMilliseconds()
            export.failure = error.message
            backups.add(export)
            throw error
        }
        backups.add(export)
        return describe(export, isDone: false)
    }

    private func bucket() throws(ServiceError) -> String {
        guard let bucket = try request.string("S3Bucket") else {
            throw .constraint("null", at: "s3Bucket", "Member must not be null")
        }
        func isInner(_ byte: UInt8) -> Bool { ExpressionLexer.isNamePart(byte) || byte == 0x2e || byte == 0x2d }
        func isOuter(_ byte: UInt8) -> Bool { ExpressionLexer.isNamePart(byte) && byte != UInt8(ascii: "_") }
        guard let first = bucket.utf8.first, let last = bucket.utf8.last, bucket.utf8.count <= 255, isOuter(first),
            isOuter(last), bucket.utf8.allSatisfy(isInner)
        else {
            throw .constraint(
                "'\(bucket.prefix(255))'", at: "s3Bucket",
                "Member must satisfy regular expression pattern: ^[a-z0-9A-Z]+[\\.\\-\\w]*[a-z0-9A-Z]+$")
        }
        return bucket
    }

    /// A prefix names folders here, so that it must not lead out of the bucket's.
    private func prefix() throws(ServiceError) -> String {
        var prefix = try request.string("S3Prefix") ?? ""
        if prefix.hasSuffix("/") { prefix.removeLast() }
        let parts = prefix.split(separator: "/", omittingEmptySubsequences: false)
        let isPlain = parts.allSatisfy { part in
            !part.isEmpty && part != "." && part != ".." && part.utf8.count <= 255
                && part.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
        }
        guard prefix.isEmpty || isPlain && prefix.utf8.count <= 1024 else {
            throw .validation("The practice table takes no such S3Prefix: its parts are names of folders")
        }
        return prefix
    }

    private func refuseOtherForms() throws(ServiceError) {
        let format = try request.choice("ExportFormat", at: "exportFormat", among: ["DYNAMODB_JSON", "ION"])
        let type = try request.choice("ExportType", at: "exportType", among: ["FULL_EXPORT", "INCREMENTAL_EXPORT"])
        guard format != "ION", type != "INCREMENTAL_EXPORT" else {
            throw .validation("The practice table makes full exports in DYNAMODB_JSON only")
        }
    }

    /// `DescribeExport`.
    func describeExport() throws(ServiceError) -> HTTPServerBody {
        guard let name = try request.string("ExportArn") else {
            throw .constraint("null", at: "exportArn", "Member must not be null")
        }
        guard let export = backups.exports.first(where: { $0.resourceName == name }) else {
            throw .exportNotFound(name)
        }
        return describe(export, isDone: true)
    }

    /// `ListExports`.
    func listExports() throws(ServiceError) -> HTTPServerBody {
        let most = try limit("MaxResults", at: "maxResults", most: Self.maximumListedExports)
        let table = try request.string("TableArn")
        var found = backups.exports.filter { export in table.map { $0 == export.table.resourceName } ?? true }
        if let token = try request.string("NextToken") {
            guard let place = found.firstIndex(where: { $0.resourceName == token }) else {
                throw .validation("Invalid NextToken")
            }
            found.removeFirst(place + 1)
        }
        return answer { json in
            json.name("ExportSummaries")
            json.array(Array(found.prefix(most))) { json, export in
                json.beginObject()
                json.name("ExportArn")
                json.string(export.resourceName)
                json.name("ExportStatus")
                json.string(export.failure == nil ? "COMPLETED" : "FAILED")
                json.name("ExportType")
                json.string("FULL_EXPORT")
                json.endObject()
            }
            if found.count > most {
                json.name("NextToken")
                json.string(found[most - 1].resourceName)
            }
        }
    }

    private func describe(_ export: BackupService.Export, isDone: Bool) -> HTTPServerBody {
        answer { json in
            json.name("ExportDescription")
            json.beginObject()
            json.name("ExportArn")
            json.string(export.resourceName)
            json.name("ExportStatus")
            json.string(!isDone ? "IN_PROGRESS" : export.failure == nil ? "COMPLETED" : "FAILED")
            json.name("StartTime")
            json.double(Double(export.begin) / 1000)
            if isDone {
                json.name("EndTime")
                json.double(Double(export.end) / 1000)
                if let failure = export.failure {
                    json.name("FailureCode")
                    json.string("UNKNOWN")
                    json.name("FailureMessage")
                    json.string(failure)
                } else {
                    json.name("ExportManifest")
                    json.string(export.manifest)
                    json.name("BilledSizeBytes")
                    json.integer(export.bytes)
                    json.name("ItemCount")
                    json.integer(export.items)
                }
            }
            json.name("TableArn")
            json.string(export.table.resourceName)
            json.name("TableId")
            json.string(export.table.identifier)
            json.name("ExportTime")
            json.double(Double(export.moment) / 1000)
            if !export.token.isEmpty {
                json.name("ClientToken")
                json.string(export.token)
            }
            json.name("S3Bucket")
            json.string(export.bucket)
            if !export.prefix.isEmpty {
                json.name("S3Prefix")
                json.string(export.prefix)
            }
            json.name("S3SseAlgorithm")
            json.string("AES256")
            json.name("ExportFormat")
            json.string("DYNAMODB_JSON")
            json.name("ExportType")
            json.string("FULL_EXPORT")
            json.endObject()
        }
    }
}
