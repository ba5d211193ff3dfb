import FoundationEssentials
import Storage

/// What a run is to the migration as a whole.
package enum MigrationMode: String, Sendable, CaseIterable {
    /// All of it, in one outage.
    case whole
    /// A pass beside a server at work: it puts what it can in place ahead of time, and is never the end.
    case warm
    /// The pass behind the last warm one, with the server stopped: writes what has changed since, and proves everything.
    case final
    /// What differs at a destination that was filled before is put right.
    case repair
    /// What was written on the new store since a migration goes back into the old one.
    case rollback

    /// Whether a destination is brought up to date that was whole before.
    var concernsWholeDestination: Bool { self == .repair || self == .rollback }
}

/// The migration that a rollback takes back, as its report tells of it.
package struct MigrationToRollBack: Sendable, Equatable {
    /// The store that was migrated, to which the rollback goes: kind and location.
    package var old: (kind: String, location: String) { (oldKind, oldLocation) }
    private let oldKind: String
    private let oldLocation: String
    private let newKind: String
    private let newLocation: String
    /// The store that was filled.
    package var new: (kind: String, location: String) { (newKind, newLocation) }
    /// The keyspace digest of both when the migration ended, hexadecimal.
    package let keyspaceDigest: String

    package init(
        old: (kind: String, location: String), new: (kind: String, location: String), keyspaceDigest: String
    ) {
        (oldKind, oldLocation) = old
        (newKind, newLocation) = new
        self.keyspaceDigest = keyspaceDigest
    }
}

/// How a pass stands to those before it.
package struct PassOutcome: Sendable, Equatable {
    /// From 1.
    package var number = 1
    /// When the pass before this one ended, RFC 3339; `nil` without one.
    package var previousEnd: String?
    /// What is otherwise than that pass left it; `nil` without one, or where it cannot be told.
    package var changes: EntryChanges?
    /// Seconds that a final pass would take if it began now, from what this one took; `nil` for a final pass.
    package var finalSeconds: Double?
    /// Seconds for which no server could run, from the marker on the source to the proof; `nil` for a warm pass.
    package var outageSeconds: Double?

    package init() {}
}

/// Entries that two looks at a store do not have in common.
package struct EntryChanges: Sendable, Equatable, Codable {
    package var added = 0
    package var changed = 0
    package var removed = 0

    package init() {}

    package var total: Int { added + changed + removed }

    mutating func count(_ verdict: Verdict) {
        switch verdict {
        case .missing: added += 1
        case .different: changed += 1
        case .extra: removed += 1
        case .same, .unreadable: break
        }
    }
}

/// What a warm pass leaves for the next one, in the state folder.
struct WarmRecord: Codable, Equatable {
    /// Passes so far.
    var passes: Int
    /// When the last one ended.
    var end: String

    static let fileName = "warm.json"

    /// Reads what the last pass left; `nil` if there was none.
    static func read(in state: StateFolder) throws(StorageError) -> WarmRecord? {
        guard let bytes = try state.read(fileName, most: 4096) else { return nil }
        guard let record = try? JSONDecoder().decode(WarmRecord.self, from: Data(bytes)), record.passes > 0 else {
            throw StorageError(
                .damagedStore,
                "\(state.path)/\(fileName) is not what a warm pass writes. Remove it: the next pass then counts anew.")
        }
        return record
    }

    func write(in state: StateFolder) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        try state.write(Self.fileName, [UInt8](try encoder.encode(self)) + [UInt8(ascii: "\n")])
    }
}
