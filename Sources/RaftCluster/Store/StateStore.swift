import Digest
import Glibc
import LMDB
import RaftFormat
import Synchronization

/// The state machine: what the committed commands amount to, in an LMDB file, with the index they go up to in the same
/// transaction.
///
/// | Table | Key | Value |
/// | --- | --- | --- |
/// | `data` | ``StateKey`` | the entry's value |
/// | `clients` | a client's id | sequence u64, index u64, ``CommandOutcome`` u8 of its last command, big-endian |
/// | `meta` | `applied` | ``CheckedRecord``: index, term, index of the membership, entries, bytes of keys, of values, of frames: u64, big-endian |
/// | `meta` | `membership` | ``CheckedRecord``: servers as msgpack |
// Unchecked: what is mutable is behind a mutex, and only one thread applies.
final class StateStore: @unchecked Sendable {
    static let maximumBytes = 1 << 40
    /// Clients whose last command is remembered; those that were silent longest are forgotten.
    static let mostClients = 4096
    /// Bytes read after which the memory of the pages is given back.
    static let readWindow = 8 << 20

    let environment: LMDBEnvironment
    let data: LMDBTable
    let clients: LMDBTable
    let meta: LMDBTable
    let path: String
    private let state: Mutex<AppliedState>
    /// The greatest key there is; only the applying thread uses it.
    private var greatest: [UInt8]
    /// Bytes that were read or written since the memory of the pages was given back.
    private let touched = Atomic<Int>(0)

    /// Opens the file, or makes it.
    ///
    /// - Parameters:
    ///   - isChecked: Whether the structure of a file that is there is looked at from end to end first.
    ///   - isDurable: Whether every transaction waits for the disk.
    init(path: String, isChecked: Bool, isDurable: Bool = true) throws(ClusterError) {
        self.path = path
        if isChecked { try LogStore.check(path) }
        let environment = try lmdb { () throws(LMDBError) in
            try LMDBEnvironment(
                path: path, maximumBytes: Self.maximumBytes, isDurable: isDurable, mayLoseLast: true,
                readsBesideWrites: true,
                tables: ["data", "clients", "meta"])
        }
        let (data, clients, meta) = (environment.tables[0], environment.tables[1], environment.tables[2])
        self.environment = environment
        (self.data, self.clients, self.meta) = (data, clients, meta)
        var found: AppliedState?
        var last: [UInt8]?
        try lmdb { () throws(LMDBError) in
            try environment.read { snapshot throws(LMDBError) in
                found = try AppliedState(snapshot, meta)
                try snapshot.forEachDescending(in: data) { key, _ in
                    last = Array(key)
                    return false
                }
            }
        }
        guard let found else { throw .damaged(path, "its record of what was applied is damaged") }
        state = Mutex(found)
        greatest = last ?? []
    }

    func close() { environment.close() }

    /// Gives the memory of the file's pages back, now and then.
    func noteTouched(_ bytes: Int) {
        guard touched.add(bytes, ordering: .relaxed).newValue > Self.readWindow else { return }
        touched.store(0, ordering: .relaxed)
        environment.letPagesGo()
    }

    /// What was applied.
    var applied: AppliedState { state.withLock { $0 } }

    // MARK: Applying

    /// Brings what was applied to the disk; the log may be cut behind that.
    func sync() throws(ClusterError) {
        try lmdb { () throws(LMDBError) in try environment.sync() }
    }

    /// Sets the members that are in force.
    func setMembership(_ configuration: ClusterConfiguration) throws(ClusterError) {
        var next = applied
        next.membershipIndex = configuration.index
        try lmdb { () throws(LMDBError) in
            try environment.write { transaction throws(LMDBError) in
                try transaction.put(Array("membership".utf8), CheckedRecord.seal(configuration.packedServers), in: meta)
                try next.write(transaction, meta)
            }
        }
        state.withLock { [next] in $0 = next }
    }

    /// Applies entries that follow what was applied, in one transaction. A crash of the machine may undo the last one, and then
    /// the log has it still.
    ///
    /// - Returns: What became of each.
    func apply(_ entries: [WireEntry]) throws(ClusterError) -> [CommandOutcome] {
        var outcomes: [CommandOutcome] = []
        var next = applied
        var problem: ClusterError?
        let greatestBefore = greatest
        do throws(ClusterError) {
            try lmdb { () throws(LMDBError) in
                try environment.write { transaction throws(LMDBError) in
                    for entry in entries where entry.index > next.index {
                        do throws(ApplyFailure) {
                            outcomes.append(try apply(entry, transaction, &next))
                        } catch {
                            switch error {
                            case .library(let failure): throw failure
                            case .other(let failure): problem = failure
                            }
                            throw LMDBError(aborting: path)
                        }
                        next.index = entry.index
                        next.term = entry.term
                    }
                    try next.write(transaction, meta)
                }
            }
        } catch {
            greatest = greatestBefore
            throw problem ?? error
        }
        state.withLock { [next] in $0 = next }
        noteTouched(entries.reduce(0) { $0 + $1.weight })
        return outcomes
    }

