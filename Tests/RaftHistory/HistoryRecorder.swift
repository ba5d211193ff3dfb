import Synchronization

/// Collects the operations of clients that run on several threads, with the times of one clock.
package final class HistoryRecorder: Sendable {
    /// What a client learnt of a write.
    package enum Outcome: Sendable {
        case done
        /// It surely had no effect, and never will.
        case notDone
        /// It may take effect at any time, or never.
        case unknown
    }

    private let clock = ContinuousClock()
    private let origin: ContinuousClock.Instant
    private let operations = Mutex<[HistoryOperation]>([])

    package init() { origin = clock.now }

    package var history: [HistoryOperation] { operations.withLock { $0 } }

    /// Runs a read and notes what it found; one that throws is not noted.
    @discardableResult
    package func get(
        _ key: [UInt8], client: Int, _ body: () throws -> [UInt8]?
    ) rethrows -> [UInt8]? {
        let invoked = clock.now - origin
        let found = try body()
        note(HistoryOperation(client: client, key: key, .get(found), invoked: invoked, returned: clock.now - origin))
        return found
    }

    /// Runs a write of a value, or a removal.
    @discardableResult
    package func put(
        _ key: [UInt8], _ value: [UInt8]?, client: Int, _ body: () -> Outcome
    ) -> Outcome {
        let invoked = clock.now - origin
        let outcome = body()
        let returned = clock.now - origin
        if outcome != .notDone {
            note(
                HistoryOperation(
                    client: client, key: key, .put(value), invoked: invoked,
                    returned: outcome == .done ? returned : nil))
        }
        return outcome
    }

    /// Runs a check-and-put.
    ///
    /// - Parameter body: Says whether it was taken; `nil` if that is not known.
    @discardableResult
    package func checkAndPut(
        _ key: [UInt8], expected: [UInt8]?, new: [UInt8]?, client: Int, _ body: () -> Bool?
    ) -> Bool? {
        let invoked = clock.now - origin
        let taken = body()
        let returned = clock.now - origin
        let kind = HistoryOperation.Kind.checkAndPut(expected: expected, new: new, taken: taken ?? false)
        note(
            HistoryOperation(
                client: client, key: key, kind, invoked: invoked, returned: taken == nil ? nil : returned))
        return taken
    }

    private func note(_ operation: HistoryOperation) { operations.withLock { $0.append(operation) } }
}
