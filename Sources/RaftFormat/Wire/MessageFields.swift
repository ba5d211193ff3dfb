/// The fields of a message that came, by name.
struct MessageFields {
    private let fields: [String: MessagePack]
    private let what: String

    /// - Parameters:
    ///   - what: What is read, for errors.
    ///   - names: The fields in the order of their declaration, in which they stand if the message is a list.
    init(_ value: MessagePack, _ what: String, names: [String]) throws(RaftFormatError) {
        self.what = what
        switch value {
        case .map(let fields): self.fields = fields
        case .array(let elements):
            var fields: [String: MessagePack] = [:]
            for (name, element) in zip(names, elements) { fields[name] = element }
            self.fields = fields
        case .null: fields = [:]
        default: throw RaftFormatError("\(what) is no map")
        }
    }

    func number(_ name: String) throws(RaftFormatError) -> UInt64 {
        guard let number = (fields[name] ?? .null).number else { throw wrong(name) }
        return number
    }

    func flag(_ name: String) throws(RaftFormatError) -> Bool {
        guard let flag = (fields[name] ?? .null).flag else { throw wrong(name) }
        return flag
    }

    /// Bytes of a field, 16 KiB at most unless said otherwise.
    func bytes(_ name: String, most: Int = 16 << 10) throws(RaftFormatError) -> [UInt8] {
        guard let bytes = (fields[name] ?? .null).content, bytes.count <= most else { throw wrong(name) }
        return bytes
    }

    /// Bytes of a field, or `nil` where the field is missing or nothing; an empty one is something else.
    func optionalBytes(_ name: String, most: Int) throws(RaftFormatError) -> [UInt8]? {
        switch fields[name] ?? .null {
        case .null: return nil
        case .bytes(let bytes) where bytes.count <= most: return bytes
        default: throw wrong(name)
        }
    }

    func list(_ name: String) throws(RaftFormatError) -> [MessagePack] {
        switch fields[name] ?? .null {
        case .null: return []
        case .array(let elements): return elements
        default: throw wrong(name)
        }
    }

    private func wrong(_ name: String) -> RaftFormatError {
        RaftFormatError("\(what) has a field \(name) of another kind or size than it can have")
    }
}
