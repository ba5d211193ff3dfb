package import Storage
import Synchronization

/// Leaves out what is not part of the data: the migration marker, the active node's lock, keys before `-start`.
package final class EntryFilter: Sendable {
    /// Which keys are wanted.
    let scope: KeyScope
    private let left = Mutex<[String: Int]>([:])

    package init(start: StorageKey?) {
        scope = KeyScope(start: start)
    }

    package init(scope: KeyScope) {
        self.scope = scope
    }

    /// Entries left out so far, by reason.
    package var leftOut: [String: Int] { left.withLock { $0 } }

    /// Counts entries that were left out elsewhere.
    package func leaveOut(_ reason: String, _ count: Int) {
        if count > 0 { left.withLock { $0[reason, default: 0] += count } }
    }

    /// Drops unwanted entries from a batch.
    ///
    /// - Parameter isOrdered: Whether its keys ascend; then a look at its ends spares one at every key.
    package func apply(to batch: EntryBatch, isOrdered: Bool = false) {
        guard batch.count > 0, !isOrdered || mayTouch(batch) else { return }
        var reasons: [String] = []
        batch.removeEntries { index in
            let key = batch.key(index)
            // The marker is the run's own and nothing to report, and what has another prefix was not asked for.
            if key.elementsEqual(StorageKey.migrationMarker.bytes) { return true }
            if !scope.isSelected(key) {
                reasons.append(Self.unselected)
                return true
            }
            if scope.prefix != nil, !scope.contains(key) { return true }
            if let sample = scope.sample, !sample.contains(key) { return true }
            guard let reason = reason(for: key) else { return false }
            reasons.append(reason)
            return true
        }
        guard !reasons.isEmpty else { return }
        left.withLock { left in
            for reason in reasons { left[reason, default: 0] += 1 }
        }
    }

    /// Whether a batch in key order can hold anything unwanted.
    private func mayTouch(_ batch: EntryBatch) -> Bool {
        if !scope.isWhole { return true }
        let last = StorageKey.migrationMarker.bytes.withUnsafeBytes { compareBytes(batch.key(0), $0) }
        let first = StorageKey.activeNodeLock.bytes.withUnsafeBytes { compareBytes(batch.key(batch.count - 1), $0) }
        return last <= 0 && first >= 0
    }

    /// What was left out because of its name.
    package static let unselected = "not selected (-include, -exclude)"

    private func reason(for key: UnsafeRawBufferPointer) -> String? {
        if key.elementsEqual(StorageKey.activeNodeLock.bytes) { return "lock of the active node (core/lock)" }
        return scope.contains(key) ? nil : "before -start"
    }
}
