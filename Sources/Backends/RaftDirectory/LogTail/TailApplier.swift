import Bolt
import RaftFormat
import Storage
import Wording

/// Applies a log's entries as a server's state machine does, noting for each key where its newest value lies.
///
/// Follows Vault's and OpenBao's `physical/raft/fsm.go`, `transaction.go` and hashicorp/go-raftchunking `fsm.go` of a
/// node that goes on without a stop. Where a node that was restarted does worse, and loses a large write that it had
/// half, the write is completed and counted.
struct TailApplier {
    /// What was done.
    struct Outcome: Sendable {
        /// Commands whose operations took effect.
        var commands = 0
        /// Transactions that took no effect, because something they had read was changed before.
        var conflicts = 0
        /// Large writes that were joined.
        var joined = 0
        /// Of them, those that a restarted server would have lost.
        var completed = 0
        /// Pieces of large writes whose rest is not there.
        var strayChunks = 0
    }

    private enum Limit {
        /// Memory that changed keys may take.
        static let keyBytes = 512 << 20
        /// A command that is joined from pieces.
        static let commandBytes = StateMachineNames.maximumValueBytes
        /// Pieces of large writes in the log in front of the data.
        static let pieces = 1 << 20
    }

    let position: LogPosition
    var changes = ChangedKeys()
    var values: TailValues
    private(set) var outcome = Outcome()
    private var chunkTerm: UInt64?
    private var front: FrontPieces?
    /// Index of the last entry that was applied.
    private var reached: UInt64

    /// - Parameters:
    ///   - log: The log; its entries behind `position` have been surveyed.
    ///   - data: The state that they are applied to.
    init(_ log: any StoredLog, to data: BoltBucket, at position: LogPosition) {
        self.position = position
        reached = position.index
        values = TailValues(log, data)
    }

    var log: any StoredLog { values.log }
    var data: BoltBucket { values.data }

    /// Applies all entries behind the position up to `last`.
    mutating func run(through last: UInt64, isCancelled: () -> Bool) throws -> Outcome {
        guard reached < last else { return outcome }
        try advance(through: last, isCancelled)
        try countStrayChunks()
        return outcome
    }

    /// Leaves out what has not been applied up to an entry.
    mutating func skip(through last: UInt64) { reached = max(reached, last) }

    /// Applies what has not been applied up to an entry.
    mutating func advance(through last: UInt64, _ isCancelled: () -> Bool) throws {
        guard reached < last else { return }
        var visited = 0
        // The applier changes while the log is read.
        var applier = self
        try log.visit(from: reached + 1) { found in
            visited += 1
            if visited & 255 == 0, isCancelled() { throw StorageError.cancelled }
            let entry: StoredEntry
            switch found {
            case .success(let one): entry = one
            case .failure(let damage): throw RaftFormatError(damage.reason)
            }
            guard entry.index <= last else { return false }
            try applier.apply(entry)
            return entry.index < last
        }
        self = applier
        reached = last
    }

    private mutating func apply(_ entry: StoredEntry) throws {
        switch try entry.role() {
        case .nothing, .checkpoint, .configuration: return
        case .unknown(let kind):
            throw refusal(entry.index, "it is of the kind \(kind), which no server knows")
        case .command:
            let index = entry.index
            try apply(entry.data, at: index) { .entry(index, offset: $0, count: $1) }
        case .chunk(let info): try add(info, entry)
        }
        guard changes.memoryBytes <= Limit.keyBytes else {
            throw refusal(entry.index, "the log changes more keys than can be kept in memory")
        }
    }

    func refusal(_ index: UInt64, _ reason: String) -> RaftFormatError {
        RaftFormatError("\(log.name): entry \(index) cannot be applied: \(reason)")
    }

    // MARK: Commands

    private mutating func apply(
        _ command: UnsafeRawBufferPointer, at index: UInt64, _ place: (Int, Int) -> ValuePlace
    ) throws {
        var shape = TransactionShape()
        do {
            try ServerCommand.read(command) { shape.add($0) }
        } catch {
            throw refusal(index, "its data is no command: \(error)")
        }
        if shape.isTransaction {
            guard shape.isWellFormed, try verify(command, at: index, shape.startIndex) else {
                outcome.conflicts += 1
                return
            }
        }
        var kept = changes
        changes = ChangedKeys()
        defer { changes = kept }
        try ServerCommand.read(command) { operation in
            switch operation {
            case .put(let key, let value):
                try check(key, value, index)
                kept.set(key, place(value.offset(in: command), value.count), index)
            case .delete(let key):
                if !key.isEmpty { kept.set(key, .deleted, index) }
            case .notice: break
            case .unknown(let kind): throw unknown(kind, index)
            case .begin, .commit, .verifyRead, .verifyList:
                guard shape.isTransaction else {
                    throw refusal(index, "it holds a part of a transaction that has no beginning")
                }
            }
        }
        outcome.commands += 1
    }