    private func apply(
        _ entry: WireEntry, _ transaction: LMDBTransaction, _ next: inout AppliedState
    ) throws(ApplyFailure) -> CommandOutcome {
        guard entry.index == next.index + 1 else {
            throw .other(.damaged(path, "entry \(entry.index) does not follow entry \(next.index)"))
        }
        switch entry.type {
        case EntryType.command: break
        case EntryType.configuration:
            let servers: ClusterConfiguration
            do throws(RaftFormatError) {
                servers = try ClusterConfiguration(packedServers: entry.data ?? [], index: entry.index)
            } catch {
                throw .other(.damaged(path, "entry \(entry.index): \(error)"))
            }
            next.membershipIndex = entry.index
            try applyLMDB { () throws(LMDBError) in
                try transaction.put(Array("membership".utf8), CheckedRecord.seal(servers.packedServers), in: meta)
            }
            return .applied
        default: return .applied
        }
        guard entry.extensions == nil else {
            throw .other(
                ClusterError(
                    .refused,
                    "Entry \(entry.index) is a piece of a command that a server has cut up. Such logs are not taken over: "
                        + "migrate the server's directory instead."))
        }
        return try apply(command: entry.data ?? [], at: entry.index, transaction, &next)
    }

    private func apply(
        command: [UInt8], at index: UInt64, _ transaction: LMDBTransaction, _ next: inout AppliedState
    ) throws(ApplyFailure) -> CommandOutcome {
        let (verdict, origin) = try judge(command, transaction)
        if let origin, let known = try lastCommand(of: origin.client, transaction) {
            if known.sequence == origin.sequence { return known.outcome }
            if known.sequence > origin.sequence { return .superseded }
        }
        if verdict == .applied {
            let failure = command.withUnsafeBytes { bytes -> ApplyFailure? in
                do throws(ApplyFailure) {
                    try LogCommand.read(bytes, damage: { .other(ClusterError(.damaged, "\($0)")) }) {
                        operation throws(ApplyFailure) in
                        switch operation {
                        case .put(let key, let value): try put(key, value, transaction, &next)
                        case .delete(let key): try delete(key, transaction, &next)
                        case .require, .prove: break
                        }
                    }
                    return nil
                } catch {
                    return error
                }
            }
            if let failure { throw failure }
        }
        if let origin { try remember(origin, verdict, at: index, transaction) }
        return verdict
    }

    /// Whether a command can take effect: it is whole, its keys can be kept, and what it expects is there.
    private func judge(
        _ command: [UInt8], _ transaction: LMDBTransaction
    ) throws(ApplyFailure) -> (CommandOutcome, LogCommand.Origin?) {
        var verdict = CommandOutcome.applied
        var origin: LogCommand.Origin?
        var failure: ApplyFailure?
        command.withUnsafeBytes { bytes in
            do throws(ApplyFailure) {
                origin = try LogCommand.read(bytes, damage: { _ in .other(ClusterError(.refused, "")) }) {
                    operation throws(ApplyFailure) in
                    switch operation {
                    case .put(let key, _), .delete(let key):
                        if key.isEmpty || key.count > StateKey.longest { verdict = .malformed }
                    case .prove: break
                    case .require(let key, let expected):
                        guard verdict == .applied else { return }
                        if try !matches(key, expected, transaction) { verdict = .conflict }
                    }
                }
            } catch {
                if case .library = error { failure = error }
                verdict = .malformed
            }
        }
        if let failure { throw failure }
        return (verdict, origin)
    }

    private func matches(
        _ key: UnsafeRawBufferPointer, _ expected: UnsafeRawBufferPointer, _ transaction: LMDBTransaction
    ) throws(ApplyFailure) -> Bool {
        guard let held = try held(key, transaction) else { return expected.isEmpty }
        guard expected.count == SHA256Digest.byteCount else { return false }
        let digest = try digested { () throws(DigestError) in try SHA256Digest.of(held) }
        return digest.bytes.elementsEqual(expected)
    }

    /// The value of an entry, borrowed until the next write.
    private func held(
        _ key: UnsafeRawBufferPointer, _ transaction: LMDBTransaction
    ) throws(ApplyFailure) -> UnsafeRawBufferPointer? {
        guard StateKey.isLong(key) else {
            guard !key.isEmpty else { return nil }
            return try applyLMDB { () throws(LMDBError) in try transaction.snapshot.view(of: key, in: data) }
        }
        let stored = try digested { () throws(DigestError) in try StateKey.stored(long: key) }
        let held = try applyLMDB { () throws(LMDBError) in
            try stored.withUnsafeBufferPointer { stored throws(LMDBError) in
                try transaction.snapshot.view(of: UnsafeRawBufferPointer(stored), in: data)
            }
        }
        return held.flatMap { StateKey.split($0)?.value }
    }

