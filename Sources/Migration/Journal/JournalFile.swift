import Files
import Glibc
import LMDB
import Storage
import Synchronization

/// The LMDB file of a journal.
///
/// | Key | Value |
/// | --- | --- |
/// | 1 | ``JournalSummary`` |
/// | 2 | the header that ``EntryJournal/begin(header:partitions:)`` was given |
/// | 3 | the partitions, see ``PartitionList`` |
/// | 4, name | a note |
/// | 5, partition u32 | 1 and the cursor, or 2 for a partition that was read to its end |
/// | 6, number u64 | ``JournalRecord``, numbered from 0; the last keys, which are quickest to add to |
///
/// Numbers in keys are big-endian. All values but records end in a check of 8 bytes, seeded with the one of their key.
/// Records are appended and never changed; one transaction holds some of them, the cursors behind them, and the summary.
final class JournalFile: Sendable {
    /// Address space reserved for a file, 16 TiB; where a limit forbids that, as much as is allowed, 1 GiB at least.
    private static let maximumBytes = 1 << 44
    private static let minimumBytes = 1 << 30

    private let environment: LMDBEnvironment
    let path: String
    let isDurable: Bool

    private init(_ environment: LMDBEnvironment, path: String, isDurable: Bool) {
        self.environment = environment
        self.path = path
        self.isDurable = isDurable
    }

    func close() { environment.close() }

    // MARK: Making and opening

    private static let number = Mutex(0)

    /// Makes an empty journal without a name, which is gone when it is closed or its process ends.
    static func scratch(
        in folder: String, header: [UInt8], partitions: [StoragePartition]
    ) throws(StorageError) -> JournalFile {
        let number = number.withLock { number in
            number += 1
            return number
        }
        let path = "\(folder)/scratch-\(getpid())-\(number).lmdb"
        unlink(path)
        defer { unlink(path) }
        let file = JournalFile(try open(path, named: path, isDurable: false), path: path, isDurable: false)
        try file.begin(header, partitions)
        return file
    }

    /// Puts an empty journal in the place of whatever is there, at once.
    static func durable(
        at path: String, header: [UInt8], partitions: [StoragePartition]
    ) throws(StorageError) -> JournalFile {
        let temporary = temporaryPath(path)
        unlink(temporary)
        let file = JournalFile(try open(temporary, named: path, isDurable: true), path: path, isDurable: true)
        do throws(StorageError) {
            try file.begin(header, partitions)
            guard rename(temporary, path) == 0 else { throw StorageError.system("rename to", path, errno: errno) }
            try syncFolder(at: parentFolder(of: path))
        } catch {
            file.close()
            unlink(temporary)
            throw error
        }
        return file
    }

    /// Where a journal is made before it gets its name.
    static func temporaryPath(_ path: String) -> String { "\(path).new" }

    private static func open(
        _ path: String, named name: String, isDurable: Bool
    ) throws(StorageError) -> LMDBEnvironment {
        var bytes = maximumBytes
        while true {
            do throws(LMDBError) {
                return try LMDBEnvironment(path: path, maximumBytes: bytes, isDurable: isDurable)
            } catch {
                bytes /= 4
                guard error.code == ENOMEM, bytes >= minimumBytes else { throw translated(error, name) }
            }
        }
    }

    private func begin(_ header: [UInt8], _ partitions: [StoragePartition]) throws(StorageError) {
        let summary = JournalSummary(partitions: partitions.count)
        let list = PartitionList.encoded(partitions)
        try write { transaction throws(LMDBError) in
            try transaction.put(Self.headerKey, Self.sealed(header, Self.headerKey))
            try transaction.put(Self.partitionsKey, Self.sealed(list, Self.partitionsKey))
            try transaction.put(Self.summaryKey, Self.sealed(summary.encoded, Self.summaryKey))
        }
    }

    /// Begins a new generation: no partition has been read in it.
    func beginGeneration(_ summary: inout JournalSummary) throws(StorageError) {
        var after = summary
        after.beginGeneration()
        try write { transaction throws(LMDBError) in
            for partition in 0..<after.partitions { _ = try transaction.delete(Self.partitionKey(partition)) }
            try transaction.put(Self.summaryKey, Self.sealed(after.encoded, Self.summaryKey))
        }
        summary = after
    }