    private func unknown(_ kind: UInt64, _ index: UInt64) -> RaftFormatError {
        refusal(
            index,
            kind == 1000
                ? "it holds a condition that only nodes of Sealift's own know"
                : "it holds an operation of the kind \(kind), which no known server writes")
    }

    /// Servers end on what bbolt does not take.
    private func check(
        _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ index: UInt64
    ) throws(RaftFormatError) {
        guard !key.isEmpty else { throw refusal(index, "it writes an entry without a key") }
        guard key.count <= StateMachineNames.maximumKeyBytes, value.count <= StateMachineNames.maximumValueBytes else {
            throw refusal(index, "it writes an entry that is larger than any file of a server can hold")
        }
    }

    // MARK: Large commands

    /// Keeps a piece, and applies the command when it is whole.
    private mutating func add(_ info: ChunkInfo, _ entry: StoredEntry) throws {
        if chunkTerm != entry.term { try removeChunks(ofOtherTermsThan: entry.term, entry.index) }
        chunkTerm = entry.term
        let prefix = StateMachineNames.chunkPrefix + Array("\(info.operation)/".utf8)
        (prefix + Array(String(info.sequence).utf8)).withUnsafeBytes {
            changes.set($0, .chunk(entry.index), entry.index)
        }
        var keys = try keys(under: prefix)
        var isFound = false
        if info.sequence + 1 == info.count, UInt64(keys.count) < info.count {
            isFound = try findPieces(of: info, entry, prefix, keys)
            if isFound { keys = try self.keys(under: prefix) }
        }
        guard UInt64(keys.count) == info.count else { return }
        let index = entry.index
        let (whole, number, fromData) = try join(keys, prefix, index)
        for key in keys { key.withUnsafeBytes { changes.set($0, .deleted, index) } }
        try whole.withUnsafeBytes { command in
            try apply(command, at: index) { .joined(number, offset: $0, count: $1) }
        }
        outcome.joined += 1
        if fromData || isFound { outcome.completed += 1 }
    }

    /// Puts pieces that a restarted server had dropped from the data back, if the log in front of the data has all that
    /// are missing.
    ///
    /// - Returns: Whether the write is whole now.
    /// - Throws: If one that is missing may be what cannot be read.
    private mutating func findPieces(
        of info: ChunkInfo, _ last: StoredEntry, _ prefix: [UInt8], _ keys: [[UInt8]]
    ) throws -> Bool {
        guard log.firstIndex > 0, log.firstIndex <= position.index else { return false }
        let front = try self.front ?? FrontPieces(log, through: position.index, most: Limit.pieces)
        self.front = front
        let known = Set(keys)
        var found: [(key: [UInt8], index: UInt64)] = []
        for (sequence, index) in front.pieces[.init(number: info.operation, term: last.term)] ?? [:]
        where sequence < info.count {
            let key = prefix + Array(String(sequence).utf8)
            if !known.contains(key) { found.append((key, index)) }
        }
        // A write that cannot be completed stays as the data has it: no piece is put back for nothing.
        guard UInt64(keys.count) + UInt64(found.count) == info.count else {
            guard let damage = front.damage else { return false }
            let there = keys.count + found.count
            throw refusal(
                last.index,
                "it ends a large write of \(info.count) \(plural(info.count, "piece")), of which \(there) "
                    + "\(plural(there, "was", "were")) found, and another one may be what cannot be read: \(damage)")
        }
        for (key, index) in found { key.withUnsafeBytes { changes.set($0, .chunk(index), index) } }
        return !found.isEmpty
    }

    private mutating func join(
        _ keys: [[UInt8]], _ prefix: [UInt8], _ index: UInt64
    ) throws -> (whole: [UInt8], number: Int, fromData: Bool) {
        var places = [AppliedTail.Joined.Piece?](repeating: nil, count: keys.count)
        var fromData = false
        for key in keys {
            guard let digits = String(validating: key.dropFirst(prefix.count), as: UTF8.self),
                let sequence = Int(digits), places.indices.contains(sequence), places[sequence] == nil
            else { throw refusal(index, "the pieces of a large write do not make a whole") }
            if case .chunk(let from)? = key.withUnsafeBytes({ changes.find($0)?.place }) {
                places[sequence] = .entry(from)
            } else {
                places[sequence] = .record(key)
                fromData = true
            }
        }
        var joined = AppliedTail.Joined()
        var whole: [UInt8] = []
        for case let piece? in places {
            joined.pieces.append((piece, whole.count))
            try values.withPiece(piece) { content in
                guard content.count <= Limit.commandBytes - whole.count else {
                    throw refusal(index, "a large write is larger than any server can keep")
                }
                whole += content
            }
        }
        joined.count = whole.count
        values.joined.append(joined)
        return (whole, values.joined.count - 1, fromData)
    }

