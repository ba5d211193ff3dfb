/// A part of a store that can be scanned by itself: a range of keys, or a numbered segment of a store that divides
/// itself.
package struct StoragePartition: Hashable, Sendable {
    /// One of `count` parts that a store makes by a rule of its own.
    package struct Segment: Hashable, Sendable {
        /// From 0.
        package let index: Int
        package let count: Int
    }

    /// First key that belongs to the part, `nil` for the beginning of the store.
    package let lower: StorageKey?
    /// First key behind the part, `nil` for the end of the store.
    package let upper: StorageKey?
    /// The segment, for stores that divide themselves; `nil` for a range of keys.
    package let segment: Segment?

    package init(from lower: StorageKey?, to upper: StorageKey?) {
        self.lower = lower
        self.upper = upper
        self.segment = nil
    }

    /// One segment of a store that divides itself into `count`.
    package static func segment(_ index: Int, of count: Int) -> StoragePartition {
        StoragePartition(segment: Segment(index: index, count: count))
    }

    private init(segment: Segment) {
        lower = nil
        upper = nil
        self.segment = segment
    }

    /// The undivided store.
    package static let whole = StoragePartition(from: nil, to: nil)

    /// All segments of a store that divides itself into `count`.
    package static func segments(_ count: Int) -> [StoragePartition] {
        (0..<count).map { .segment($0, of: count) }
    }

    /// Whether a key lies in the range; a segment's range is everything.
    package func contains(_ key: UnsafeRawBufferPointer) -> Bool {
        if let lower, lower.bytes.withBytes({ compareBytes(key, $0) }) < 0 { return false }
        if let upper, upper.bytes.withBytes({ compareBytes(key, $0) }) >= 0 { return false }
        return true
    }

    /// Consecutive partitions that meet at the given ascending keys.
    package static func split(at boundaries: [StorageKey]) -> [StoragePartition] {
        let lowers: [StorageKey?] = [nil] + boundaries
        let uppers: [StorageKey?] = boundaries + [nil]
        return zip(lowers, uppers).map { StoragePartition(from: $0, to: $1) }
    }
}

/// A position within a partition, defined by the backend that gave it.
package struct ScanCursor: Hashable, Sendable {
    package let bytes: [UInt8]

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }
}

/// What a scan is to read, and how.
package struct ScanRequest: Sendable {
    /// What a batch is to hold.
    package enum Content: Sendable {
        /// Keys and values.
        case entries
        /// Keys with empty values, for surveys before a migration; a backend need not look at values at all.
        case keys
    }

    package var partition = StoragePartition.whole
    /// Go on behind this position, as a batch of an earlier scan of the same partition gave it.
    package var cursor: ScanCursor?
    package var content = Content.entries
    /// Also deliver the records by which a store finds its directories, as entries with an empty value whose key is the
    /// directory's path with its final `/`; only stores with ``SourceTraits/keepsDirectoryMarkers`` have any.
    package var includesDirectoryMarkers = false
    /// Asked, from any thread, about a key before its value is looked at; where it says no, a store may leave the entry out,
    /// and does so if that spares it work. `nil` wants all.
    package var wants: (@Sendable (UnsafeRawBufferPointer) -> Bool)?
    /// Entries to ask for at a time at most, for a look at the first few; `nil` leaves it to the store.
    package var pageEntries: Int?
    /// More threads than this give no disk or service any more, and each takes its memory; fewer where memory is limited.
    package static let mostReaders = AddressSpace.threads(most: 32)

    /// Threads that may read ahead, ``mostReaders`` at most.
    package var readers = 4 {
        didSet { readers = min(max(readers, 1), Self.mostReaders) }
    }
    /// Asked now and then; `true` ends the scan with ``StorageError/cancelled``.
    package var isCancelled: @Sendable () -> Bool = { false }
    /// Told of everything in the store that is no entry and is left out, from any thread.
    package var note: @Sendable (ScanNote) -> Void = { _ in }
    /// Asked, from any thread, about every entry that is there but cannot be read; `true` goes on without it, `false`
    /// ends the scan with the error.
    package var passesOver: @Sendable (StorageError) -> Bool = { _ in false }
    /// Whether a server is at work on the store: what is gone by the time it is looked at was removed, and what is half
    /// written is a write under way.
    package var toleratesChanges = false
    /// Where every batch is taken from, and given back to when it is done with. Decides whether batches carry stamps
    /// and values.
    package var pool = BatchPool()

    package init(content: Content = .entries, readers: Int = 4) {
        self.content = content
        self.readers = min(max(readers, 1), Self.mostReaders)
    }
}

/// Something in a store that is no ordinary entry.
package struct ScanNote: Hashable, Sendable {
    package enum Reason: String, Sendable, CaseIterable {
        /// A file whose name no entry can have.
        case strayFile = "stray file"
        /// A write that was cut off and never took effect.
        case temporaryFile = "left-over temporary file"
        /// An entry whose file has no content, as a crash can leave it: the entry is lost. The note names its key.
        case zeroLengthFile = "lost entry (a file of zero length)"
        /// A folder `lost+found` of the file system that may not be read.
        case lostAndFound = "folder of the file system that may not be read"
        /// An entry `k.temp` beside an entry `k`: what a cut-off write of `k` leaves looks the same. It is read as the
        /// entry it also is to a server.
        case possiblyTemporary = "entry that may be a left-over temporary file"
        /// A directory's marker with a value, which no server writes and none reads.
        case markerWithValue = "directory marker with a value"
        /// The store's own listing hides names that begin with `_`: the entry's, or a directory's above it.
        case hiddenName = "entry that listing hides (a name begins with _)"
        /// No record names a directory above the entry, so that listing does not lead there.
        case missingMarker = "entry that listing does not reach (a directory marker is missing)"
        /// The lock that a server keeps among the items of a table.
        case activeNodeLock = "lock of the active node"
        /// An item with a text at the place of that lock and nothing else that locks have, as very old servers left them.
        case possibleLock = "item at the place of the active node's lock, without what locks have"
        /// What else an item holds. The entry or marker itself is read as any other; no server reads the rest.
        case foreignAttributes = "item with attributes that no server writes (the attributes are not copied)"
        /// A server writes an empty value out; an item without any reads as an entry with an empty one.
        case missingValue = "item without a Value, read as an empty entry"
        /// An item where no server would look for the entry that it reads as.
        case misplaced = "item whose Path and Key are not those of the entry it reads as"
        /// The member of a snapshot that only the cluster's own seal can check.
        case sealedSums = "seal sums of the snapshot (present; not checked, which takes the seal)"
        case noSealedSums = "snapshot without seal sums (a server takes it with restore -force only)"

        /// Whether what was found is left out of the scan.
        package var isLeftOut: Bool {
            switch self {
            case .possiblyTemporary, .hiddenName, .missingMarker, .foreignAttributes, .missingValue, .misplaced,
                .noSealedSums:
                false
            default: true
            }
        }
    }

    package let reason: Reason
    /// The place, escaped for printing.
    package let place: String
    /// The entry that is lost, for ``Reason/zeroLengthFile``.
    package let key: StorageKey?

    package init(_ reason: Reason, at place: String, key: StorageKey? = nil) {
        self.reason = reason
        self.place = place
        self.key = key
    }
}
