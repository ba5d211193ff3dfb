import Bolt
import RaftFormat
import Storage

/// The keys that the log's tail changes, in order, and the way to their values, which stay where they are: in the log.
final class AppliedTail: Sendable {
    /// A command that was cut into pieces.
    struct Joined: Sendable {
        enum Piece: Sendable {
            /// The data of an entry of the log.
            case entry(UInt64)
            /// A record that the data keeps, by its key.
            case record([UInt8])
        }

        /// Each piece, and how many bytes stand in front of it.
        var pieces: [(piece: Piece, start: Int)] = []
        var count = 0
    }

    let changes: [ChangedKey]
    /// Bytes of keys and new values.
    let bytes: Int
    private let values: TailValues

    init(_ changes: [ChangedKey], _ values: TailValues) {
        self.changes = changes
        self.values = values
        bytes = changes.reduce(0) { sum, change in
            switch change.place {
            case .entry(_, _, let count), .joined(_, _, let count): sum.clampedSum(change.key.count + count)
            case .deleted, .chunk: sum
            }
        }
    }

    /// The changes with lower <= key < upper.
    func changes(from lower: [UInt8]?, to upper: [UInt8]?) -> ArraySlice<ChangedKey> {
        func place(_ bound: [UInt8]) -> Int { bound.withUnsafeBytes { ChangedKeys.place(of: $0, in: changes) } }
        let start = lower.map(place) ?? 0
        let end = upper.map(place) ?? changes.count
        return changes[start..<max(start, end)]
    }

    func find(_ key: UnsafeRawBufferPointer) -> ChangedKey? {
        let place = ChangedKeys.place(of: key, in: changes)
        guard place < changes.count, changes[place].key.withUnsafeBytes({ compareBytes($0, key) }) == 0 else {
            return nil
        }
        return changes[place]
    }

    /// The value of a change that is no deletion, borrowed for the call; from any thread.
    func withValue<Answer>(
        of change: ChangedKey, _ body: (UnsafeRawBufferPointer) throws -> Answer
    ) throws -> Answer {
        try values.withValue(at: change.place, body)
    }

    func close() { values.close() }
}

/// Reads values where the tail's commands have them.
struct TailValues: Sendable {
    let log: any StoredLog
    /// Holds the pieces that the data keeps.
    let data: BoltBucket
    var joined: [AppliedTail.Joined] = []

    init(_ log: any StoredLog, _ data: BoltBucket) {
        self.log = log
        self.data = data
    }

    func close() { log.close() }

    func withValue<Answer>(
        at place: ValuePlace, _ body: (UnsafeRawBufferPointer) throws -> Answer
    ) throws -> Answer {
        switch place {
        case .deleted: throw changed()
        case .entry(let index, let offset, let count):
            return try log.withEntry(index) { entry in
                guard offset + count <= entry.data.count else { throw changed() }
                return try body(UnsafeRawBufferPointer(rebasing: entry.data[offset..<(offset + count)]))
            }
        case .joined(let number, let offset, let count):
            return try bytes(ofJoined: number, offset, count).withUnsafeBytes { try body($0) }
        case .chunk(let index):
            return try log.withEntry(index) { entry in
                guard case .chunk(let info) = try entry.role() else { throw changed() }
                let record = TransactionJSON.chunk(
                    operation: info.operation, sequence: info.sequence, count: info.count, term: entry.term, entry.data)
                return try record.withUnsafeBytes { try body($0) }
            }
        }
    }

    /// What a piece holds.
    func withPiece<Answer>(
        _ piece: AppliedTail.Joined.Piece, _ body: (UnsafeRawBufferPointer) throws -> Answer
    ) throws -> Answer {
        switch piece {
        case .entry(let index): return try log.withEntry(index) { try body($0.data) }
        case .record(let key):
            let found = try key.withUnsafeBytes { try data.withValue(forKey: $0) { TransactionJSON.chunkData($0) } }
            guard let found, let bytes = found else {
                throw RaftFormatError("vault.db: \(StorageKey(key)) is no piece of a write")
            }
            return try bytes.withUnsafeBytes { try body($0) }
        }
    }

    private func bytes(ofJoined number: Int, _ offset: Int, _ count: Int) throws -> [UInt8] {
        guard joined.indices.contains(number) else { throw changed() }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        for (piece, start) in joined[number].pieces where start < offset + count {
            try withPiece(piece) { content in
                let lower = max(offset - start, 0)
                let upper = min(offset + count - start, content.count)
                if lower < upper { bytes += content[lower..<upper] }
            }
        }
        guard bytes.count == count else { throw changed() }
        return bytes
    }

    private func changed() -> RaftFormatError {
        RaftFormatError("\(log.name) has changed since it was opened: its value is not where it was")
    }
}
