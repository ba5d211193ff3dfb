import Synchronization

/// Empty batches to fill again: memory that is given back and taken afresh for every batch costs page faults.
package final class BatchPool: Sendable {
    private static let maximumKept = 32
    /// Batches that grew for a large value are not kept.
    private static let maximumCapacity = 4 * EntryBatch.targetBytes

    private let free = Mutex<[EntryBatch]>([])
    private let makeStamper: (@Sendable () -> any ValueStamper)?
    private let keepsValues: Bool

    /// - Parameters:
    ///   - keepsValues: Whether the batches hold values; else only keys, lengths and stamps.
    ///   - makeStamper: Makes the stamper of a new batch; `nil` for batches without stamps.
    package init(keepsValues: Bool = true, makeStamper: (@Sendable () -> any ValueStamper)? = nil) {
        self.keepsValues = keepsValues
        self.makeStamper = makeStamper
    }

    /// An empty batch.
    package func take() -> EntryBatch {
        free.withLock { $0.popLast() } ?? EntryBatch(stamper: makeStamper?(), keepsValues: keepsValues)
    }

    /// Frees the batches that wait to be used again.
    package func letIdleGo() {
        let idle = free.withLock { free in
            defer { free = [] }
            return free
        }
        // Freed outside the lock.
        withExtendedLifetime(idle) {}
    }

    /// Takes back a batch that one of its holders uses no more, and keeps it when it was the last.
    package func recycle(_ batch: EntryBatch) {
        guard batch.release(), batch.capacity <= Self.maximumCapacity else { return }
        batch.removeAll()
        free.withLock { free in
            if free.count < Self.maximumKept { free.append(batch) }
        }
    }
}
