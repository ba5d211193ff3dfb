import RaftFormat
import Synchronization

/// The newest entries of the log in memory: those that are not durable yet, and as many before them as there is room for, so
/// that followers and the state machine need no disk.
final class EntryCache: Sendable {
    private static let mostBytes = 16 << 20

    private struct State {
        var first: UInt64 = 0
        var entries: [WireEntry] = []
        var bytes = 0
        var durable: UInt64 = 0
        var dropped = 0

        mutating func trim() {
            while bytes > mostBytes, dropped < entries.count, first + UInt64(dropped) <= durable {
                bytes -= entries[dropped].weight
                entries[dropped] = WireEntry(index: 0, term: 0)
                dropped += 1
            }
            guard dropped > 1024 || dropped * 2 > entries.count else { return }
            entries.removeFirst(dropped)
            first += UInt64(dropped)
            dropped = 0
        }
    }

    private let state = Mutex(State())

    /// Adds entries that follow those there are.
    func append(_ entries: [WireEntry]) {
        guard let index = entries.first?.index else { return }
        state.withLock { state in
            if state.first + UInt64(state.entries.count) != index {
                state.entries = []
                state.bytes = 0
                state.dropped = 0
            }
            if state.entries.isEmpty { state.first = index }
            state.entries += entries
            state.bytes += entries.reduce(0) { $0 + $1.weight }
            state.trim()
        }
    }

    func truncate(from index: UInt64) {
        state.withLock { state in
            state.durable = min(state.durable, index - 1)
            guard index < state.first + UInt64(state.entries.count) else { return }
            let kept = index > state.first ? Int(index - state.first) : 0
            for entry in state.entries[max(kept, state.dropped)...] { state.bytes -= entry.weight }
            state.entries.removeLast(state.entries.count - kept)
            if kept < state.dropped { state.dropped = kept }
        }
    }

    func removeAll(durable: UInt64) {
        state.withLock { state in
            state = State()
            state.durable = durable
        }
    }

    /// Entries up to an index need not be held any more.
    func setDurable(_ index: UInt64) {
        state.withLock { state in
            state.durable = max(state.durable, index)
            state.trim()
        }
    }

    /// Entries of a range; `nil` unless all are held.
    ///
    /// - Parameter bytes: After which no further entry is added, one at least.
    func entries(_ range: ClosedRange<UInt64>, bytes: Int) -> [WireEntry]? {
        state.withLock { state in
            let held = state.first + UInt64(state.dropped)..<state.first + UInt64(state.entries.count)
            guard held.contains(range.lowerBound) else { return nil }
            var found: [WireEntry] = []
            var total = 0
            for index in range {
                guard held.contains(index), total < bytes || found.isEmpty else { break }
                let entry = state.entries[Int(index - state.first)]
                found.append(entry)
                total += entry.weight
            }
            return found
        }
    }
}
