/// Who sends, in every message: hashicorp/raft's `RPCHeader`.
package struct WireHeader: Hashable, Sendable {
    /// The protocol's version; 3 throughout.
    package var version: Int64
    package var id: [UInt8]
    /// `host:port`, as the configuration has it.
    package var address: [UInt8]

    package init(version: Int64 = 3, id: [UInt8], address: [UInt8]) {
        self.version = version
        self.id = id
        self.address = address
    }

    static let names = ["ProtocolVersion", "ID", "Addr"]

    var fields: [String: MessagePack] {
        func optional(_ bytes: [UInt8]) -> MessagePack { bytes.isEmpty ? .null : .bytes(bytes) }
        return ["ProtocolVersion": .signed(version), "ID": optional(id), "Addr": optional(address)]
    }

    init(_ fields: MessageFields) throws(RaftFormatError) {
        guard let version = Int64(exactly: try fields.number("ProtocolVersion")) else {
            throw RaftFormatError("a message has no version that can be")
        }
        self.version = version
        id = try fields.bytes("ID")
        address = try fields.bytes("Addr")
    }
}

/// A call of hashicorp/raft's network protocol: one byte for its type, one msgpack map, and behind that of a snapshot as many
/// raw bytes as it says.
package enum WireRequest: Hashable, Sendable {
    case append(
        WireHeader, term: UInt64, previousIndex: UInt64, previousTerm: UInt64, entries: [WireEntry], commit: UInt64)
    case vote(WireHeader, term: UInt64, lastIndex: UInt64, lastTerm: UInt64, isTransfer: Bool)
    case snapshot(
        WireHeader, term: UInt64, lastIndex: UInt64, lastTerm: UInt64, configuration: [UInt8],
        configurationIndex: UInt64, size: Int64)
    case timeoutNow(WireHeader)
    case preVote(WireHeader, term: UInt64, lastIndex: UInt64, lastTerm: UInt64)
    /// Sealift's own call: asks a node how it is. Others close the connection on it, as on any type they do not know.
    ///
    /// - quarantine: Not 0 tells the node that what it holds at that index differs from what the majority holds.
    case describe(WireHeader, quarantine: UInt64)

    /// The type of ``describe(_:quarantine:)``.
    private static let describeType: UInt8 = 0x53

    package var header: WireHeader {
        switch self {
        case .append(let header, _, _, _, _, _), .vote(let header, _, _, _, _), .snapshot(let header, _, _, _, _, _, _),
            .timeoutNow(let header), .preVote(let header, _, _, _), .describe(let header, _):
            header
        }
    }

    /// Whether this is the short form that says no more than that the leader is there.
    package var isHeartbeat: Bool {
        guard case .append(let header, let term, 0, 0, let entries, 0) = self else { return false }
        return term != 0 && !header.address.isEmpty && entries.isEmpty
    }

    /// The bytes on the connection.
    package var encoded: [UInt8] {
        var fields = header.fields
        let type: UInt8
        // Before raft 1.3.7 there was no address in the header; the older fields say it as well.
        let sender: MessagePack = .bytes(header.address)
        switch self {
        case .append(_, let term, let previousIndex, let previousTerm, let entries, let commit):
            type = 0
            fields["Term"] = .unsigned(term)
            fields["Leader"] = sender
            fields["PrevLogEntry"] = .unsigned(previousIndex)
            fields["PrevLogTerm"] = .unsigned(previousTerm)
            fields["Entries"] = entries.isEmpty ? .null : .array(entries.map(\.packed))
            fields["LeaderCommitIndex"] = .unsigned(commit)
        case .vote(_, let term, let lastIndex, let lastTerm, let isTransfer):
            type = 1
            fields["Term"] = .unsigned(term)
            fields["Candidate"] = sender
            fields["LastLogIndex"] = .unsigned(lastIndex)
            fields["LastLogTerm"] = .unsigned(lastTerm)
            fields["LeadershipTransfer"] = .boolean(isTransfer)
        case .snapshot(_, let term, let lastIndex, let lastTerm, let configuration, let configurationIndex, let size):
            type = 2
            fields["SnapshotVersion"] = .signed(1)
            fields["Term"] = .unsigned(term)
            fields["Leader"] = sender
            fields["LastLogIndex"] = .unsigned(lastIndex)
            fields["LastLogTerm"] = .unsigned(lastTerm)
            fields["Peers"] = .null
            fields["Configuration"] = .bytes(configuration)
            fields["ConfigurationIndex"] = .unsigned(configurationIndex)
            fields["Size"] = .signed(size)
        case .timeoutNow: type = 3
        case .preVote(_, let term, let lastIndex, let lastTerm):
            type = 4
            fields["Term"] = .unsigned(term)
            fields["LastLogIndex"] = .unsigned(lastIndex)
            fields["LastLogTerm"] = .unsigned(lastTerm)
        case .describe(_, let quarantine):
            type = Self.describeType
            fields["Quarantine"] = .unsigned(quarantine)
        }
        var bytes: [UInt8] = []
        if case .append(_, _, _, _, let entries, _) = self {
            // Grown step by step it would be copied several times.
            bytes.reserveCapacity(
                entries.reduce(1024) { $0 + 128 + ($1.data?.count ?? 0) + ($1.extensions?.count ?? 0) })
        }
        bytes.append(type)
        MessagePack.map(fields).write(to: &bytes)
        return bytes
    }

    /// Reads a call from what has come of a connection.
    ///
    /// - Returns: The call and how many bytes it took; `nil` if it has not come whole.
    /// - Throws: For what is no call: the connection is closed then, without an answer.
    package static func decode(_ input: ArraySlice<UInt8>) throws(RaftFormatError) -> (WireRequest, count: Int)? {
        guard let type = input.first else { return nil }
        guard type <= 4 || type == describeType else { throw RaftFormatError("a call of the unknown type \(type)") }
        var decoder = MessagePackDecoder(input.dropFirst())
        guard let value = try decoder.next() else { return nil }
        return (try WireRequest(type: type, value), decoder.position - input.startIndex)
    }

    private init(type: UInt8, _ value: MessagePack) throws(RaftFormatError) {
        func read(_ what: String, _ names: [String]) throws(RaftFormatError) -> (MessageFields, WireHeader) {
            let fields = try MessageFields(value, what, names: WireHeader.names + names)
            return (fields, try WireHeader(fields))
        }
        switch type {
        case 0:
            let (fields, header) = try read(
                "AppendEntries",
                ["Term", "Leader", "PrevLogEntry", "PrevLogTerm", "Entries", "LeaderCommitIndex"])
            var entries: [WireEntry] = []
            for entry in try fields.list("Entries") { entries.append(try WireEntry(entry)) }
            self = .append(
                try header.orElse(address: fields.bytes("Leader")), term: try fields.number("Term"),
                previousIndex: try fields.number("PrevLogEntry"), previousTerm: try fields.number("PrevLogTerm"),
                entries: entries, commit: try fields.number("LeaderCommitIndex"))
        case 1:
            let (fields, header) = try read(
                "RequestVote", ["Term", "Candidate", "LastLogIndex", "LastLogTerm", "LeadershipTransfer"])
            self = .vote(
                try header.orElse(address: fields.bytes("Candidate")), term: try fields.number("Term"),
                lastIndex: try fields.number("LastLogIndex"), lastTerm: try fields.number("LastLogTerm"),
                isTransfer: try fields.flag("LeadershipTransfer"))
        case 2:
            let (fields, header) = try read(
                "InstallSnapshot",
                [
                    "SnapshotVersion", "Term", "Leader", "LastLogIndex", "LastLogTerm", "Peers", "Configuration",
                    "ConfigurationIndex", "Size",
                ])
            let version = try fields.number("SnapshotVersion")
            guard version <= 1 else { throw RaftFormatError("unsupported snapshot version \(version)") }
            guard let size = Int64(exactly: try fields.number("Size")) else {
                throw RaftFormatError("InstallSnapshot has no size that can be")
            }
            self = .snapshot(
                try header.orElse(address: fields.bytes("Leader")), term: try fields.number("Term"),
                lastIndex: try fields.number("LastLogIndex"), lastTerm: try fields.number("LastLogTerm"),
                configuration: try fields.bytes("Configuration", most: 1 << 20),
                configurationIndex: try fields.number("ConfigurationIndex"), size: size)
        case 3: self = .timeoutNow(try read("TimeoutNow", []).1)
        case Self.describeType:
            let (fields, header) = try read("Describe", ["Quarantine"])
            self = .describe(header, quarantine: try fields.number("Quarantine"))
        default:
            let (fields, header) = try read("RequestPreVote", ["Term", "LastLogIndex", "LastLogTerm"])
            self = .preVote(
                header, term: try fields.number("Term"), lastIndex: try fields.number("LastLogIndex"),
                lastTerm: try fields.number("LastLogTerm"))
        }
    }
}

extension WireHeader {
    /// With the address that an older field names, if the header has none.
    fileprivate func orElse(address: [UInt8]) -> WireHeader {
        self.address.isEmpty ? WireHeader(version: version, id: id, address: address) : self
    }
}
