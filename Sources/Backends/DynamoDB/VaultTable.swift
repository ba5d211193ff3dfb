import DynamoDBFormat
import JSON
import Storage

/// The requests that are made of one table. Any number of threads may call at once; each call blocks until the service
/// has answered or the client's retry policy gives up.
final class VaultTable: Sendable {
    /// Most writes in a BatchWriteItem
    /// (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html).
    static let batchWrites = 25
    /// Most bytes of a BatchWriteItem, with room for what JSON adds.
    static let batchBytes = 12 << 20

    let name: String
    let transport: TableTransport
    private let readsConsistently: Bool

    init(name: String, transport: TableTransport, readsConsistently: Bool) {
        self.name = name
        self.transport = transport
        self.readsConsistently = readsConsistently
    }

    /// - Returns: `nil` if there is no such table.
    func describe() throws(StorageError) -> TableDescription? {
        do throws(StorageError) {
            return try transport.call("DescribeTable", .none, request { _ in }) { reply in TableDescription(reply) }
        } catch {
            if error.code == .missingStore { return nil }
            throw error
        }
    }

    /// Creates the table with the stock schema; success if there is one of that name already.
    func create(_ creation: DynamoDBSettings.Creation) throws(StorageError) {
        let body = request { body in
            body.name("KeySchema")
            body.beginArray()
            for (name, role) in [("Path", "HASH"), ("Key", "RANGE")] {
                body.members([("AttributeName", name), ("KeyType", role)])
            }
            body.endArray()
            body.name("AttributeDefinitions")
            body.beginArray()
            for name in ["Path", "Key"] { body.members([("AttributeName", name), ("AttributeType", "S")]) }
            body.endArray()
            switch creation {
            case .onDemand:
                body.name("BillingMode")
                body.string("PAY_PER_REQUEST")
            case .provisioned(let read, let write):
                body.name("ProvisionedThroughput")
                body.beginObject()
                body.name("ReadCapacityUnits")
                body.integer(read)
                body.name("WriteCapacityUnits")
                body.integer(write)
                body.endObject()
            }
        }
        do throws(StorageError) {
            try transport.call("CreateTable", .none, body) { _ in }
        } catch {
            // A request whose answer was lost is made again, and finds what it has made.
            guard error.code == .inUse else { throw error }
        }
    }

    /// One item; `read` is handed it, or `nil` if there is none.
    func item<Result>(
        _ key: ItemKey, _ read: (JSONNode?) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        let body = request { body in
            body.name("Key")
            body.key(key)
            body.name("ConsistentRead")
            body.boolean(true)
            body.name("ReturnConsumedCapacity")
            body.string("TOTAL")
        }
        return try transport.call("GetItem", .read, body) { reply throws(StorageError) in try read(reply["Item"]) }
    }

    /// Removes one item; success if there is none.
    func delete(_ key: ItemKey) throws(StorageError) {
        let body = request { body in
            body.name("Key")
            body.key(key)
            body.name("ReturnConsumedCapacity")
            body.string("TOTAL")
        }
        try transport.call("DeleteItem", .write, body) { _ in }
    }

    /// What a page of a scan or query is asked for.
    struct PageRequest {
        /// The scan's segment; `nil` for a query.
        var segment: StoragePartition.Segment?
        /// The Path of a query.
        var path: [UInt8]?
        /// Go on behind this item.
        var start: ItemKey?
        var limit: Int?
        /// Only Path and Key are wanted. Values are charged all the same.
        var namesOnly = false
    }

    /// One page of a scan of the table, or of a query of one Path.
    ///
    /// A page that is not whole by its own count is asked for again.
    ///
    /// - Parameter read: Called once with the items, and with where the next page begins; `nil` behind the last one.
    /// - Returns: The same place.
    @discardableResult
    func page(
        _ page: PageRequest, _ read: (JSONElements, ItemKey?) throws(StorageError) -> Void
    ) throws(StorageError) -> ItemKey? {
        let body = request { body in
            // A query decides whether a directory is empty, and a reader of lists wants what was just written.
            Self.write(page, to: &body, consistent: readsConsistently || page.path != nil)
        }
        var attempts = 0
        while true {
            attempts += 1
            let mayAskAgain = attempts < Self.maximumPageAttempts
            let outcome = try transport.call(page.path == nil ? "Scan" : "Query", .read, body) {
                reply throws(StorageError) -> (isWhole: Bool, next: ItemKey?) in
                if mayAskAgain, Self.disagreement(in: reply) != nil { return (false, nil) }
                let (items, next) = try Self.contents(ofPage: reply)
                try read(items, next)
                return (true, next)
            }
            if outcome.isWhole { return outcome.next }
        }
    }

