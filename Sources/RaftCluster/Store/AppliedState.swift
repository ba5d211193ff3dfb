import LMDB
import RaftFormat

/// How far a state machine is, and what it holds.
package struct AppliedState: Hashable, Sendable {
    package var index: UInt64 = 0
    package var term: UInt64 = 0
    var membershipIndex: UInt64 = 0
    package var entries: UInt64 = 0
    var keyBytes: UInt64 = 0
    var valueBytes: UInt64 = 0
    /// Bytes of all entries as ``EntryFrame``.
    var frameBytes: UInt64 = 0

    init() {}

    mutating func add(key: Int, value: Int) {
        entries &+= 1
        keyBytes &+= UInt64(key)
        valueBytes &+= UInt64(value)
        frameBytes &+= UInt64(EntryFrame.count(key: key, value: value))
    }

    mutating func subtract(key: Int, value: Int) {
        entries &-= 1
        keyBytes &-= UInt64(key)
        valueBytes &-= UInt64(value)
        frameBytes &-= UInt64(EntryFrame.count(key: key, value: value))
    }

    /// - Returns: `nil` if the record is damaged; that of nothing if there is none.
    init?(_ snapshot: LMDBSnapshot, _ meta: LMDBTable) throws(LMDBError) {
        self.init()
        guard let record = try snapshot.value(of: Array("applied".utf8), in: meta) else { return }
        guard let bytes = CheckedRecord.open(record), bytes.count == 56 else { return nil }
        let numbers = stride(from: 0, to: 56, by: 8).map { bytes[$0..<($0 + 8)].reduce(0) { $0 << 8 | UInt64($1) } }
        (index, term, membershipIndex, entries) = (numbers[0], numbers[1], numbers[2], numbers[3])
        (keyBytes, valueBytes, frameBytes) = (numbers[4], numbers[5], numbers[6])
    }

    func write(_ transaction: LMDBTransaction, _ meta: LMDBTable) throws(LMDBError) {
        let numbers = [index, term, membershipIndex, entries, keyBytes, valueBytes, frameBytes]
        let bytes = numbers.flatMap { number in withUnsafeBytes(of: number.bigEndian) { Array($0) } }
        try transaction.put(Array("applied".utf8), CheckedRecord.seal(bytes), in: meta)
    }
}

/// What became of a committed command.
package enum CommandOutcome: UInt8, Sendable {
    case applied = 0
    /// An entry was not what the command expected: nothing took effect.
    case conflict = 1
    /// It is no command, or names a key that cannot be kept: nothing took effect.
    case malformed = 2
    /// The same client has proposed later ones meanwhile.
    case superseded = 3
}

/// A client's last command.
struct ClientRecord {
    static let bytes = LogCommand.Origin.clientBytes + 17

    let client: [UInt8]
    let sequence: UInt64
    let index: UInt64
    let outcome: CommandOutcome

    init(client: [UInt8], sequence: UInt64, index: UInt64, outcome: CommandOutcome) {
        self.client = client
        self.sequence = sequence
        self.index = index
        self.outcome = outcome
    }

    init?(client: [UInt8], _ value: [UInt8]) {
        guard value.count == 17, let outcome = CommandOutcome(rawValue: value[16]) else { return nil }
        self.init(
            client: client, sequence: value[0..<8].reduce(0) { $0 << 8 | UInt64($1) },
            index: value[8..<16].reduce(0) { $0 << 8 | UInt64($1) }, outcome: outcome)
    }

    /// Reads the record of a snapshot; `nil` if it is none.
    init?(record: UnsafeRawBufferPointer) {
        guard record.count == Self.bytes else { return nil }
        let split = LogCommand.Origin.clientBytes
        self.init(client: Array(record[..<split]), Array(record[split...]))
    }

    var value: [UInt8] {
        withUnsafeBytes(of: sequence.bigEndian) { Array($0) } + withUnsafeBytes(of: index.bigEndian) { Array($0) }
            + [outcome.rawValue]
    }

    /// As a snapshot has it.
    var record: [UInt8] { client + value }
}