    /// Opens a journal that is there and reads what it says about itself; `nil` if there is none.
    ///
    /// - Throws: `.damagedStore` if the file is no journal or contradicts itself, `.inUse` if it is open already.
    static func existing(at path: String) throws(StorageError) -> (JournalFile, JournalContents)? {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw StorageError.system("open", path, errno: errno)
        }
        let contents: JournalContents
        do {
            defer { Glibc.close(descriptor) }
            guard try takesLock(descriptor, path) else { throw inUse(path) }
            // Given back before the library's own file is locked, which lasts.
            defer { flock(descriptor, LOCK_UN) }
            contents = try JournalContents(descriptor: descriptor, path: path)
        }
        return (JournalFile(try open(path, named: path, isDurable: true), path: path, isDurable: true), contents)
    }

    // MARK: Writing

    /// Writes steps and the summary that is true behind them, all or nothing.
    func commit(_ steps: [JournalStep], _ summary: inout JournalSummary) throws(StorageError) {
        var sizes: [Int] = []
        for step in steps { sizes.append(try step.batch.map(JournalRecord.byteCount) ?? 0) }
        var after = summary
        try write(needing: sizes.reduce(0, +)) { transaction throws(LMDBError) in
            var progress: [Int: EntryJournal.Progress] = [:]
            for (step, size) in zip(steps, sizes) {
                if let reached = step.progress { progress[step.partition] = reached }
                for (name, value) in step.notes { try Self.putNote(name, value, transaction) }
                guard let batch = step.batch, batch.count > 0 else { continue }
                let number = after.records
                let age = JournalRecord.Age(generation: after.generation, isTombstone: step.isTombstone)
                try transaction.append(Self.recordKey(number), count: size) { room in
                    JournalRecord.write(batch, age, number: number, into: room)
                }
                after.add(batch)
            }
            for (partition, reached) in progress {
                let key = Self.partitionKey(partition)
                try transaction.put(key, Self.sealed(reached.encoded, key))
            }
            try transaction.put(Self.summaryKey, Self.sealed(after.encoded, Self.summaryKey))
        }
        summary = after
    }

    func setNote(_ name: String, _ value: [UInt8]) throws(StorageError) {
        try write { transaction throws(LMDBError) in try Self.putNote(name, value, transaction) }
    }

    private static func putNote(_ name: String, _ value: [UInt8], _ transaction: LMDBTransaction) throws(LMDBError) {
        let key = [4] + Array(name.utf8)
        try transaction.put(key, sealed(value, key))
    }

    private func write(
        needing bytes: Int = 0, _ body: (LMDBTransaction) throws(LMDBError) -> Void
    ) throws(StorageError) {
        do throws(LMDBError) {
            try environment.write(body)
        } catch {
            // The library tells a write that the system cut short for lack of room as an I/O error.
            let isFull = error.isFull || (error.code == EIO && hasRoom(for: bytes) == false)
            throw isFull ? noSpace(error) : Self.translated(error, path)
        }
    }

    /// Whether the device still has room for a group of this size and the pages around it; `nil` if nobody knows.
    private func hasRoom(for bytes: Int) -> Bool? {
        var info = statvfs()
        guard fstatvfs(environment.descriptor, &info) == 0 else { return nil }
        var limit = rlimit()
        var file = stat()
        let needed = 2 * bytes + (1 << 20)
        if getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0,
            fstat(environment.descriptor, &file) == 0, limit.rlim_cur < UInt(clamping: file.st_size + needed)
        {
            return false
        }
        return freeBytes(info) >= needed
    }

    // MARK: Reading

    /// All records, to be read while nothing is written.
    func records(_ summary: JournalSummary) throws(StorageError) -> JournalRecords {
        let contents = try JournalContents(descriptor: environment.descriptor, path: path)
        guard contents.summary == summary else { throw Self.damaged(path, "it holds other entries than were written") }
        return JournalRecords(
            descriptor: environment.descriptor, path: path, stampBytes: summary.stampBytes ?? 0,
            keepsValues: summary.keepsValues, places: contents.records)
    }

    // MARK: Keys and errors

    static let summaryKey: [UInt8] = [1]
    static let headerKey: [UInt8] = [2]
    static let partitionsKey: [UInt8] = [3]

    private static func partitionKey(_ partition: Int) -> [UInt8] {
        [5] + withUnsafeBytes(of: UInt32(truncatingIfNeeded: partition).bigEndian) { Array($0) }
    }

    private static func recordKey(_ number: Int) -> [UInt8] {
        [6] + withUnsafeBytes(of: UInt64(truncatingIfNeeded: number).bigEndian) { Array($0) }
    }

    private static func sealed(_ value: [UInt8], _ key: [UInt8]) -> [UInt8] {
        value + withUnsafeBytes(of: seal(of: value[...], key).littleEndian) { Array($0) }
    }

    private static func seal(of value: ArraySlice<UInt8>, _ key: [UInt8]) -> UInt64 {
        let seed = key.withUnsafeBytes { DamageCheck.of($0, seed: 0) }
        return value.withUnsafeBytes { DamageCheck.of($0, seed: seed) }
    }

    /// A small value without its check; `nil` if it is damaged.
    static func unsealed(_ value: [UInt8], _ key: [UInt8]) -> [UInt8]? {
        guard value.count >= 8 else { return nil }
        let check = value.suffix(8).withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
        return check == seal(of: value.dropLast(8), key) ? Array(value.dropLast(8)) : nil
    }

    static func damaged(_ path: String, _ what: String) -> StorageError {
        StorageError(
            .damagedStore,
            "\(path) is not a whole journal: \(what). Remove it and run again; the source is then read from its "
                + "beginning.")
    }

    private static func inUse(_ path: String) -> StorageError {
        StorageError(.inUse, "\(path) is open in another run. Wait for it to end.")
    }

    static func translated(_ error: LMDBError, _ path: String) -> StorageError {
        if error.isDamage { return damaged(path, error.reason) }
        if error.isInUse { return inUse(path) }
        if error.isSystem { return StorageError.system("use", path, errno: error.code) }
        return StorageError(.io, "\(path): \(error.reason)")
    }

    private func noSpace(_ error: LMDBError) -> StorageError {
        StorageError(
            .noSpace,
            "\(path): no room is left (\(error.reason)). The journal needs about as much room as the source has bytes: "
                + "make room, or name a folder on another file system with -state-dir, and run again."
                + (isDurable ? " What was read so far is kept." : ""))
    }
}
