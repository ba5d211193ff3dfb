import Workers

/// An answer that one thread waits for and another one gives, once.
final class Completion<Value: Sendable>: Sendable {
    private let result = Monitor<Result<Value, ClusterError>?>(nil)

    /// Gives the answer; any but the first is dropped.
    func complete(_ answer: Result<Value, ClusterError>) {
        result.change { $0 = $0 ?? answer }
    }

    /// Waits for the answer.
    ///
    /// - Throws: ``ClusterError`` `.unavailable` if it does not come in time.
    func wait(_ timeout: Duration) throws(ClusterError) -> Value {
        guard let answer = result.wait(until: .now + timeout, for: { $0 }) else {
            throw ClusterError(
                .unavailable, "The cluster has not answered in time; what was asked for may still take effect.")
        }
        return try answer.get()
    }
}

/// What the node answers to a call of another one.
final class ReplySlot: Sendable {
    enum Answer: Sendable {
        /// Nothing: the connection is closed.
        case none
        case response(Reply)
        /// The snapshot that the call announced is wanted.
        case install
    }

    /// What the core says, to be put into the form of the call.
    struct Reply: Sendable {
        let term: UInt64
        let isPositive: Bool
        let last: UInt64
    }

    private let answers = Monitor<[Answer]>([])

    func give(_ answer: Answer) {
        answers.change { $0.append(answer) }
    }

    /// The next answer; `nil` if none comes in time.
    func wait(_ timeout: Duration) -> Answer? {
        answers.wait(until: .now + timeout) { $0.isEmpty ? nil : $0.removeFirst() }
    }
}
