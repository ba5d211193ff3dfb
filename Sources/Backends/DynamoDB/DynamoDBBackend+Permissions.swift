import DynamoDBFormat
import JSON
package import Storage

/// Whether the credentials may do what a run will need, found out by requests that change nothing whatever the answer is.
extension DynamoDBBackend {
    /// Reading: a scan of one item.
    func readingFindings() throws(StorageError) -> [StoreFinding] {
        guard try tableDescription() != nil else { return [] }
        var denied: [String] = []
        let scan = table.request { body in
            body.name("Limit")
            body.integer(1)
        }
        if try !table.transport.isAllowed("Scan", .read, scan) { denied.append("Scan") }
        return refusal(denied, "which reading the table needs. Allow it to the role, or use other credentials.")
    }

    package func markerFindings() throws(StorageError) -> [StoreFinding] {
        guard try tableDescription() != nil else { return [] }
        return refusal(
            try deniedWrites(),
            "which the migration marker on the source needs. Allow it to the role, or make sure that no server starts on "
                + "the table and add -read-only-source.")
    }

    /// Writing, for a table that is there already.
    func writingFindings() throws(StorageError) -> [StoreFinding] {
        guard try tableDescription() != nil else { return [] }
        return refusal(
            try deniedWrites(), "which filling the table needs. Allow it to the role, or use other credentials.")
    }

    private func refusal(_ denied: [String], _ rest: String) -> [StoreFinding] {
        guard !denied.isEmpty else { return [] }
        let actions = denied.map { "dynamodb:\($0)" }.joined(separator: " and ")
        return [StoreFinding(.obstacle(.io), "\(location): the credentials may not do \(actions), \(rest)")]
    }

    private func deniedWrites() throws(StorageError) -> [String] {
        var denied: [String] = []
        let write = batchThatIsRefused()
        if try !table.transport.isAllowed("BatchWriteItem", .write, write) { denied.append("BatchWriteItem") }
        let delete = table.request { body in
            body.name("Key")
            body.key(keyOfNothing())
            // Never true: the service asks whether it may, then whether the condition holds.
            body.name("ConditionExpression")
            body.string("attribute_exists(#p) AND attribute_not_exists(#p)")
            body.name("ExpressionAttributeNames")
            body.members([("#p", "Path")])
        }
        if try !table.transport.isAllowed("DeleteItem", .write, delete) { denied.append("DeleteItem") }
        return denied
    }

    /// A key that no item has, so that a service which carries out what it should refuse changes nothing either.
    private func keyOfNothing() -> ItemKey {
        let number = String(UInt64.random(in: .min ... .max), radix: 16)
        return ItemKey(path: Array("core".utf8), name: Array("sealift-permission-\(number)".utf8))
    }

    /// A batch that deletes one item twice, which the service refuses for its contents once it has seen that it may.
    private func batchThatIsRefused() -> JSONWriter {
        let key = keyOfNothing()
        var body = JSONWriter()
        body.beginObject()
        body.name("RequestItems")
        body.beginObject()
        body.name(text: table.name)
        body.beginArray()
        for _ in 0..<2 {
            body.beginObject()
            body.name("DeleteRequest")
            body.beginObject()
            body.name("Key")
            body.key(key)
            body.endObject()
            body.endObject()
        }
        body.endArray()
        body.endObject()
        body.endObject()
        return body
    }
}
