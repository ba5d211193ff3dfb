package import Storage
import Synchronization

/// Collects what scans found that is no ordinary entry: all are counted, the first of each kind are kept. Lost entries
/// are kept apart, because no run may pass over one in silence.
package final class ScanNotes: Sendable {
    private static let maximumExamples = 200

    private struct State {
        var counts: [ScanNote.Reason: Int] = [:]
        var examples: [ScanNote] = []
        var lost = LostEntries()
    }

    private let state = Mutex(State())
    /// Keys that are any concern of the run.
    private let scope: KeyScope
    /// Where every entry that listing cannot see is named, however many there are.
    private let list: LineFile?
    /// Where every lost entry is named.
    private let lostList: LineFile?

    /// - Parameter start: Lost entries before this key are none of the caller's concern.
    package convenience init(start: StorageKey?) { self.init(scope: KeyScope(start: start)) }

    /// - Parameter scope: Lost entries outside of it are none of the caller's concern.
    package init(scope: KeyScope) {
        self.scope = scope
        list = nil
        lostList = nil
    }

    /// - Parameters:
    ///   - path: A file to write, if there are entries that listing cannot see.
    ///   - lostPath: A file to write, if there are lost entries.
    init(namesIn path: String, lostIn lostPath: String, scope: KeyScope) {
        self.scope = scope
        list = LineFile(path: path)
        lostList = LineFile(path: lostPath)
    }

    /// Whether nothing was found.
    var isEmpty: Bool { state.withLock { $0.counts.isEmpty && $0.lost.count == 0 } }

    package func add(_ note: ScanNote) {
        if note.reason == .zeroLengthFile, let key = note.key {
            if isConcern(key) { addLost(key, at: note.place) }
            return
        }
        state.withLock { state in
            state.counts[note.reason, default: 0] += 1
            if let count = state.counts[note.reason], count <= Self.maximumExamples { state.examples.append(note) }
        }
        switch note.reason {
        case .hiddenName, .missingMarker: list?.append("\(note.place)")
        default: break
        }
    }

    private func addLost(_ key: StorageKey, at place: String) {
        state.withLock { $0.lost.add(key, at: place) }
        lostList?.append(LostEntries.line(key, at: place))
    }

    /// Whether an entry would be copied if it were there.
    package func isConcern(_ key: StorageKey) -> Bool {
        key != .migrationMarker && key != .activeNodeLock && scope.contains(key)
    }

    /// Writes what is left of the list.
    ///
    /// - Returns: Its path; `nil` if there is nothing to name.
    func finish() throws(StorageError) -> String? { try list?.finish() }

    /// Writes what is left of the list of lost entries.
    ///
    /// - Returns: Its path; `nil` if none is lost.
    func finishLost() throws(StorageError) -> String? { try lostList?.finish() }

    /// Things found, by kind.
    package var counts: [ScanNote.Reason: Int] { state.withLock { $0.counts } }

    /// The first of them, sorted by place.
    package var examples: [ScanNote] {
        state.withLock { $0.examples.sorted { $0.place < $1.place } }
    }

    /// Entries of which only the name is left.
    package var lost: LostEntries { state.withLock { $0.lost } }

    /// Whether there are any.
    package var hasLost: Bool { state.withLock { $0.lost.count > 0 } }
}
