import HTTPServer

extension RequestHandler {
    /// The operations the practice table knows.
    static let operations: Set<String> = [
        "BatchGetItem", "BatchWriteItem", "CreateBackup", "CreateTable", "DeleteBackup", "DeleteItem", "DeleteTable",
        "DescribeBackup", "DescribeContinuousBackups", "DescribeExport", "DescribeLimits", "DescribeTable",
        "DescribeTimeToLive", "ExportTableToPointInTime", "GetItem", "ListBackups", "ListExports", "ListTables",
        "ListTagsOfResource", "PutItem", "Query", "RestoreTableFromBackup", "RestoreTableToPointInTime", "Scan",
        "UpdateContinuousBackups", "UpdateItem", "UpdateTable",
    ]
}

extension Operation {
    /// Carries out the operation of that name, one of ``RequestHandler/operations``.
    mutating func perform(_ name: String) throws(ServiceError) -> HTTPServerBody {
        switch name {
        case "BatchGetItem": try batchGetItem()
        case "BatchWriteItem": try batchWriteItem()
        case "CreateBackup": try createBackup()
        case "CreateTable": try createTable()
        case "DeleteBackup": try deleteBackup()
        case "DeleteItem": try deleteItem()
        case "DeleteTable": try deleteTable()
        case "DescribeBackup": try describeBackup()
        case "DescribeContinuousBackups": try describeContinuousBackups()
        case "DescribeExport": try describeExport()
        case "DescribeTable": try describeTable()
        case "ExportTableToPointInTime": try exportTableToPointInTime()
        case "GetItem": try getItem()
        case "ListBackups": try listBackups()
        case "ListExports": try listExports()
        case "ListTables": try listTables()
        case "PutItem": try putItem()
        case "Query": try query()
        case "RestoreTableFromBackup": try restoreTableFromBackup()
        case "RestoreTableToPointInTime": try restoreTableToPointInTime()
        case "Scan": try scan()
        case "UpdateContinuousBackups": try updateContinuousBackups()
        case "UpdateItem": try updateItem()
        case "UpdateTable": try updateTable()
        default: try describeNothing(name)
        }
    }
}
