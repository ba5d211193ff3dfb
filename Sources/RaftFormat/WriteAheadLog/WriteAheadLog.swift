import Bolt
import Glibc
import Synchronization
import Wording

/// The log of newer Vaults, `raft/wal` (hashicorp/raft-wal): a list of segments in `wal-meta.db` and a file for each.
///
/// Read-only, under the shared lock of `wal-meta.db`; segments that are not asked for are not opened, but for the last.
/// However many there are, only a few files are open at a time.
package final class WriteAheadLog: StoredLog {
    /// A segment of the list, and how far it counts.
    private struct Part: Sendable {
        let info: SegmentInfo
        /// First index that counts.
        let first: UInt64
        /// Last index that counts; `nil` if none does.
        let last: UInt64?
    }

    /// A segment that has been looked through.
    private struct Opened: Sendable {
        let file: SegmentFile
        let scan: SegmentScan
    }

    /// The segments that were looked through, and the files that are kept open, the one that was used last at the end.
    private struct Shelf: Sendable {
        /// A list can name thousands of segments, and a process may open a thousand files.
        static let mostFiles = 8

        private var scans: [UInt64: (scan: SegmentScan, stamp: SegmentFile.Stamp)] = [:]
        private var files: [SegmentFile] = []

        mutating func put(_ opened: Opened) {
            let file = opened.file
            scans[file.info.baseIndex] = (opened.scan, file.stamp)
            files.removeAll { $0.info.baseIndex == file.info.baseIndex }
            files.append(file)
            if files.count > Self.mostFiles { files.removeFirst() }
        }

        func scan(_ base: UInt64) -> (scan: SegmentScan, stamp: SegmentFile.Stamp)? { scans[base] }

        /// The file, if it is still open.
        mutating func file(_ base: UInt64) -> SegmentFile? {
            guard let place = files.lastIndex(where: { $0.info.baseIndex == base }) else { return nil }
            let file = files.remove(at: place)
            files.append(file)
            return file
        }
    }

    private static let metaBucket = Array("wal-meta".utf8)
    private static let stableBucket = Array("stable".utf8)
    private static let listKey = Array("m".utf8)

    package let name = "raft/wal"
    package let firstIndex: UInt64
    /// Index of the last entry that counts; 0 for an empty log.
    package let lastIndex: UInt64
    package let notes: [String]
    private let folder: String
    private let meta: BoltReader
    private let parts: [Part]
    private let shelf: Mutex<Shelf>

    /// Opens the log in a folder `wal`.
    ///
    /// - Returns: `nil` if the folder holds neither list nor segment.
    /// - Throws: `BoltError` if the list's file is none or locked; ``RaftFormatError`` for a list that none can be, and
    ///   for a last segment that contradicts it.
    package init?(folder: String) throws {
        self.folder = folder
        let names = try Self.segmentNames(in: folder)
        guard access("\(folder)/wal-meta.db", F_OK) == 0 else {
            guard names.isEmpty else {
                throw RaftFormatError("\(folder) has no wal-meta.db: the list of segments is lost")
            }
            return nil
        }
        let meta = try BoltReader(path: "\(folder)/wal-meta.db")
        do {
            let segments = try Self.segments(of: meta, folder)
            var notes = meta.notes
            let listed = Set(segments.map { Array($0.name.utf8) })
            for name in names where !listed.contains(name) {
                let shown = String(decoding: name, as: UTF8.self)
                guard SegmentInfo.isName(name) else {
                    throw RaftFormatError(
                        "\(folder) holds a file that ends in .wal and has no segment's name: no server opens such "
                            + "a folder. Move it away")
                }
                notes.append("\(folder)/\(shown) is not in wal-meta.db: it is left out, as servers do.")
            }
            var parts: [Part] = []
            var shelf = Shelf()
            for info in segments {
                if info.isSealed {
                    parts.append(Part(info: info, first: info.minIndex, last: info.maxIndex))
                } else {
                    parts.append(try Self.tail(info, folder, &shelf, &notes))
                }
            }
            let filled = parts.filter { $0.last != nil }
            firstIndex = filled.first?.first ?? 0
            lastIndex = filled.last?.last ?? 0
            notes += try Self.termNotes(of: meta, folder)
            self.notes = notes
            self.parts = filled
            self.shelf = Mutex(shelf)
            self.meta = meta
        } catch {
            meta.close()
            throw error
        }
    }

    package func close() {
        meta.close()
        shelf.withLock { $0 = Shelf() }
    }

    /// The highest term the node has seen; 0 if it never had one.
    ///
    /// - Throws: If the record is of another length than a number's.
    package func currentTerm() throws -> UInt64 { try number(RaftLogFile.currentTerm) }

    /// The term of the last vote; 0 if there was none.
    package func lastVoteTerm() throws -> UInt64 { try number(RaftLogFile.lastVoteTerm) }

    /// Whether the node was removed from its cluster.
    package func isRemoved() throws -> Bool { try number(RaftLogFile.removed) == 1 }

    /// The address of whom the node voted for; empty if it never did.
    package func lastVoteCandidate() throws -> [UInt8] { try Self.stable(RaftLogFile.lastVoteCandidate, of: meta) }

    private func number(_ name: [UInt8]) throws -> UInt64 {
        try Self.number(Self.stable(name, of: meta), name, folder)
    }

    package func visit(from index: UInt64, _ body: (Result<StoredEntry, DamagedEntry>) throws -> Bool) throws {
        for part in parts {
            guard let last = part.last, last >= index else { continue }
            let opened = try open(part, from: max(index, part.first))
            for place in max(index, part.first)...last {
                let goesOn = try opened.file.withEntry(place, at: try offset(of: place, part, opened), body)
                guard goesOn else { return }
            }
        }
    }

    package func withEntry<Answer>(_ index: UInt64, _ body: (StoredEntry) throws -> Answer) throws -> Answer {
        guard let part = parts.first(where: { index >= $0.first && index <= $0.last ?? 0 }) else {
            throw RaftFormatError("\(folder) has no entry \(index)")
        }
        let opened = try open(part, from: index)
        return try opened.file.withEntry(index, at: try offset(of: index, part, opened)) { entry in
            switch entry {
            case .success(let entry): return try body(entry)
            case .failure(let damage): throw RaftFormatError(damage.reason)
            }
        }
    }
}

