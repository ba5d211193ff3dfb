package import Storage
import Synchronization

/// Collects what scans found that is no ordinary entry: all are counted, the first of each kind are kept.
package final class ScanNotes: Sendable {
    private static let maximumExamples = 200

    private struct State {
        var counts: [ScanNote.Reason: Int] = [:]
        var examples: [ScanNote] = []
    }

    private let state = Mutex(State())
    /// Where every entry that listing cannot see is named, however many there are.
    private let list: LineFile?

    package init() {
        list = nil
    }

    /// - Parameter path: A file to write, if there are entries that listing cannot see.
    init(namesIn path: String) {
        list = LineFile(path: path)
    }

    package func add(_ note: ScanNote) {
        state.withLock { state in
            state.counts[note.reason, default: 0] += 1
            if state.examples.count < Self.maximumExamples { state.examples.append(note) }
        }
        switch note.reason {
        case .hiddenName, .missingMarker: list?.append("\(note.place)")
        default: break
        }
    }

    /// Writes what is left of the list.
    ///
    /// - Returns: Its path; `nil` if there is nothing to name.
    func finish() throws(StorageError) -> String? { try list?.finish() }

    /// Things found, by kind.
    package var counts: [ScanNote.Reason: Int] { state.withLock { $0.counts } }

    /// The first of them, sorted by place.
    package var examples: [ScanNote] {
        state.withLock { $0.examples.sorted { $0.place < $1.place } }
    }
}
