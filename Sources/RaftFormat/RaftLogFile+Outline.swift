package import Bolt

extension RaftLogFile {
    package static let lastVoteTerm = Array("LastVoteTerm".utf8)
    package static let lastVoteCandidate = Array("LastVoteCand".utf8)
    /// Set by newer Vaults on a node that was removed from its cluster: it refuses to start Raft.
    package static let removed = Array("removed".utf8)

    /// What a node's log says of its cluster behind a position.
    package struct Outline: Sendable, Equatable {
        /// Entries behind the position.
        package var tail = Tail()
        /// Index of the first entry of all; 0 for an empty log.
        package var firstIndex: UInt64 = 0
        /// The last membership behind the position: at start it wins over the one in `vault.db`.
        package var newestConfiguration: ClusterConfiguration?
        /// How many memberships stand behind the position.
        package var configurations = 0
        /// Index of the last entry behind the position that cannot be read, or that holds a membership which cannot.
        package var unreadableIndex: UInt64?
        package var currentTerm: UInt64 = 0
        package var lastVoteTerm: UInt64 = 0
        package var isRemoved = false

        package init() {}

        /// Whether it is unknown which membership a node starts with.
        package var isUncertain: Bool {
            guard let unreadableIndex else { return false }
            return unreadableIndex >= newestConfiguration?.index ?? 0
        }
    }

    /// Reads what the log holds behind `index`, and the node's term and vote.
    ///
    /// - Throws: `BoltError` if the file cannot be read; a damaged entry is only noted.
    package static func outline(of reader: BoltReader, behind index: UInt64) throws -> Outline {
        var outline = Outline()
        outline.currentTerm = try currentTerm(of: reader) ?? 0
        outline.lastVoteTerm = try number(lastVoteTerm, of: reader) ?? 0
        outline.isRemoved = try number(removed, of: reader) == 1
        guard let logs = try reader.bucket(logBucket) else {
            outline.tail.hasLog = false
            return outline
        }
        try logs.visit(from: nil, to: nil) { key, _ in
            outline.firstIndex = number(key) ?? 0
            // Which entry it was meant to be is unknown.
            if outline.firstIndex == 0 { outline.unreadableIndex = .max }
            return false
        }
        guard index < .max else { return outline }
        try logs.visit(from: bigEndian(index + 1), to: nil) { key, value in
            outline.add(key, value)
            return true
        }
        return outline
    }

    private static func number(_ name: [UInt8], of reader: BoltReader) throws -> UInt64? {
        guard let configuration = try reader.bucket(configurationBucket) else { return nil }
        return try name.withUnsafeBytes { key in
            try configuration.withValue(forKey: key) { number($0) } ?? nil
        }
    }
}

extension RaftLogFile.Outline {
    fileprivate mutating func add(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        tail.entries += 1
        guard let position = RaftLogFile.number(key) else {
            tail.undecodable += 1
            unreadableIndex = .max
            return
        }
        tail.lastIndex = position
        do throws(RaftFormatError) {
            switch try LogEntryHeader(decoding: value).kind {
            case .command: tail.commands += 1
            case .configuration:
                configurations += 1
                newestConfiguration = try ClusterConfiguration(entry: value, index: position)
            default: break
            }
        } catch {
            tail.undecodable += 1
            unreadableIndex = position
        }
    }
}

extension ClusterConfiguration {
    /// Reads the membership that an entry of the log holds (hashicorp/raft `log.go`, `configuration.go`).
    ///
    /// - Parameters:
    ///   - bytes: The whole entry, of the kind ``LogEntryHeader/Kind/configuration``.
    ///   - index: The entry's.
    package init(entry bytes: UnsafeRawBufferPointer, index: UInt64) throws(RaftFormatError) {
        let bytes = Array(bytes)
        var decoder = MessagePackDecoder(bytes[...])
        guard let value = try decoder.next(), decoder.position == bytes.count else {
            throw RaftFormatError("an entry is not whole")
        }
        try self.init(packedServers: try WireEntry(value).data ?? [], index: index)
    }
}
