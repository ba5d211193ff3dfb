import JSON

/// The JSON of one write in a BatchWriteItem.
package enum PutRequest {
    /// An entry.
    package static func entry(_ key: ItemKey, _ value: UnsafeRawBufferPointer) -> [UInt8] {
        var body = JSONWriter()
        begin(key, &body)
        body.name("Value")
        body.beginObject()
        if value.isEmpty {
            // What the stock backend's encoder makes of an empty value.
            body.name("NULL")
            body.boolean(true)
        } else {
            body.name("B")
            body.base64(value)
        }
        body.endObject()
        end(&body)
        return body.bytes
    }

    /// The marker of a directory.
    package static func marker(_ key: ItemKey) -> [UInt8] {
        entry(key, UnsafeRawBufferPointer(start: nil, count: 0))
    }

    /// Whether a request made here writes that key.
    package static func isFor(_ key: ItemKey, _ request: [UInt8]) -> Bool {
        var beginning = JSONWriter()
        begin(key, &beginning)
        return request.starts(with: beginning.bytes)
            && request.dropFirst(beginning.bytes.count).first == UInt8(ascii: ",")
    }

    private static func begin(_ key: ItemKey, _ body: inout JSONWriter) {
        body.beginObject()
        body.name("PutRequest")
        body.beginObject()
        body.name("Item")
        body.beginObject()
        body.keyMembers(key)
    }

    private static func end(_ body: inout JSONWriter) {
        body.endObject()
        body.endObject()
        body.endObject()
    }
}