extension WriteAheadLog {
    /// The names of the files that end in `.wal`.
    private static func segmentNames(in folder: String) throws(RaftFormatError) -> [[UInt8]] {
        guard let directory = opendir(folder) else {
            throw RaftFormatError("\(folder) cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { closedir(directory) }
        var names: [[UInt8]] = []
        while true {
            // The end and a failure look the same but for this number.
            errno = 0
            guard let entry = readdir(directory) else {
                guard errno == 0 else {
                    throw RaftFormatError("\(folder) cannot be read: \(String(cString: strerror(errno)))")
                }
                break
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name.count >= 4, name.suffix(4).elementsEqual(".wal".utf8) { names.append(name) }
        }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }

    private static func segments(of meta: BoltReader, _ folder: String) throws -> [SegmentInfo] {
        guard let bucket = try meta.bucket(metaBucket) else { return [] }
        let found = try listKey.withUnsafeBytes { key in
            try bucket.withValue(forKey: key) { text in
                do throws(RaftFormatError) {
                    return try SegmentList.read(text)
                } catch {
                    throw RaftFormatError("\(folder): \(error)")
                }
            }
        }
        return found ?? []
    }

    private static func stable(_ name: [UInt8], of meta: BoltReader) throws -> [UInt8] {
        guard let bucket = try meta.bucket(stableBucket) else { return [] }
        return try name.withUnsafeBytes { key in try bucket.withValue(forKey: key) { Array($0) } } ?? []
    }

    private static func number(_ bytes: [UInt8], _ name: [UInt8], _ folder: String) throws(RaftFormatError) -> UInt64 {
        guard bytes.isEmpty || bytes.count == 8 else {
            throw RaftFormatError(
                "\(folder)/wal-meta.db: \(String(decoding: name, as: UTF8.self)) is damaged: it has \(bytes.count) "
                    + "bytes"
            )
        }
        return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// What is odd about term and vote; the entries can be read all the same.
    private static func termNotes(of meta: BoltReader, _ folder: String) throws -> [String] {
        var notes: [String] = []
        for name in [RaftLogFile.currentTerm, RaftLogFile.lastVoteTerm] {
            let bytes = try stable(name, of: meta)
            do throws(RaftFormatError) {
                _ = try number(bytes, name, folder)
            } catch {
                notes.append("\(error). Raft does not start on this directory; the entries can be read.")
            }
        }
        return notes
    }

    /// How far the one segment counts that is still written to.
    private static func tail(
        _ info: SegmentInfo, _ folder: String, _ shelf: inout Shelf, _ notes: inout [String]
    ) throws(RaftFormatError) -> Part {
        guard let file = try SegmentFile(info, in: folder) else {
            notes.append("\(folder)/\(info.name) is not there: it counts as empty, as after a crash while it was made.")
            return Part(info: info, first: info.minIndex, last: nil)
        }
        let scan: SegmentScan
        do throws(RaftFormatError) {
            scan = try SegmentScan(file, from: position(of: info.minIndex, in: info))
        } catch {
            // The first batch's checksum covers the header.
            try file.checkHeader()
            throw error
        }
        guard scan.entries > 0 else {
            if scan.isTorn { notes.append("\(file.path): its only write was torn: it counts as empty.") }
            return Part(info: info, first: info.minIndex, last: nil)
        }
        try file.checkHeader()
        if let place = scan.wrongAt {
            notes.append("\(file.path): the write that ends at byte \(place) was torn: it was never acknowledged.")
        }
        if scan.hasArray {
            notes.append(
                "\(file.path) is full and wal-meta.db does not say so yet: no server writes to this log any more.")
        }
        shelf.put(Opened(file: file, scan: scan))
        let last = info.baseIndex + UInt64(scan.entries) - 1
        guard last >= info.minIndex else {
            notes.append("\(file.path) ends before its first index \(info.minIndex): it counts as empty.")
            return Part(info: info, first: info.minIndex, last: nil)
        }
        return Part(info: info, first: info.minIndex, last: last)
    }

    private static func position(of index: UInt64, in info: SegmentInfo) -> Int {
        Int(clamping: index - min(info.baseIndex, index))
    }

    /// Looks through a segment, once; again if entries in front of those that were wanted before are wanted now.
    private func open(_ part: Part, from index: UInt64) throws(RaftFormatError) -> Opened {
        let base = part.info.baseIndex
        let position = Self.position(of: index, in: part.info)
        let known = shelf.withLock { shelf in
            shelf.scan(base).map { (scan: $0.scan, stamp: $0.stamp, file: shelf.file(base)) }
        }
        let isEnough = (known?.scan.firstPosition ?? .max) <= position
        if isEnough, let known, let file = known.file { return Opened(file: file, scan: known.scan) }
        guard let file = try SegmentFile(part.info, in: folder) else {
            throw RaftFormatError("\(folder)/\(part.info.name) is missing")
        }
        if let known {
            guard file.stamp == known.stamp else {
                throw file.damaged(
                    "it has changed since it was looked through. Use a copy of the directory that nobody writes to")
            }
            if isEnough {
                let found = Opened(file: file, scan: known.scan)
                shelf.withLock { $0.put(found) }
                return found
            }
        }
        try file.checkHeader()
        let scan = try SegmentScan(file, from: position)
        let wanted = Self.position(of: part.last ?? part.first, in: part.info) + 1
        guard scan.entries >= wanted else {
            let reason = scan.wrongAt.map { "the batch that ends at byte \($0) has a wrong checksum: it is damaged" }
            let entries = "\(scan.entries) \(plural(scan.entries, "entry is", "entries are")) in it"
            throw file.damaged(
                reason ?? "\(entries), \(wanted) \(plural(wanted, "is", "are")) expected: the file is cut or damaged")
        }
        if part.info.isSealed, part.info.indexStart != 0 { try checkArray(of: file, scan, wanted) }
        let found = Opened(file: file, scan: scan)
        shelf.withLock { $0.put(found) }
        return found
    }

    private func offset(of index: UInt64, _ part: Part, _ opened: Opened) throws(RaftFormatError) -> Int {
        let place = Self.position(of: index, in: part.info) - opened.scan.firstPosition
        guard opened.scan.offsets.indices.contains(place) else {
            throw opened.file.damaged("entry \(index) is not in it")
        }
        return Int(opened.scan.offsets[place])
    }

    /// Holds the array of offsets that closes a segment against its frames.
    private func checkArray(of file: SegmentFile, _ scan: SegmentScan, _ wanted: Int) throws(RaftFormatError) {
        func refuse() -> RaftFormatError {
            file.damaged("the index array is damaged, or wal-meta.db names another place")
        }
        guard let start = Int(exactly: file.info.indexStart), start >= 40, start <= file.size else { throw refuse() }
        let head = try file.bytes(at: start - 8, 8)
        guard head.count == 8, head[0] == FrameKind.array.rawValue else { throw refuse() }
        let count = Int(littleEndian32(head, 4))
        guard count % 4 == 0, count / 4 >= wanted, count <= file.size - start else { throw refuse() }
        let array = try file.bytes(at: start + 4 * scan.firstPosition, 4 * (wanted - scan.firstPosition))
        guard array.count == 4 * (wanted - scan.firstPosition) else { throw refuse() }
        for place in 0..<(wanted - scan.firstPosition)
        where littleEndian32(array, 4 * place) != scan.offsets[place] { throw refuse() }
    }
}