    /// A node drops all pieces when one of a new term comes: whoever sent the others has learnt that he leads no more.
    private mutating func removeChunks(ofOtherTermsThan term: UInt64, _ index: UInt64) throws {
        for key in try keys(under: StateMachineNames.chunkPrefix) {
            let change = key.withUnsafeBytes { changes.find($0) }
            let found: UInt64?
            if case .chunk(let from)? = change?.place {
                found = try log.withEntry(from) { $0.term }
            } else {
                found =
                    try key.withUnsafeBytes { try data.withValue(forKey: $0) { TransactionJSON.chunkTerm($0) } } ?? nil
            }
            if let found, found != term { key.withUnsafeBytes { changes.set($0, .deleted, index) } }
        }
    }

    private mutating func countStrayChunks() throws {
        outcome.strayChunks = try keys(under: StateMachineNames.chunkPrefix).count
    }

    // MARK: The state so far

    /// The keys that begin with these bytes, as they are now.
    func keys(under prefix: [UInt8]) throws -> [[UInt8]] {
        var keys: [[UInt8]] = []
        try visitKeys(under: prefix) { key in
            keys.append(Array(key))
            return true
        }
        return keys
    }

    /// Visits the keys that begin with these bytes, as they are now; `false` stops.
    func visitKeys(under prefix: [UInt8], _ body: (UnsafeRawBufferPointer) throws -> Bool) throws {
        var merge = TailMerge(changes.under(prefix)[...])
        func give(_ change: ChangedKey) throws -> Bool { try change.key.withUnsafeBytes { try body($0) } }
        var goesOn = true
        try data.visit(from: prefix.isEmpty ? nil : prefix, to: nil) { key, _ in
            guard key.starts(with: prefix) else { return false }
            switch try merge.pass(key, give) {
            case .own: goesOn = try body(key)
            case .hidden: break
            case .stopped: goesOn = false
            }
            return goesOn
        }
        if goesOn { _ = try merge.finish(give) }
    }
}

/// The pieces of large writes that stand in the log in front of the data, found in one pass.
private struct FrontPieces {
    struct Operation: Hashable {
        var number: UInt64
        var term: UInt64
    }

    /// Of each large write the entries by the piece's number.
    private(set) var pieces: [Operation: [UInt64: UInt64]] = [:]
    /// What is wrong with the first entry that cannot be read.
    private(set) var damage: String?

    /// - Throws: What keeps the log from being read; ``RaftFormatError`` if there are more than `most`.
    init(_ log: any StoredLog, through last: UInt64, most: Int) throws {
        var count = 0
        try log.visit(from: log.firstIndex) { found in
            let entry: StoredEntry
            switch found {
            case .success(let one): entry = one
            case .failure(let damaged):
                // A key that is no index stands where an entry may have stood.
                guard damaged.index ?? 0 <= last else { return false }
                damage = damage ?? damaged.reason
                return true
            }
            guard entry.index <= last else { return false }
            do {
                guard case .chunk(let info) = try entry.role() else { return true }
                count += 1
                pieces[Operation(number: info.operation, term: entry.term), default: [:]][info.sequence] = entry.index
            } catch {
                damage = damage ?? "\(log.name): entry \(entry.index) cannot be read: \(error)"
            }
            guard count <= most else {
                throw RaftFormatError(
                    "\(log.name) holds more than \(most) pieces of large writes in front of the data, more than are "
                        + "looked through")
            }
            return true
        }
    }
}

/// What a command's operations are, taken together.
private struct TransactionShape {
    private var count = 0
    private var begins = 0
    private var commits = 0
    private var endsWithCommit = false
    private(set) var isTransaction = false
    /// What the leader had applied when it began.
    private(set) var startIndex: UInt64?

    mutating func add(_ operation: ServerCommand.Operation) {
        endsWithCommit = false
        switch operation {
        case .begin(let value):
            begins += 1
            if count == 0 {
                isTransaction = true
                startIndex = TransactionJSON.startIndex(value)
            }
        case .commit:
            commits += 1
            endsWithCommit = true
        default: break
        }
        count += 1
    }

    /// Nothing of any other transaction takes effect.
    var isWellFormed: Bool { begins == 1 && commits == 1 && endsWithCommit }
}

extension UnsafeRawBufferPointer {
    /// Where a part of other bytes begins in them.
    func offset(in whole: UnsafeRawBufferPointer) -> Int {
        guard let start = baseAddress, let base = whole.baseAddress else { return 0 }
        return start - base
    }
}