    private func put(
        _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ transaction: LMDBTransaction,
        _ next: inout AppliedState
    ) throws(ApplyFailure) {
        let isLast = greatest.withUnsafeBytes { compare($0, key) < 0 }
        if isLast, !StateKey.isLong(key) {
            next.add(key: key.count, value: value.count)
            try applyLMDB { () throws(LMDBError) in try transaction.put(key, value, isLast: true, in: data) }
            // In the memory that it has: this is done for every entry of a migration.
            greatest.removeAll(keepingCapacity: true)
            greatest.append(contentsOf: key)
            return
        }
        if let before = try held(key, transaction)?.count { next.subtract(key: key.count, value: before) }
        next.add(key: key.count, value: value.count)
        guard StateKey.isLong(key) else {
            return try applyLMDB { () throws(LMDBError) in
                try transaction.put(key, value, isLast: false, in: data)
            }
        }
        let stored = try digested { () throws(DigestError) in try StateKey.stored(long: key) }
        try applyLMDB { () throws(LMDBError) in
            try transaction.put(stored, StateKey.value(value, of: key), in: data)
        }
        if greatest.lexicographicallyPrecedes(stored) { greatest = stored }
    }

    /// Writes an entry of a snapshot.
    ///
    /// - Returns: What is wrong.
    func load(
        _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ transaction: LMDBTransaction,
        _ next: inout AppliedState
    ) throws(LMDBError) -> ClusterError? {
        do throws(ApplyFailure) {
            try put(key, value, transaction, &next)
            return nil
        } catch {
            switch error {
            case .library(let failure): throw failure
            case .other(let failure): return failure
            }
        }
    }

    private func delete(
        _ key: UnsafeRawBufferPointer, _ transaction: LMDBTransaction, _ next: inout AppliedState
    ) throws(ApplyFailure) {
        guard let before = try held(key, transaction)?.count else { return }
        next.subtract(key: key.count, value: before)
        if StateKey.isLong(key) {
            let stored = try digested { () throws(DigestError) in try StateKey.stored(long: key) }
            _ = try applyLMDB { () throws(LMDBError) in try transaction.delete(stored, in: data) }
        } else {
            _ = try applyLMDB { () throws(LMDBError) in try transaction.delete(key, in: data) }
        }
        // A greater bound than needed only costs the faster way of writing.
    }

    // MARK: Clients

    private func lastCommand(
        of client: [UInt8], _ transaction: LMDBTransaction
    ) throws(ApplyFailure) -> ClientRecord? {
        let bytes = try applyLMDB { () throws(LMDBError) in try transaction.snapshot.value(of: client, in: clients) }
        return bytes.flatMap { ClientRecord(client: client, $0) }
    }

    private func remember(
        _ origin: LogCommand.Origin, _ outcome: CommandOutcome, at index: UInt64, _ transaction: LMDBTransaction
    ) throws(ApplyFailure) {
        let record = ClientRecord(client: origin.client, sequence: origin.sequence, index: index, outcome: outcome)
        try applyLMDB { () throws(LMDBError) in
            try transaction.put(origin.client, record.value, in: clients)
            guard try transaction.snapshot.count(in: clients) > Self.mostClients else { return }
            var all: [ClientRecord] = []
            try transaction.snapshot.forEach(in: clients) { key, value in
                if let record = ClientRecord(client: Array(key), Array(value)) { all.append(record) }
                return true
            }
            // Every node forgets the same ones: they all hold the same.
            all.sort { $0.index < $1.index }
            for record in all.prefix(all.count / 4) { try transaction.delete(record.client, in: clients) }
        }
    }

    // MARK: Errors

    private enum ApplyFailure: Error {
        case library(LMDBError)
        case other(ClusterError)
    }

    private func applyLMDB<Result>(_ body: () throws(LMDBError) -> Result) throws(ApplyFailure) -> Result {
        do throws(LMDBError) { return try body() } catch { throw .library(error) }
    }

    private func digested<Result>(_ body: () throws(DigestError) -> Result) throws(ApplyFailure) -> Result {
        do throws(DigestError) {
            return try body()
        } catch {
            throw .other(ClusterError(.io, "\(error)"))
        }
    }
}

/// Bytewise comparison, a shorter prefix first.
func compare(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
    let common = min(left.count, right.count)
    if common > 0, let one = left.baseAddress, let other = right.baseAddress {
        let order = memcmp(one, other, common)
        if order != 0 { return Int(order) }
    }
    return left.count - right.count
}
