import Digest
import Storage
import Synchronization
import Workers

/// The entries of a source as a keyed manifest has them: by the codes of their keys, in the order of those. They pass
/// through a journal, so that memory is bounded whatever their number.
// Unchecked: `worker` and `lines` are touched by the one thread that calls `next`, `finish` and `stop`.
package final class KeyedEntries: DigestSource, @unchecked Sendable {
    private static let queuedPages = 4

    /// What the thread works with.
    // Unchecked: once it runs, only that thread asks the source for pages.
    private final class Work: @unchecked Sendable {
        let source: any DigestSource
        let key: ManifestKey
        let spillFolder: String?
        let isCancelled: @Sendable () -> Bool
        let queue = BoundedQueue<Result<KeyedPage, any Error>>(capacity: KeyedEntries.queuedPages)
        let isStopped = Atomic(false)

        init(
            _ source: any DigestSource, _ key: ManifestKey, _ spillFolder: String?,
            _ isCancelled: @escaping @Sendable () -> Bool
        ) {
            self.source = source
            self.key = key
            self.spillFolder = spillFolder
            self.isCancelled = isCancelled
        }

        var isEnding: Bool { isStopped.load(ordering: .relaxed) || isCancelled() }
    }

    private let work: Work
    private var worker: WorkerThread?
    private var digest: KeyspaceDigest

    /// Starts to read the source; it is this object's from now on, ``stop()`` included.
    ///
    /// - Parameter spillFolder: Folder for what is sorted; by default one below `TMPDIR` that is removed afterwards.
    package init(
        _ source: any DigestSource, key: ManifestKey, spillFolder: String? = nil,
        isCancelled: @escaping @Sendable () -> Bool
    ) throws {
        digest = try KeyspaceDigest()
        let work = Work(source, key, spillFolder, isCancelled)
        self.work = work
        do throws(ThreadFailure) {
            worker = try WorkerThread { Self.run(work) }
        } catch {
            throw StorageError(.io, "\(error)")
        }
    }

    package func next() throws -> (any DigestPage)? { try nextPage() }

    /// The next page, never an empty one; `nil` at the end.
    package func nextPage() throws -> KeyedPage? {
        guard let page = try work.queue.pop()?.get() else { return nil }
        try digest.add(page.lines)
        return page
    }

    /// The keyspace digest of the lines, once all were read.
    package func finish() throws -> String { try digest.finish() }

    package func stop() {
        work.isStopped.store(true, ordering: .relaxed)
        work.source.stop()
        work.queue.close()
        while work.queue.pop() != nil {}
        worker?.join()
        worker = nil
    }

    private static func run(_ work: Work) {
        do {
            try sort(work)
        } catch {
            work.queue.push(.failure(error))
        }
        work.queue.close()
    }

    private static func sort(_ work: Work) throws {
        let folder = work.spillFolder == nil ? try ScratchFolder() : nil
        defer { folder?.remove() }
        let journal = try EntryJournal(scratchIn: work.spillFolder ?? folder?.path ?? ".")
        defer { journal.close() }
        try journal.begin(header: [], partitions: [.whole])
        let pool = BatchPool()
        let hasher = try work.key.hasher()
        var batch = pool.take()
        while let page = try work.source.next() {
            for index in 0..<page.count {
                try append(page.key(index), page.digest(index), to: batch, hasher)
                guard batch.isFull else { continue }
                try journal.append(batch, partition: 0, pool: pool)
                batch = pool.take()
            }
            page.recycle()
            // A source that was stopped looks like one that is at its end.
            if work.isEnding { throw StorageError.cancelled }
        }
        if work.isEnding { throw StorageError.cancelled }
        try journal.append(batch, partition: 0, pool: pool)
        try journal.finish(partition: 0)
        try journal.merge(pool: pool, isCancelled: { work.isEnding }) { batch in
            guard batch.count > 0 else {
                pool.recycle(batch)
                return true
            }
            return work.queue.push(.success(KeyedPage(batch, pool)))
        }
    }

    /// Puts an entry under the code of its key, in hexadecimal; its value is the code of the value and the key itself.
    private static func append(
        _ key: UnsafeRawBufferPointer, _ digest: UnsafeRawBufferPointer, to batch: EntryBatch, _ hasher: KeyedHasher
    ) throws {
        let name = try hasher.hashedName(key)
        var failure: (any Error)?
        _ = name.withUnsafeBytes { name in
            batch.append(key: name, maximumValueCount: SHA256Digest.byteCount + key.count) { room in
                guard let start = room.baseAddress else { return nil }
                do {
                    try hasher.hashValue(digest, of: key, into: start)
                } catch {
                    failure = error
                    return nil
                }
                if let base = key.baseAddress {
                    (start + SHA256Digest.byteCount).copyMemory(from: base, byteCount: key.count)
                }
                return room.count
            }
        }
        if let failure { throw failure }
    }
}

/// A page of a keyed manifest, or of what it is held against: codes of keys with those of their values.
// Unchecked: owned by one thread at a time, as the batch in it.
package final class KeyedPage: DigestPage, @unchecked Sendable {
    private let entries: EntryBatch
    private let pool: BatchPool
    /// The entries' lines in a keyed manifest.
    package let lines: [UInt8]

    init(_ entries: EntryBatch, _ pool: BatchPool) {
        self.entries = entries
        self.pool = pool
        var lines = ManifestLines(capacity: entries.count * 131)
        for index in 0..<entries.count { lines.append(entries.key(index), digest: Self.code(entries, index)) }
        self.lines = lines.bytes
    }

    package var count: Int { entries.count }

    package func key(_ index: Int) -> UnsafeRawBufferPointer { entries.key(index) }

    package func digest(_ index: Int) -> UnsafeRawBufferPointer { Self.code(entries, index) }

    /// The key of the entry itself.
    package func name(_ index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: entries.value(index).dropFirst(SHA256Digest.byteCount))
    }

    package func recycle() { pool.recycle(entries) }

    private static func code(_ entries: EntryBatch, _ index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: entries.value(index).prefix(SHA256Digest.byteCount))
    }
}
