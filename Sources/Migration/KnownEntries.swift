import CSystem
import Digest
import Glibc
import Storage
import Synchronization

/// What earlier passes have put into a journal, as a set in a file that nobody sees: a pass that reads the source once more
/// puts only what is new into the journal, and what it did not meet again is gone from the source.
///
/// An entry is known by 63 bits of the SHA-256 over its key and digest, so that two entries can be taken for one, if hardly
/// ever. So that no entry is lost by that, the sum of the whole SHA-256 of all that the pass has met must be that of all that the
/// journal gives back.
// Unchecked: the slots are changed by one thread while the set is filled, and with atomic operations from then on.
final class KnownEntries: @unchecked Sendable {
    private let slots: UnsafeMutablePointer<UInt64>
    private let byteCount: Int
    private let mask: UInt64
    private let met = Mutex(Tally())
    private let given = Mutex(Tally())

    /// How many entries there are, and the sum of their SHA-256 as 256-bit numbers.
    private struct Tally: Equatable {
        var entries = 0
        /// Bytes of their keys and values.
        var bytes = 0
        var sum = SIMD4<UInt64>()

        mutating func add(_ digest: SIMD4<UInt64>) {
            entries += 1
            var carry: UInt64 = 0
            for index in 0..<4 {
                let (first, isOver) = sum[index].addingReportingOverflow(digest[index])
                let (second, isOverAgain) = first.addingReportingOverflow(carry)
                sum[index] = second
                carry = isOver || isOverAgain ? 1 : 0
            }
        }

        mutating func add(_ other: Tally) {
            let (entries, bytes) = (entries + other.entries, bytes + other.bytes)
            add(other.sum)
            (self.entries, self.bytes) = (entries, bytes)
        }
    }

    /// Takes in what a journal holds.
    ///
    /// - Parameters:
    ///   - folder: Where the set's file is made; it is gone with the process.
    ///   - pool: Batches of the journal's kind.
    /// - Throws: What reading the journal throws; `.io` if there is no room.
    init(_ journal: EntryJournal, folder: String, pool: BatchPool, isCancelled: () -> Bool) throws(StorageError) {
        var capacity = 1024
        while capacity < journal.entryCount / 2 * 3 { capacity *= 2 }
        mask = UInt64(capacity - 1)
        byteCount = capacity * MemoryLayout<UInt64>.size
        slots = try Self.map(byteCount, in: folder)
        let hasher = try Hasher()
        try journal.merge(pool: pool, isCancelled: isCancelled) { batch throws(StorageError) in
            for index in 0..<batch.count {
                _ = cs_known_add(slots, mask, Self.identity(try hasher.digest(batch, index)))
            }
            pool.recycle(batch)
            return true
        }
    }

    deinit { munmap(slots, byteCount) }

    private static func map(_ byteCount: Int, in folder: String) throws(StorageError) -> UnsafeMutablePointer<UInt64> {
        var name = Array("\(folder)/known-XXXXXX".utf8CString)
        let descriptor = mkstemp(&name)
        guard descriptor >= 0 else {
            throw StorageError.system("create", "a file in \(folder)", errno: errno).ofOwnFiles
        }
        defer { close(descriptor) }
        unlink(name)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        // Written out now: a full disk is told of here, and not by a signal later.
        let problem = posix_fallocate(descriptor, 0, off_t(byteCount))
        guard problem == 0 else {
            throw StorageError.system("make room for the list of known entries in", folder, errno: problem).ofOwnFiles
        }
        let map = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        guard let map, map != MAP_FAILED else {
            throw StorageError.system("map", "a file in \(folder)", errno: errno).ofOwnFiles
        }
        return map.bindMemory(to: UInt64.self, capacity: byteCount / MemoryLayout<UInt64>.size)
    }

    private static func identity(_ digest: SIMD4<UInt64>) -> UInt64 { max(digest[0] & ~1, 2) }

    /// Drops from a batch that was read what the journal holds already; by any thread, with a hasher of its own.
    func sift(_ batch: EntryBatch, _ hasher: Hasher) throws(StorageError) {
        var tally = Tally()
        tally.bytes = batch.byteCount
        var failure: StorageError?
        batch.removeEntries { index in
            do throws(StorageError) {
                let digest = try hasher.digest(batch, index)
                tally.add(digest)
                return cs_known_mark(slots, mask, Self.identity(digest)) == 1
            } catch {
                failure = error
                return false
            }
        }
        if let failure { throw failure }
        met.withLock { $0.add(tally) }
    }

    /// Drops from a batch that the journal gives back what the pass has not met.
    func dropUnmet(_ batch: EntryBatch, _ hasher: Hasher) throws(StorageError) {
        var tally = Tally()
        var failure: StorageError?
        batch.removeEntries { index in
            do throws(StorageError) {
                let digest = try hasher.digest(batch, index)
                // What is not known came with this pass.
                if cs_known_state(slots, mask, Self.identity(digest)) == 1 { return true }
                tally.add(digest)
                return false
            } catch {
                failure = error
                return false
            }
        }
        if let failure { throw failure }
        tally.bytes = batch.byteCount
        given.withLock { $0.add(tally) }
    }

    /// What the pass has met so far: entries, markers of directories among them, and bytes of keys and values.
    var size: StoreSize {
        let tally = met.withLock { $0 }
        return StoreSize(entries: tally.entries, bytes: tally.bytes)
    }

    /// Begins to count what the journal gives back.
    func restart() { given.withLock { $0 = Tally() } }

    /// Sees that the journal has given back exactly what the pass has met.
    func check(_ path: String) throws(StorageError) {
        guard met.withLock({ $0 }) == given.withLock({ $0 }) else {
            throw StorageError(
                .damagedStore,
                "\(path) does not give back what was read from the source: an entry came twice, or two entries were taken "
                    + "for one. It is removed; run again, and the source is read anew.")
        }
    }

    /// Computes what entries are known by. For one thread.
    final class Hasher {
        private let hasher: SHA256Hasher

        init() throws(StorageError) {
            do throws(DigestError) { hasher = try SHA256Hasher() } catch { throw StorageError(.io, "\(error)") }
        }

        /// SHA-256 over key and digest of an entry, as four numbers.
        fileprivate func digest(_ batch: EntryBatch, _ index: Int) throws(StorageError) -> SIMD4<UInt64> {
            var digest = SIMD4<UInt64>()
            do throws(DigestError) {
                // The digest has a length of its own, so that no two entries are one row of bytes.
                try hasher.update(batch.stamp(index))
                try hasher.update(batch.key(index))
                try withUnsafeMutableBytes(of: &digest) { (bytes) throws(DigestError) in
                    if let base = bytes.baseAddress { try hasher.finish(into: base) }
                }
            } catch {
                throw StorageError(.io, "\(error)")
            }
            return digest
        }
    }
}
