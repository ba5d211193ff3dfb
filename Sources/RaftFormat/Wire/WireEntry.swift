/// An entry of the log as it goes over the network and into `raft.db`: with its data.
package struct WireEntry: Hashable, Sendable {
    /// As hashicorp/raft numbers them: 0 command, 1 no-op, 4 barrier, 5 configuration.
    package var type: UInt64
    package var index: UInt64
    package var term: UInt64
    /// `nil` and empty are told apart, as the stock encoder does.
    package var data: [UInt8]?
    /// Anything but `nil`, an empty one too, makes the entry a piece of a larger one for a server.
    package var extensions: [UInt8]?
    /// As it came, in whichever form; `nil` for no time.
    package var appendedAt: [UInt8]?

    package init(
        type: UInt64 = 0, index: UInt64, term: UInt64, data: [UInt8]? = nil, extensions: [UInt8]? = nil,
        appendedAt: [UInt8]? = nil
    ) {
        self.type = type
        self.index = index
        self.term = term
        self.data = data
        self.extensions = extensions
        self.appendedAt = appendedAt
    }

    var packed: MessagePack {
        func optional(_ bytes: [UInt8]?) -> MessagePack { bytes.map { .bytes($0) } ?? .null }
        return .map([
            "Index": .unsigned(index), "Term": .unsigned(term), "Type": .unsigned(type), "Data": optional(data),
            "Extensions": optional(extensions), "AppendedAt": optional(appendedAt),
        ])
    }

    init(_ value: MessagePack) throws(RaftFormatError) {
        let fields = try MessageFields(
            value, "an entry", names: ["Index", "Term", "Type", "Data", "Extensions", "AppendedAt"])
        index = try fields.number("Index")
        term = try fields.number("Term")
        type = try fields.number("Type")
        data = try fields.optionalBytes("Data", most: 64 << 20)
        extensions = try fields.optionalBytes("Extensions", most: 64 << 10)
        appendedAt = try fields.optionalBytes("AppendedAt", most: 15)
    }
}
