import Bolt
import RaftFormat
import Storage

/// The entries that the data may hold already although its position stands in front of them.
///
/// OpenBao commits what a batch of entries writes, and a membership among them, in one transaction of `vault.db`, and
/// the position behind it in the next one (`physical/raft/fsm.go`, `ApplyBatch`): a node that dies between the two
/// leaves data that is ahead of its position by one batch, whole. Vault writes both in one transaction.
struct LeadWindow {
    /// Most entries that Raft hands over at a time (hashicorp/raft `config.go`, `MaxAppendEntries`), no-ops and pieces
    /// of large writes not counted.
    static let mostEntries = 64
    /// What the barrier has encrypted has at least a term, a version, a nonce and a tag.
    private static let leastEncrypted = 33

    private let log: any StoredLog
    private let position: LogPosition
    /// Index of the last entry that such a batch may end with.
    private let end: UInt64

    /// - Throws: What keeps the log from being read.
    init(_ log: any StoredLog, behind position: LogPosition) throws {
        self.log = log
        self.position = position
        var end = position.index
        var count = 0
        if end < .max {
            try log.visit(from: end + 1) { found in
                switch found {
                case .success(let entry):
                    end = entry.index
                    switch try? entry.role() {
                    case .command, .configuration: count += 1
                    default: break
                    }
                case .failure(let damage): end = damage.index ?? end
                }
                return count < Self.mostEntries
            }
        }
        self.end = end
    }

    // MARK: Names

    /// Whether the data may hold what entries from `index` on write below a prefix.
    ///
    /// - Parameter isChanged: Whether what a key was at `index` is known without the data.
    func mayHold(
        writesUnder prefix: [UInt8], from index: UInt64, _ data: BoltBucket,
        isChanged: (UnsafeRawBufferPointer) -> Bool
    ) throws -> Bool {
        var candidates: Set<[UInt8]> = []
        // Keys that are in the data as some entry of the window leaves them.
        var agreeing: Set<[UInt8]> = []
        // What the first entry writes: a batch begins with it. Empty if that is not known.
        var first: Set<[UInt8]>?
        var isUnclear = false
        guard position.index < end else { return false }
        try log.visit(from: position.index + 1) { found in
            guard case .success(let entry) = found, entry.index <= end, let role = try? entry.role() else {
                return true
            }
            switch role {
            case .command:
                let (keys, isPlain) = try writes(of: entry, data, &agreeing)
                first = first ?? (isPlain ? keys : [])
                guard entry.index >= index else { break }
                for key in keys where key.starts(with: prefix) && !key.withUnsafeBytes(isChanged) {
                    candidates.insert(key)
                }
            case .chunk:
                first = first ?? []
                isUnclear = isUnclear || entry.index >= index
            case .configuration: first = first ?? []
            case .checkpoint, .nothing, .unknown: break
            }
            return entry.index < end
        }
        guard agreeing.isSuperset(of: first ?? []) else { return false }
        return isUnclear || !candidates.isDisjoint(with: agreeing)
    }

    /// The keys that an entry writes, and whether it is no transaction; those that the data has as it leaves them are
    /// noted.
    private func writes(
        of entry: StoredEntry, _ data: BoltBucket, _ agreeing: inout Set<[UInt8]>
    ) throws -> (keys: Set<[UInt8]>, isPlain: Bool) {
        var keys: Set<[UInt8]> = []
        var isPlain = true
        var found: Set<[UInt8]> = []
        try ServerCommand.read(entry.data) { operation in
            switch operation {
            case .begin: isPlain = false
            case .put(let key, let value):
                keys.insert(Array(key))
                if try data.withValue(forKey: key, { $0.elementsEqual(value) }) == true { found.insert(Array(key)) }
            case .delete(let key):
                keys.insert(Array(key))
                if try data.withValue(forKey: key, { _ in true }) == nil { found.insert(Array(key)) }
            default: break
            }
        }
        agreeing.formUnion(found)
        return (keys, isPlain)
    }

