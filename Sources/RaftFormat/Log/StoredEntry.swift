/// An entry of a log at rest, borrowed from wherever it lies.
package struct StoredEntry {
    package var index: UInt64
    package var term: UInt64
    package var kind: LogEntryHeader.Kind
    /// Empty where the log has none.
    package var data: UnsafeRawBufferPointer
    /// `nil` where the log has none. An empty one that is there makes a command a piece of a larger one
    /// (hashicorp/go-raftchunking `fsm.go`).
    package var extensions: UnsafeRawBufferPointer?
    /// When the leader took it; `nil` where it is not read.
    package var appendedAt: LogTime?

    /// What the entry does to a server's state machine.
    package enum Role: Sendable, Equatable {
        /// The data is a whole command.
        case command
        /// The data is a piece of one.
        case chunk(ChunkInfo)
        /// A checkpoint of the log verifier: a command that changes nothing (Vault 1.16 and later;
        /// hashicorp/raft-wal `verifier/store.go`).
        case checkpoint
        case configuration
        /// A no-op, a barrier, or what old libraries said of peers.
        case nothing
        /// Of a kind that no library knows: servers end on it.
        case unknown(UInt64)
    }

    /// Extensions of a checkpoint begin so.
    private static let checkpointMagic: [UInt8] = [0x03, 0xa5, 0x92, 0x03, 0xd6, 0xf9, 0xd1, 0xaf]

    /// - Throws: If a piece of a command does not say which.
    package func role() throws(RaftFormatError) -> Role {
        switch kind {
        case .noop, .barrier, .other(2), .other(3): return .nothing
        case .configuration: return .configuration
        case .other(let number): return .unknown(number)
        case .command: break
        }
        if data.count == 1, data[0] == 0x10 {
            guard let extensions, !extensions.isEmpty else { return .checkpoint }
            if extensions.starts(with: Self.checkpointMagic) { return .checkpoint }
        }
        guard let extensions else { return .command }
        return .chunk(try ChunkInfo(decoding: extensions))
    }
}

/// Which piece of a large command an entry holds (hashicorp/go-raftchunking `types/types.proto`).
package struct ChunkInfo: Sendable, Equatable {
    /// Number of the command, random.
    package var operation: UInt64 = 0
    /// From 0.
    package var sequence: UInt64 = 0
    /// Pieces of the whole.
    package var count: UInt64 = 0

    package init(operation: UInt64, sequence: UInt64, count: UInt64) {
        self.operation = operation
        self.sequence = sequence
        self.count = count
    }

    /// Reads an entry's extensions.
    package init(decoding bytes: UnsafeRawBufferPointer) throws(RaftFormatError) {
        var fields = RawFields(bytes)
        while let field = try fields.next() {
            switch field {
            case .number(1, let number): operation = number
            case .number(2, let number): sequence = number & 0xffff_ffff
            case .number(3, let number): count = number & 0xffff_ffff
            default: break
            }
        }
    }
}

/// A point in time as Go writes it in binary form; its zone is passed over.
package struct LogTime: Sendable, Equatable {
    /// Since the beginning of the year 1, UTC.
    package var seconds: Int64
    package var nanoseconds: Int32

    package init(seconds: Int64, nanoseconds: Int32) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }
}

/// A log at rest whose entries are read by their index, in whichever form it is kept.
package protocol StoredLog: Sendable {
    /// From the node's directory on: `raft/raft.db` or `raft/wal`.
    var name: String { get }
    /// Index of the first entry that counts; 0 for an empty log.
    var firstIndex: UInt64 { get }
    /// Sentences about what is odd and harmless.
    var notes: [String] { get }

    /// Visits the entries from an index on, in ascending order; there may be gaps.
    ///
    /// - Parameters:
    ///   - body: Is handed one entry, borrowed for the call, or what is wrong with it; `false` ends the visit.
    /// - Throws: `BoltError` or ``RaftFormatError`` if the log contradicts its form, or what `body` throws.
    func visit(from index: UInt64, _ body: (Result<StoredEntry, DamagedEntry>) throws -> Bool) throws
    /// Hands over one entry, borrowed for the call; from any thread.
    ///
    /// - Throws: ``RaftFormatError`` if there is none, or if it is damaged.
    func withEntry<Answer>(_ index: UInt64, _ body: (StoredEntry) throws -> Answer) throws -> Answer
    /// Gives back file and lock. Repeated calls do nothing.
    func close()
}

/// An entry that cannot be read.
package struct DamagedEntry: Error, Sendable, Equatable {
    /// `nil` if not even that is known.
    package let index: UInt64?
    /// Where and what.
    package let reason: String

    package init(index: UInt64?, reason: String) {
        self.index = index
        self.reason = reason
    }
}
