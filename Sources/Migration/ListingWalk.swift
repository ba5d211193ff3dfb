package import Storage

/// Follows a store's directory markers through its entries in key order, and tells which entries the store's own listing
/// cannot see: those with a name that begins with `_` on their way, and those below a directory without a marker.
///
/// In key order a directory's marker, its path with the final `/`, comes before everything in the directory, so the
/// markers above an entry are all that need be remembered.
package struct ListingWalk {
    /// What becomes of an entry that listing cannot see.
    package enum Treatment: Sendable, Equatable {
        case keep
        /// `-listed-only`.
        case leaveOut
    }

    private static let slash = UInt8(ascii: "/")
    private static let underscore = UInt8(ascii: "_")

    private let treatment: Treatment
    private let start: StorageKey?
    /// Listed directories that lead to the last key, each within the one before, with their final slashes.
    private var listed: [[UInt8]] = []
    /// Entries that listing cannot see.
    package private(set) var unseen = 0

    /// - Parameter start: Entries before this key are none of the caller's concern and are not told.
    package init(_ treatment: Treatment, start: StorageKey? = nil) {
        self.treatment = treatment
        self.start = start
    }

    /// Takes the markers out of the next batch, and with ``Treatment/leaveOut`` the entries that listing cannot see.
    ///
    /// - Parameter tell: Told of each entry that listing cannot see.
    package mutating func apply(to batch: EntryBatch, tell: (ScanNote.Reason, UnsafeRawBufferPointer) -> Void) {
        var isDropped = [Bool](repeating: false, count: batch.count)
        for index in 0..<batch.count {
            let key = batch.key(index)
            while let last = listed.last, !key.starts(with: last) { listed.removeLast() }
            if key.last == Self.slash {
                isDropped[index] = true
                if isReached(UnsafeRawBufferPointer(rebasing: key.dropLast())) { listed.append(Array(key)) }
                continue
            }
            guard !isReached(key), isConcerned(key) else { continue }
            unseen += 1
            isDropped[index] = treatment == .leaveOut
            tell(Self.hasHiddenName(key) ? .hiddenName : .missingMarker, key)
        }
        batch.removeEntries { isDropped[$0] }
    }

    /// Whether listing the directory just above shows the name, and listing leads to that directory.
    private func isReached(_ path: UnsafeRawBufferPointer) -> Bool {
        let directory = path.lastIndex(of: Self.slash).map { $0 + 1 } ?? 0
        guard directory < path.count, path[directory] != Self.underscore else { return false }
        return directory == listed.last?.count ?? 0
    }

    private func isConcerned(_ key: UnsafeRawBufferPointer) -> Bool {
        guard let start else { return true }
        return start.bytes.withUnsafeBytes { compareBytes(key, $0) } >= 0
    }

    private static func hasHiddenName(_ key: UnsafeRawBufferPointer) -> Bool {
        var isFirst = true
        for byte in key {
            if isFirst, byte == underscore { return true }
            isFirst = byte == slash
        }
        return false
    }
}
