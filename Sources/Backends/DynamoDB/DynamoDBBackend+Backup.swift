import JSON
package import Storage

/// On-demand backups of the table
/// (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateBackup.html).
extension DynamoDBBackend: BackedUpSource {
    private static let nameBytes = 3...255

    package func backupFindings(named name: String) throws(StorageError) -> [StoreFinding] {
        guard Self.nameBytes.contains(name.utf8.count), name.utf8.allSatisfy(Self.isNamePart) else {
            return [
                StoreFinding(
                    .obstacle(.configuration),
                    "-source-backup: a backup's name has 3 to 255 letters, digits and _ . -; \(StorageKey(name)) is none."
                )
            ]
        }
        guard try tableDescription() != nil else { return [] }
        // No backup has such a name, so that none is made whatever the answer is.
        let refused = table.request { body in
            body.name("BackupName")
            body.string("-")
        }
        guard try !table.transport.isAllowed("CreateBackup", .none, refused) else { return [] }
        return [
            StoreFinding(
                .obstacle(.io),
                "\(location): the credentials may not do dynamodb:CreateBackup, which -source-backup needs, and "
                    + "dynamodb:DescribeBackup with it. Allow them to the role, or make the backup yourself and leave the flag out."
            )
        ]
    }

    private static func isNamePart(_ byte: UInt8) -> Bool {
        byte == 0x2d || byte == 0x2e || byte == 0x5f || byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 26
    }

    package func beginBackup(named name: String) throws(StorageError) -> SourceBackup {
        let body = table.request { body in
            body.name("BackupName")
            body.string(name)
        }
        let resourceName = try table.transport.call("CreateBackup", .none, body) { reply in
            reply["BackupDetails"]?["BackupArn"]?.text
        }
        guard let resourceName else {
            throw StorageError(
                .io,
                "\(location): the answer to CreateBackup names no backup. Look for it with aws dynamodb list-backups.")
        }
        return SourceBackup(name: name, resourceName: resourceName)
    }

    package func isAvailable(_ backup: SourceBackup) throws(StorageError) -> Bool {
        var body = JSONWriter()
        body.beginObject()
        body.name("BackupArn")
        body.string(backup.resourceName)
        body.endObject()
        let status = try table.transport.call("DescribeBackup", .none, body) { reply in
            reply["BackupDescription"]?["BackupDetails"]?["BackupStatus"]?.text ?? ""
        }
        switch status {
        case "AVAILABLE": return true
        case "CREATING": return false
        default:
            throw StorageError(
                .missingStore,
                "\(location): the backup \(StorageKey(backup.resourceName)) is \(StorageKey(status)). Run again, with another name."
            )
        }
    }
}
