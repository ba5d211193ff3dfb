import Bolt

/// The data as it is once a log's tail, if any, is applied.
struct OverlaidData: Sendable {
    let bucket: BoltBucket
    let tail: AppliedTail?

    /// Runs `body` on the value of an entry, borrowed for the call; `nil` if there is no such entry.
    func withValue<Answer>(
        forKey key: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws -> Answer
    ) throws -> Answer? {
        guard let tail, let change = tail.find(key) else { return try bucket.withValue(forKey: key, body) }
        guard change.place != .deleted else { return nil }
        return try tail.withValue(of: change, body)
    }

    /// Visits the entries with lower <= key < upper in ascending order; `false` of `body` stops.
    ///
    /// - Parameter readsValues: Whether values are wanted; else those of the tail are empty.
    func visit(
        from lower: [UInt8]?, to upper: [UInt8]?, readsValues: Bool,
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> Bool
    ) throws {
        guard let tail else { return try bucket.visit(from: lower, to: upper, body) }
        var overlay = Overlay(tail, from: lower, to: upper, readsValues: readsValues)
        var goesOn = true
        try bucket.visit(from: lower, to: upper) { key, value in
            goesOn = try overlay.pass(key, value, body)
            return goesOn
        }
        if goesOn { _ = try overlay.finish(body) }
    }

    /// The tail's changes in a range of keys, to be walked beside the entries of the data.
    struct Overlay {
        typealias Body = (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> Bool

        private let tail: AppliedTail
        private let readsValues: Bool
        private var merge: TailMerge

        init(_ tail: AppliedTail, from lower: [UInt8]?, to upper: [UInt8]?, readsValues: Bool) {
            self.tail = tail
            self.readsValues = readsValues
            merge = TailMerge(tail.changes(from: lower, to: upper))
        }

        /// Gives what comes in front of an entry of the data, and then it or what replaces it; `false` if no more is
        /// wanted.
        mutating func pass(
            _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ body: Body
        ) throws -> Bool {
            let (tail, readsValues) = (tail, readsValues)
            switch try merge.pass(key, { try Self.give($0, tail, readsValues, body) }) {
            case .own: return try body(key, value)
            case .hidden: return true
            case .stopped: return false
            }
        }

        /// Gives what is left; `false` if no more is wanted.
        mutating func finish(_ body: Body) throws -> Bool {
            let (tail, readsValues) = (tail, readsValues)
            return try merge.finish { try Self.give($0, tail, readsValues, body) }
        }

        private static func give(
            _ change: ChangedKey, _ tail: AppliedTail, _ readsValues: Bool, _ body: Body
        ) throws -> Bool {
            try change.key.withUnsafeBytes { key in
                guard readsValues else { return try body(key, UnsafeRawBufferPointer(start: nil, count: 0)) }
                return try tail.withValue(of: change) { try body(key, $0) }
            }
        }
    }
}
