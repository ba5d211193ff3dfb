import HTTPServer

extension RequestHandler {
    /// The operations the practice table knows.
    static let operations: Set<String> = [
        "BatchGetItem", "BatchWriteItem", "CreateTable", "DeleteItem", "DeleteTable", "DescribeContinuousBackups",
        "DescribeLimits", "DescribeTable", "DescribeTimeToLive", "GetItem", "ListTables", "ListTagsOfResource",
        "PutItem", "Query", "Scan", "UpdateItem", "UpdateTable",
    ]
}

extension Operation {
    /// Carries out the operation of that name, one of ``RequestHandler/operations``.
    mutating func perform(_ name: String) throws(ServiceError) -> HTTPServerBody {
        switch name {
        case "BatchGetItem": try batchGetItem()
        case "BatchWriteItem": try batchWriteItem()
        case "CreateTable": try createTable()
        case "DeleteItem": try deleteItem()
        case "DeleteTable": try deleteTable()
        case "DescribeTable": try describeTable()
        case "GetItem": try getItem()
        case "ListTables": try listTables()
        case "PutItem": try putItem()
        case "Query": try query()
        case "Scan": try scan()
        case "UpdateItem": try updateItem()
        case "UpdateTable": try updateTable()
        default: try describeNothing(name)
        }
    }
}
