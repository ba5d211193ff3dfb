import RaftFormat
import Wording

/// What a log holds behind the data, by kind, and how much of it is known to be committed.
struct TailSurvey {
    /// Index of the last entry that the data has.
    let position: LogPosition
    /// Entries behind the data.
    private(set) var entries = 0
    /// Of them, those that may change data, pieces of commands among them.
    private(set) var commands = 0
    /// Of them, those that could not be read.
    private(set) var undecodable = 0
    /// Index of the last one.
    private(set) var lastIndex: UInt64 = 0
    /// Why the log and the data cannot be put together; `nil` if they can.
    private(set) var contradiction: String?
    /// What is wrong with the first entry that cannot be read.
    private(set) var damage: String?
    /// Whether that entry was logged by the only voter of a cluster, and is committed therefore.
    private(set) var isDamageCommitted = false
    /// The data goes at least so far: its position, or the membership that it has, if that is of a later entry.
    let reached: UInt64
    /// Up to here every entry is known to be committed.
    private(set) var provenIndex: UInt64
    /// Whether all that proves it is that there is one voter.
    private(set) var hasOneVoter: Bool

    private var previous: (index: UInt64, term: UInt64)?
    private var termStart: UInt64?
    private var lastConfiguration: UInt64?

    /// Looks through the log.
    ///
    /// - Parameters:
    ///   - position: What the data covers.
    ///   - configuration: The membership that the data has; `nil` if it is unknown.
    /// - Throws: What keeps the log from being read.
    init(
        _ log: any StoredLog, behind position: LogPosition, configuration: ClusterConfiguration?,
        isCancelled: () -> Bool
    ) throws {
        self.position = position
        // OpenBao writes a membership together with the data, and the position after it. What peers.json has set has
        // the index 1, whatever the log's entry 1 is.
        reached = max(position.index, configuration.map { $0.index > 1 ? $0.index : 0 } ?? 0)
        provenIndex = reached
        // What the data ends with has a term as well: the first entry behind it need not be the first of its own.
        previous = position.index > 0 ? (position.index, position.term) : nil
        hasOneVoter = configuration.map { Self.voters($0) == 1 } ?? false
        guard log.firstIndex > 0, position.index < .max else { return }
        if log.firstIndex > position.index + 1 {
            contradiction =
                "\(log.name) begins with entry \(log.firstIndex), and the data ends with \(position.index): "
                + "entries are missing between them. The two were copied at different times, or belong to different "
                + "nodes"
        }
        var last: UInt64 = 0
        try log.visit(from: position.index) { found in
            if entries & 1023 == 0, isCancelled() { throw CancelledSurvey() }
            switch found {
            case .success(let entry):
                last = entry.index
                add(entry, log)
            case .failure(let damage):
                last = damage.index ?? last
                add(damage, log)
            }
            return true
        }
        if reached > position.index, last < reached {
            contradiction =
                contradiction
                ?? "the membership in vault.db was set by entry \(reached), and \(log.name) ends before it: log and "
                + "data do not belong together"
        }
    }

    private static func voters(_ configuration: ClusterConfiguration) -> Int {
        configuration.servers.count { $0.suffrage == .voter }
    }

    private mutating func add(_ damaged: DamagedEntry, _ log: any StoredLog) {
        guard damaged.index != position.index else {
            damage = damage ?? damaged.reason
            contradiction = contradiction ?? damaged.reason
            return
        }
        entries += 1
        note(damaged.reason)
        if let index = damaged.index {
            follow(index, term: previous?.term ?? 0, log)
            lastIndex = index
        }
    }

    /// Notes an entry that cannot be read. Behind it the membership is unknown.
    private mutating func note(_ reason: String) {
        undecodable += 1
        if damage == nil {
            damage = reason
            isDamageCommitted = hasOneVoter
        }
        hasOneVoter = false
    }

