package import Storage
import Synchronization

/// Leaves out what is not part of the data: the migration marker, the active node's lock, keys before `-start`.
package final class EntryFilter: Sendable {
    /// First key wanted.
    package let start: StorageKey?
    private let left = Mutex<[String: Int]>([:])

    package init(start: StorageKey?) {
        self.start = start
    }

    /// Entries left out so far, by reason.
    package var leftOut: [String: Int] { left.withLock { $0 } }

    /// Drops unwanted entries from a batch.
    package func apply(to batch: EntryBatch) {
        var reasons: [String] = []
        batch.removeEntries { index in
            guard let reason = reason(for: batch.key(index)) else { return false }
            reasons.append(reason)
            return true
        }
        guard !reasons.isEmpty else { return }
        left.withLock { left in
            for reason in reasons { left[reason, default: 0] += 1 }
        }
    }

    private func reason(for key: UnsafeRawBufferPointer) -> String? {
        if key.elementsEqual(StorageKey.migrationMarker.bytes) { return "migration marker (core/migration)" }
        if key.elementsEqual(StorageKey.activeNodeLock.bytes) { return "lock of the active node (core/lock)" }
        if let start, start.bytes.withUnsafeBytes({ compareBytes(key, $0) }) < 0 { return "before -start" }
        return nil
    }
}