    // MARK: Committed entries

    /// Up to which entry the data is ahead, if it goes on behind `last` and differs there from what it was at `last`.
    ///
    /// Data that is ahead up to an entry has every key that was written up to it as it was left there. Applying only a
    /// part of what it has would set such keys back. What it has was applied, and is committed therefore.
    ///
    /// - Parameters:
    ///   - last: The last entry that is known to be committed, behind the position.
    ///   - reached: The data goes at least so far.
    /// - Returns: `nil` if applying everything up to `last` gives what the data was there.
    /// - Throws: ``RaftFormatError`` if it cannot be told, or what keeps the log from being read.
    func lead(
        beyond last: UInt64, reached: UInt64, _ data: BoltBucket, _ isCancelled: () -> Bool
    ) throws -> UInt64? {
        guard last < end, position.index < last else { return nil }
        var applier = TailApplier(log, to: data, at: position)
        var least = reached
        // Entries after which every key that they have written is as the data has it.
        var fits = [position.index]
        var different: Set<[UInt8]> = []
        for index in (position.index + 1)...end {
            if try isReadable(index) {
                try applier.advance(through: index, isCancelled)
            } else {
                // Taken for one that writes nothing: else a single damaged entry could have written anything.
                applier.skip(through: index)
            }
            for change in applier.changes.all() where change.index == index {
                // Pieces are kept and dropped in transactions of their own.
                guard !change.key.starts(with: StateMachineNames.chunkPrefix) else { continue }
                let isSame = try holds(change, applier.values)
                if isSame {
                    different.remove(change.key)
                    if try isUnique(change, applier.values) { least = max(least, index) }
                } else {
                    different.insert(change.key)
                }
            }
            if different.isEmpty { fits.append(index) }
            if index == last, different.isEmpty { return nil }
        }
        let ahead = fits.filter { $0 > last }
        guard let first = ahead.first else { return nil }
        let possible = fits.filter { $0 >= least }
        guard let lowest = possible.first else { throw undecided(last, first) }
        if lowest > last { return lowest }
        guard possible.contains(where: { $0 > last }) else { return nil }
        throw undecided(last, first)
    }

    private func undecided(_ last: UInt64, _ ahead: UInt64) -> RaftFormatError {
        let (known, open) = (EntrySpan(position.index + 1, last), EntrySpan(last + 1, ahead))
        return RaftFormatError(
            "\(log.name): \(known) \(known.choose("is", "are")) known to be committed, and whether vault.db holds what "
                + "\(open) \(open.choose("writes", "write")) already cannot be told")
    }

    private func isReadable(_ index: UInt64) throws -> Bool {
        var isReadable = false
        try log.visit(from: index) { found in
            guard case .success(let entry) = found, entry.index == index else { return false }
            switch try? entry.role() {
            case nil, .unknown: break
            default: isReadable = true
            }
            return false
        }
        return isReadable
    }

    /// Whether the data has a key as a change left it.
    private func holds(_ change: ChangedKey, _ values: TailValues) throws -> Bool {
        let isSame = try change.key.withUnsafeBytes { key in
            try values.data.withValue(forKey: key) { old in
                guard change.place != .deleted else { return false }
                return try values.withValue(at: change.place) { $0.elementsEqual(old) }
            }
        }
        return isSame ?? (change.place == .deleted)
    }

    /// Whether no other entry can have written the same value: each that the barrier encrypts has a nonce of its own
    /// (Vault 1.14 `vault/barrier_aes_gcm.go`: four bytes of the term, then a version).
    private func isUnique(_ change: ChangedKey, _ values: TailValues) throws -> Bool {
        guard change.place != .deleted else { return false }
        return try values.withValue(at: change.place) { value in
            value.count >= Self.leastEncrypted && (value[4] == 1 || value[4] == 2)
        }
    }
}