    private mutating func add(_ entry: StoredEntry, _ log: any StoredLog) {
        guard entry.index != position.index else {
            // Of data that no server has applied anything to there is no term.
            if entry.term != position.term, position.index > 0 {
                contradiction =
                    contradiction
                    ?? "entry \(entry.index) of \(log.name) has term \(entry.term), and the data was brought to it "
                    + "with term \(position.term): log and data do not belong together"
            }
            previous = (entry.index, entry.term)
            return
        }
        follow(entry.index, term: entry.term, log)
        entries += 1
        lastIndex = entry.index
        do {
            switch try entry.role() {
            case .command:
                commands += 1
                if let applied = Self.appliedIndex(entry.data), applied < entry.index { prove(applied) }
            case .chunk: commands += 1
            case .configuration: try changeMembership(entry)
            case .unknown(let kind): throw RaftFormatError("it is of the kind \(kind), which no server knows")
            case .checkpoint, .nothing: break
            }
        } catch {
            note("\(log.name): entry \(entry.index) cannot be read: \(error)")
        }
        if entry.index == reached, entry.kind != .configuration {
            contradiction =
                contradiction
                ?? "the membership in vault.db was set by entry \(reached), and in \(log.name) that is none: log and "
                + "data do not belong together"
        }
        if hasOneVoter, undecodable == 0 { prove(entry.index) }
    }

    /// Notes a gap, and where a term begins.
    private mutating func follow(_ index: UInt64, term: UInt64, _ log: any StoredLog) {
        defer { previous = (index, term) }
        guard let previous else {
            termStart = index
            return
        }
        if index != previous.index + 1 {
            let lost = EntrySpan(previous.index + 1, index - 1)
            contradiction =
                contradiction
                ?? "\(log.name) lacks \(lost): \(lost.choose("it is", "entries are")) missing"
        }
        if term != previous.term { termStart = index }
    }

    /// A membership is only appended when the one before it is committed, and an entry of the leader's own term
    /// (hashicorp/raft `raft.go`).
    private mutating func changeMembership(_ entry: StoredEntry) throws(RaftFormatError) {
        if let lastConfiguration { prove(lastConfiguration) }
        if let termStart, termStart < entry.index { prove(termStart) }
        lastConfiguration = entry.index
        let configuration = try ClusterConfiguration(packedServers: Array(entry.data), index: entry.index)
        // What one voter alone logs is committed; once there were several, one of them may have lost its say.
        if Self.voters(configuration) != 1 { hasOneVoter = false }
    }

    private mutating func prove(_ index: UInt64) { provenIndex = max(provenIndex, index) }

    /// What the leader had applied when a transaction began: it was committed. Whether the bytes are a command at all
    /// is seen when they are applied.
    private static func appliedIndex(_ command: UnsafeRawBufferPointer) -> UInt64? {
        var applied: UInt64?
        try? ServerCommand.read(command) { operation in
            if case .begin(let value) = operation { applied = TransactionJSON.startIndex(value) }
            throw FirstOnly()
        }
        return applied
    }

    private struct FirstOnly: Error {}
}

/// The survey was told to stop.
struct CancelledSurvey: Error {}

extension TailSurvey {
    /// How many entries, and which.
    var counts: String {
        let behind = "The log holds \(entries) \(plural(entries, "entry", "entries")) behind the data"
        let span = lastIndex > position.index ? ", " + EntrySpan(position.index + 1, lastIndex).numbers : ""
        guard entries > 1 else {
            let what = undecodable > 0 ? "could not be decoded" : commands > 0 ? "may be a write" : "is no write"
            return "\(behind)\(span); it \(what)"
        }
        return "\(behind)\(span); \(commands) of them may be \(commands == 1 ? "a write" : "writes")"
            + (undecodable > 0 ? ", \(undecodable) could not be decoded" : "")
    }

    /// Whether writes may be among the entries.
    var mayHoldWrites: Bool { commands + undecodable > 0 }
}