    /// How often a page is asked for whose count and items disagree.
    private static let maximumPageAttempts = 3

    /// The count that a page states, and that of its items, if they differ.
    private static func disagreement(in page: JSONNode) -> (stated: Int, found: Int)? {
        guard let stated = page["Count"]?.integer, let items = page["Items"], items.kind == .array,
            stated != items.count
        else { return nil }
        return (stated, items.count)
    }

    /// The items of a page, borrowed, and where the next page begins; `nil` behind the last one.
    static func contents(ofPage reply: JSONNode) throws(StorageError) -> (items: JSONElements, next: ItemKey?) {
        guard let items = reply["Items"], items.kind == .array else {
            throw StorageError(.io, "DynamoDB answered a page without Items. Is the endpoint a DynamoDB service?")
        }
        if let (stated, found) = disagreement(in: reply) {
            throw StorageError(
                .io,
                "DynamoDB answered a page with a Count of \(stated) and \(found) items: what is missing cannot be known. "
                    + "Look whether a proxy changes answers, and whether the endpoint is a DynamoDB service.")
        }
        let next = try reply["LastEvaluatedKey"].map { last throws(StorageError) in try ItemKey(last) }
        return (items.elements, next)
    }

    private static func write(_ page: PageRequest, to body: inout JSONWriter, consistent: Bool) {
        body.name("ConsistentRead")
        body.boolean(consistent)
        body.name("ReturnConsumedCapacity")
        body.string("TOTAL")
        writeNames(page, to: &body)
        if let segment = page.segment, segment.count > 1 {
            body.name("Segment")
            body.integer(segment.index)
            body.name("TotalSegments")
            body.integer(segment.count)
        }
        if let path = page.path {
            body.name("KeyConditionExpression")
            body.string("#p = :p")
            body.name("ExpressionAttributeValues")
            body.beginObject()
            body.name(":p")
            body.attribute(path)
            body.endObject()
        }
        if let start = page.start {
            body.name("ExclusiveStartKey")
            body.key(start)
        }
        if let limit = page.limit {
            body.name("Limit")
            body.integer(limit)
        }
    }

    /// Names of attributes. A scan asks for all there are: what no server writes is to be noticed, and costs nothing.
    private static func writeNames(_ page: PageRequest, to body: inout JSONWriter) {
        var names = page.path == nil ? [] : [("#p", "Path")]
        if page.namesOnly {
            names = [("#p", "Path"), ("#k", "Key")]
            body.name("ProjectionExpression")
            body.string("#p,#k")
        }
        guard !names.isEmpty else { return }
        body.name("ExpressionAttributeNames")
        body.members(names)
    }

    /// Writes up to ``batchWrites`` items.
    ///
    /// - Parameter items: Complete PutRequests as JSON, each for a different key.
    /// - Returns: Those that the service left undone, to be sent again.
    func write(_ items: [[UInt8]]) throws(StorageError) -> [[UInt8]] {
        var body = JSONWriter()
        body.beginObject()
        body.name("RequestItems")
        body.beginObject()
        body.name(text: name)
        body.beginArray()
        for item in items { item.withUnsafeBytes { body.raw($0) } }
        body.endArray()
        body.endObject()
        body.name("ReturnConsumedCapacity")
        body.string("TOTAL")
        body.endObject()
        return try transport.call("BatchWriteItem", .write, body) { reply throws(StorageError) -> [[UInt8]] in
            guard let left = reply["UnprocessedItems"]?.member(named: name.utf8), left.count > 0 else { return [] }
            return try left.elements.map { request throws(StorageError) -> [UInt8] in
                guard let item = request["PutRequest"]?["Item"] else {
                    throw StorageError(.io, "DynamoDB returned an unprocessed item that is no PutRequest.")
                }
                let key = try ItemKey(item)
                // The item that was sent, and not the service's text of it, is sent again.
                guard let sent = items.first(where: { PutRequest.isFor(key, $0) }) else {
                    throw StorageError(.io, "DynamoDB returned an unprocessed item that was not sent.")
                }
                return sent
            }
        }
    }

    /// A request body: the table's name and what `members` adds.
    func request(_ members: (inout JSONWriter) -> Void) -> JSONWriter {
        var body = JSONWriter()
        body.beginObject()
        body.name("TableName")
        body.string(name)
        members(&body)
        body.endObject()
        return body
    }
}

extension JSONWriter {
    mutating func name(text: String) {
        var text = text
        text.withUTF8 { name(UnsafeRawBufferPointer($0)) }
    }

    /// An object of strings.
    mutating func members(_ members: [(String, String)]) {
        beginObject()
        for (name, value) in members {
            self.name(text: name)
            string(value)
        }
        endObject()
    }
}
