import JSON

/// The JSON that OpenBao keeps inside transactions and pieces of commands (`physical/raft/transaction.go`, `fsm.go`).
enum TransactionJSON {
    /// What a listing was asked for.
    struct Listing {
        var prefix: [UInt8] = []
        /// Names up to this one are left out; empty for none.
        var after: [UInt8] = []
        /// Names at most; all if it is not above 0.
        var limit = 0
    }

    /// The index that the leader had applied when a transaction began: `{"i":7}`; `nil` for anything else.
    static func startIndex(_ text: UnsafeRawBufferPointer) -> UInt64? {
        parsed(text) { root in root["i"]?.natural }
    }

    /// The listing that a verification names: `{"p":prefix,"a":after,"l":limit}`; `nil` for anything else.
    static func listing(_ text: UnsafeRawBufferPointer) -> Listing? {
        parsed(text) { root in
            guard root.kind == .object else { return nil }
            var listing = Listing()
            if let prefix = root["p"] { listing.prefix = Array(prefix.bytes) }
            if let after = root["a"] { listing.after = Array(after.bytes) }
            if let limit = root["l"] {
                guard let number = limit.integer else { return nil }
                listing.limit = number
            }
            return listing
        }
    }

    /// Term of a piece that the data keeps; `nil` if it is none.
    static func chunkTerm(_ text: UnsafeRawBufferPointer) -> UInt64? {
        parsed(text) { root in root["Term"]?.natural }
    }

    /// What a piece that the data keeps holds; `nil` if it is none.
    static func chunkData(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        parsed(text) { root in
            guard let data = root["Data"], data.kind == .string else { return nil }
            var bytes = [UInt8](repeating: 0, count: Base64.maximumDecodedCount(data.bytes.count))
            let count = bytes.withUnsafeMutableBytes { Base64.decode(data.bytes, into: $0) }
            guard let count else { return nil }
            return Array(bytes.prefix(count))
        }
    }

    /// A piece as the data keeps it.
    static func chunk(operation: UInt64, sequence: UInt64, count: UInt64, term: UInt64, _ data: UnsafeRawBufferPointer)
        -> [UInt8]
    {
        var text = Array(
            "{\"OpNum\":\(operation),\"SequenceNum\":\(sequence),\"NumChunks\":\(count),\"Term\":\(term),\"Data\":\""
                .utf8)
        Base64.append(data, to: &text)
        text += Array("\"}\n".utf8)
        return text
    }

    private static func parsed<Value>(_ text: UnsafeRawBufferPointer, _ read: (JSONNode) -> Value?) -> Value? {
        guard let parser = try? JSONParser(), let root = try? parser.parse(text) else { return nil }
        return read(root)
    }
}
