import Glibc
import Storage

/// Children of one folder in ascending key order, as many as the memory allowed at once.
///
/// An entry file `_x` stands for the child `x`, a folder `x` for `x/`; so the order of the children is the order of the
/// keys below them. A folder with more names than fit is read again for the next slice: no spill, no limit.
struct FolderSlice {
    /// Bytes of names one slice may hold. A million names of a usual length need about 40 MiB.
    static let maximumNameBytes = 24 << 20

    struct Child {
        /// The first eight bytes of the child's name as a number, so that most comparisons touch no name.
        fileprivate var rank: UInt64
        fileprivate var start: UInt32
        fileprivate var length: UInt16
        let isFolder: Bool
    }

    private(set) var children: [Child] = []
    /// Names, each as key bytes: without the entry's underscore, with the folder's slash, and a zero byte behind it.
    private var names: [UInt8] = []
    /// Whether names were left out that sort behind the last child.
    private(set) var isCutOff = false

    /// The child's part of the key.
    func withName<Result>(_ child: Child, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try names.withUnsafeBytes { names in
            try body(UnsafeRawBufferPointer(rebasing: names[Int(child.start)..<(Int(child.start) + Int(child.length))]))
        }
    }

    /// The child's part of the key, copied.
    func name(_ child: Child) -> [UInt8] {
        withName(child) { Array($0) }
    }

    /// Reads the children whose names sort behind `after`.
    ///
    /// - Parameters:
    ///   - prefix: Keys below the folder begin with it.
    ///   - note: Told of everything that is neither an entry nor a folder, and cannot stand for one.
    ///   - passesOver: Asked about what stands in the place of an entry or a folder and is none; `false` makes it an error.
    init(
        of directory: DirectoryHandle, prefix: [UInt8] = [], after: [UInt8]?, buffer: UnsafeMutableRawBufferPointer,
        maximumNameBytes: Int = FolderSlice.maximumNameBytes, note: (ScanNote) -> Void,
        passesOver: (StorageError) -> Bool = { _ in true }
    ) throws(StorageError) {
        var ceiling: [UInt8]?
        try directory.forEachName(buffer: buffer) { name, type throws(StorageError) in
            let kind = try directory.kind(of: name, type: type)
            guard let (key, isFolder) = Self.child(name, kind) else {
                // Only the first slice tells, or it would be told once per slice.
                guard after == nil else { return }
                let place = "\(directory.path)/\(escapedKey(name))"
                guard let what = Self.loss(name, kind, place) else { return note(ScanNote(.strayFile, at: place)) }
                let isEntry = name[0] == UInt8(ascii: "_")
                let error = StorageError(
                    .damagedEntry, what, key: StorageKey(prefix + Array(name.dropFirst(isEntry ? 1 : 0))))
                guard passesOver(error) else { throw error }
                return
            }
            if let after, Self.compare(key, isFolder, after) <= 0 { return }
            if let ceiling, Self.compare(key, isFolder, ceiling) > 0 {
                isCutOff = true
                return
            }
            append(key, isFolder)
            if names.count > maximumNameBytes {
                keepSmallerHalf()
                ceiling = children.last.map { self.name($0) }
            }
        }
        sort()
    }

    private static func child(_ name: UnsafeRawBufferPointer, _ kind: NameKind) -> (UnsafeRawBufferPointer, Bool)? {
        switch kind {
        case .directory: return (name, true)
        case .file where name[0] == UInt8(ascii: "_"):
            return (UnsafeRawBufferPointer(rebasing: name[1...]), false)
        case .file, .special, .danglingLink: return nil
        }
    }

    /// What may be missing for what stands at a place; `nil` if it is only a stray file. A server takes it for absent, and
    /// the store for one that never had the entry.
    private static func loss(_ name: UnsafeRawBufferPointer, _ kind: NameKind, _ place: String) -> String? {
        let isEntry = name[0] == UInt8(ascii: "_")
        return switch kind {
        case .danglingLink:
            "\(place) is a link that leads nowhere: \(isEntry ? "the entry is" : "all entries below it are") missing. Mount "
                + "or restore what it leads to, or remove the link if nothing ever was there, and run again."
        case .special where isEntry:
            "\(place) has the name of an entry and is no regular file (a pipe, socket or device): no server wrote it, and "
                + "the entry is missing. Restore the entry from a backup, or move this away, and run again."
        default: nil
        }
    }

    /// Compares a child with a stored name (which has its slash already).
    private static func compare(_ key: UnsafeRawBufferPointer, _ isFolder: Bool, _ other: [UInt8]) -> Int {
        other.withUnsafeBytes { other in
            guard isFolder else { return compareBytes(key, other) }
            let common = min(key.count, other.count)
            let order = compareBytes(
                UnsafeRawBufferPointer(rebasing: key[..<common]), UnsafeRawBufferPointer(rebasing: other[..<common]))
            if order != 0 || key.count > other.count { return order != 0 ? order : 1 }
            guard key.count < other.count else { return 1 }
            let next = Int(UInt8(ascii: "/")) - Int(other[key.count])
            return next != 0 ? next : key.count + 1 - other.count
        }
    }

    private mutating func append(_ key: UnsafeRawBufferPointer, _ isFolder: Bool) {
        let start = names.count
        names.append(contentsOf: key)
        if isFolder { names.append(UInt8(ascii: "/")) }
        let length = names.count - start
        names.append(0)
        children.append(
            Child(rank: rank(start, length), start: UInt32(start), length: UInt16(length), isFolder: isFolder))
    }

    private func rank(_ start: Int, _ length: Int) -> UInt64 {
        var rank: UInt64 = 0
        for index in 0..<8 {
            rank = rank << 8 | (index < length ? UInt64(names[start + index]) : 0)
        }
        return rank
    }

    private mutating func sort() {
        names.withUnsafeBytes { names in
            children.sort { left, right in
                if left.rank != right.rank { return left.rank < right.rank }
                let leftName = names[Int(left.start)..<(Int(left.start) + Int(left.length))]
                let rightName = names[Int(right.start)..<(Int(right.start) + Int(right.length))]
                return compareBytes(
                    UnsafeRawBufferPointer(rebasing: leftName), UnsafeRawBufferPointer(rebasing: rightName)) < 0
            }
        }
    }

    private mutating func keepSmallerHalf() {
        sort()
        isCutOff = true
        children.removeLast(children.count - max(children.count / 2, 1))
        var kept: [UInt8] = []
        kept.reserveCapacity(names.count)
        for index in children.indices {
            let child = children[index]
            let start = Int(child.start)
            children[index].start = UInt32(kept.count)
            kept.append(contentsOf: names[start...(start + Int(child.length))])
        }
        names = kept
    }
}
