import Storage

/// Walks changed keys beside the entries of the data, both in key order.
struct TailMerge {
    enum Verdict {
        /// The data's own entry counts.
        case own
        /// It was replaced or deleted.
        case hidden
        /// Whoever is given the entries wants no more.
        case stopped
    }

    private var left: ArraySlice<ChangedKey>

    init(_ changes: ArraySlice<ChangedKey>) { left = changes }

    /// Gives what comes in front of an entry of the data, and what replaces it.
    mutating func pass(
        _ key: UnsafeRawBufferPointer, _ give: (ChangedKey) throws -> Bool
    ) throws -> Verdict {
        while let change = left.first {
            let order = change.key.withUnsafeBytes { compareBytes($0, key) }
            if order > 0 { return .own }
            left = left.dropFirst()
            if change.place != .deleted, try !give(change) { return .stopped }
            if order == 0 { return .hidden }
        }
        return .own
    }

    /// Gives what is left.
    ///
    /// - Returns: `false` if no more is wanted.
    mutating func finish(_ give: (ChangedKey) throws -> Bool) throws -> Bool {
        while let change = left.popFirst() {
            if change.place != .deleted, try !give(change) { return false }
        }
        return true
    }
}
