import Files
import Glibc
package import Storage
import Workers

/// Puts the entries of many partitions aside in bounded memory and gives them back in key order.
///
/// In its durable form it also keeps the place of each partition, in the same transaction as the entries before that
/// place: a run that was killed goes on where it stopped, no entry is there twice and none is missing. Stamps are kept
/// as they come, so a comparison against them later also proves that the journal changed nothing.
///
/// Any number of threads may call ``append(_:partition:pool:notes:)``, one for each partition; one thread calls
/// everything else. Two transactions never run at once.
// Unchecked: `writer` is touched by the thread that opens and closes only; all else is in the monitor.
package final class EntryJournal: @unchecked Sendable {
    /// Bytes of batches that wait to be written or are being written.
    private static let maximumWaiting = 16 << 20
    /// Bytes of batches in one transaction, unless one batch is larger.
    private static let maximumGroup = 8 << 20

    private enum Home {
        case scratch(folder: String)
        case durable(path: String)
    }

    private struct State {
        var file: JournalFile?
        var header: [UInt8]?
        var summary = JournalSummary(partitions: 0)
        var partitions: [StoragePartition] = []
        var progress: [Int: Progress] = [:]
        var notes: [String: [UInt8]] = [:]
        var waiting: [JournalStep] = []
        var waitingBytes = 0
        var isWriting = false
        var isEnding = false
        var error: StorageError?
        /// The form of the entries, set by the first batch taken.
        var kind: BatchKind?
    }

    private struct BatchKind: Equatable {
        let stampBytes: Int
        let keepsValues: Bool
    }

    /// Conditions of the monitor.
    private enum Waiting {
        static let forWork = 0
        static let forRoom = 1
        static let forIdleness = 2
    }

    private let home: Home
    private let monitor = Monitor(State(), conditions: 3)
    private var writer: WorkerThread?

    /// A journal for this process only: nothing waits for the disk, and it is gone when closed. New; see
    /// ``begin(header:partitions:)``.
    package init(scratchIn folder: String) throws(StorageError) {
        guard access(folder, W_OK) == 0 else { throw StorageError.system("use", folder, errno: errno).ofOwnFiles }
        home = .scratch(folder: folder)
    }

    /// A journal in the file `path`, which is opened if it is there.
    ///
    /// - Throws: `.damagedStore` if the file is no whole journal (it can be removed then), `.inUse` if it is open
    ///   already.
    package init(durableAt path: String) throws(StorageError) {
        home = .durable(path: path)
        unlink(JournalFile.temporaryPath(path))
        guard let (file, contents) = try Self.own({ () throws(StorageError) in try JournalFile.existing(at: path) })
        else { return }
        monitor.change { state in
            state.file = file
            state.header = contents.header
            state.summary = contents.summary
            state.partitions = contents.partitions
            state.progress = contents.progress
            state.notes = contents.notes
            state.kind = contents.summary.stampBytes.map {
                BatchKind(stampBytes: $0, keepsValues: contents.summary.keepsValues)
            }
        }
    }

    deinit { close() }

    /// What the journal belongs to, as `begin` was told; `nil` while new.
    package var header: [UInt8]? { monitor.read { $0.header } }

    /// The partitions that `begin` was told; none while new.
    package var partitions: [StoragePartition] { monitor.read { $0.partitions } }

    /// Which generation is being written, from 0.
    package var generation: Int { monitor.read { $0.summary.generation } }

    /// Entries and tombstones written, of all partitions and generations, also those of earlier runs.
    package var entryCount: Int { monitor.read { $0.summary.entries } }

    /// Bytes of their keys and values, whether or not values are kept.
    package var byteCount: Int { monitor.read { $0.summary.entryBytes } }

    /// Where a partition stands in this generation: what is written (durably), not what was taken.
    package func progress(of partition: Int) -> Progress { monitor.read { $0.progress[partition] ?? .notStarted } }

    /// Whether all partitions were read to their ends in this generation.
    package var isFinished: Bool {
        monitor.read { state in
            state.partitions.indices.allSatisfy { index in
                if case .finished = state.progress[index] { true } else { false }
            }
        }
    }

    /// Empties the journal and starts anew; the old contents go in the moment the new journal stands.
    ///
    /// - Parameters:
    ///   - header: What the journal belongs to.
    ///   - partitions: What the store was cut into; the journal keeps the description.
    package func begin(header: [UInt8], partitions: [StoragePartition]) throws(StorageError) {
        close()
        let file = try Self.own { () throws(StorageError) in
            switch home {
            case .scratch(let folder):
                try JournalFile.scratch(in: folder, header: header, partitions: partitions)
            case .durable(let path): try JournalFile.durable(at: path, header: header, partitions: partitions)
            }
        }
        monitor.change { state in
            state = State()
            state.file = file
            state.header = header
            state.summary = JournalSummary(partitions: partitions.count)
            state.partitions = partitions
        }
    }

    /// Begins a generation: what is appended from now on is newer than all that is there, and takes its place key by
    /// key; no partition has been read in it yet.
    package func beginGeneration() throws(StorageError) {
        try drain()
        let file = try begun()
        var summary = monitor.read { $0.summary }
        guard summary.generation < JournalSummary.mostGenerations else {
            throw StorageError(.limit, "\(file.path): the journal holds too many generations. Begin it anew.")
                .ofOwnFiles
        }
        try Self.own { () throws(StorageError) in try file.beginGeneration(&summary) }
        monitor.change { state in
            state.summary = summary
            state.progress = [:]
        }
    }

    // MARK: Notes

    /// A small note beside the entries, as it was written last.
    package func note(_ name: String) -> [UInt8]? { monitor.read { $0.notes[name] } }

    /// Writes a note, at once and by itself.
    ///
    /// - Parameters:
    ///   - name: At most 500 bytes.
    ///   - value: At most 16 MiB.
    package func setNote(_ name: String, _ value: [UInt8]) throws(StorageError) {
        try Self.own { () throws(StorageError) in try begun().setNote(name, value) }
        monitor.change { $0.notes[name] = value }
    }

    // MARK: Filling

    /// Takes a batch of one partition, in any order within, and moves the partition to the batch's cursor; blocks while
    /// too much waits to be written. An empty batch only moves the partition.
    ///
    /// - Parameters:
    ///   - pool: Where the batch goes once it is written.
    ///   - notes: Written in the same transaction.
    /// - Throws: What the writer met with any earlier batch; `.unsupported` for a batch of another kind than those
    ///   before, and for entries without a cursor in a durable journal; `.io` for a batch that could not be stamped.
    package func append(
        _ batch: EntryBatch, partition: Int, pool: BatchPool, notes: [String: [UInt8]] = [:]
    ) throws(StorageError) {
        guard !batch.hasFailedStamp else { throw DigestedBatch.failedStamp }
        if case .durable = home, batch.count > 0, batch.cursor == nil {
            throw StorageError(
                .unsupported, "the source does not say where it stands, so that its entries cannot be journaled.")
        }
        batch.sortByKey()
        try take(
            JournalStep(
                partition: partition, progress: batch.cursor.map { .at($0) }, batch: batch, pool: pool, notes: notes))
    }

    /// Takes a batch of keys, whose values say nothing, that are not there any more: what older generations hold of them
    /// is gone. In one generation an entry stands against a tombstone.
    ///
    /// - Throws: See ``append(_:partition:pool:notes:)``.
    package func appendTombstones(_ batch: EntryBatch, partition: Int, pool: BatchPool) throws(StorageError) {
        guard !batch.hasFailedStamp else { throw DigestedBatch.failedStamp }
        batch.sortByKey()
        try take(
            JournalStep(
                partition: partition, progress: batch.cursor.map { .at($0) }, batch: batch, isTombstone: true,
                pool: pool))
    }

    /// Marks a partition as read to its end, behind everything that was appended to it.
    package func finish(partition: Int) throws(StorageError) {
        try take(JournalStep(partition: partition, progress: .finished))
    }

    /// Waits until everything taken is written (and durable).
    ///
    /// - Throws: What the writer met.
    package func drain() throws(StorageError) {
        let error = monitor.wait(on: Waiting.forIdleness) { state -> (StorageError?, wakes: Int?)? in
            if let error = state.error { return (error, wakes: nil) }
            return state.waiting.isEmpty && !state.isWriting ? (nil, wakes: nil) : nil
        }
        if let error { throw error }
    }

    private func begun() throws(StorageError) -> JournalFile {
        guard let file = monitor.read({ $0.file }) else {
            throw StorageError(.io, "the journal was used before it was begun, or after it was closed.")
        }
        return file
    }

    private func take(_ step: JournalStep) throws(StorageError) {
        let file = try begun()
        let kind = step.batch.flatMap { batch in
            batch.count > 0 ? BatchKind(stampBytes: batch.stampBytes, keepsValues: batch.keepsValues) : nil
        }
        let error = monitor.wait(on: Waiting.forRoom) { state -> (StorageError?, wakes: Int?)? in
            if let error = state.error { return (error, wakes: nil) }
            precondition(
                step.partition >= 0 && step.partition < state.summary.partitions, "no such partition in the journal")
            if let kind, let earlier = state.kind, kind != earlier { return (Self.otherKind(file.path), wakes: nil) }
            guard state.waitingBytes == 0 || state.waitingBytes + step.bytes <= Self.maximumWaiting else { return nil }
            state.kind = state.kind ?? kind
            state.waiting.append(step)
            state.waitingBytes += step.bytes
            do throws(ThreadFailure) {
                if writer == nil { writer = try startWriter(file) }
            } catch {
                state.error = StorageError(.io, "\(error)")
                return (state.error, wakes: nil)
            }
            return (nil, wakes: Waiting.forWork)
        }
        if let error { throw error }
    }

    private static func otherKind(_ path: String) -> StorageError {
        StorageError(.unsupported, "\(path): the journal holds entries in another form. Begin it anew.")
    }

    // MARK: Writing

    private func startWriter(_ file: JournalFile) throws(ThreadFailure) -> WorkerThread {
        let monitor = monitor
        return try WorkerThread {
            while let group = Self.nextGroup(monitor) {
                var summary = monitor.read { $0.summary }
                do throws(StorageError) {
                    try file.commit(group, &summary)
                } catch {
                    monitor.change { state in
                        state.error = error.ofOwnFiles
                        state.waiting = []
                        state.waitingBytes = 0
                        state.isWriting = false
                    }
                    return
                }
                for step in group { if let batch = step.batch { step.pool?.recycle(batch) } }
                monitor.change { state in
                    state.summary = summary
                    for step in group {
                        if let progress = step.progress { state.progress[step.partition] = progress }
                        state.notes.merge(step.notes) { $1 }
                        state.waitingBytes -= step.bytes
                    }
                    state.isWriting = false
                }
            }
        }
    }

    /// What waits, up to the size of a transaction; waits for something, `nil` at the end.
    private static func nextGroup(_ monitor: Monitor<State>) -> [JournalStep]? {
        monitor.wait(on: Waiting.forWork) { state -> ([JournalStep]?, wakes: Int?)? in
            guard !state.waiting.isEmpty else { return state.isEnding ? (nil, wakes: nil) : nil }
            var count = 0
            var bytes = 0
            for step in state.waiting {
                bytes += step.bytes
                guard count == 0 || bytes <= maximumGroup else { break }
                count += 1
            }
            let group = Array(state.waiting[..<count])
            state.waiting.removeFirst(count)
            state.isWriting = true
            return (group, wakes: nil)
        }
    }

    // MARK: Merging

    /// Gives all entries in key order, of each key the newest; may be called again. Equal keys of one generation come one
    /// behind the other.
    ///
    /// - Parameters:
    ///   - pool: Where the batches are taken from; they must be of the kind that was journaled.
    ///   - isCancelled: Asked for every batch.
    ///   - deliver: Owns the batch; `false` ends the merge without an error.
    /// - Throws: `.damagedStore` if an entry is not what was written.
    package func merge(
        pool: BatchPool, isCancelled: () -> Bool, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        try merge(pool: pool, maximumStreams: JournalMerge.maximumStreams, isCancelled: isCancelled, deliver)
    }

    /// - Parameter maximumStreams: Records merged at once.
    func merge(
        pool: BatchPool, maximumStreams: Int, isCancelled: () -> Bool,
        _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        try drain()
        let file = try begun()
        let records = try Self.own { () throws(StorageError) in try file.records(monitor.read { $0.summary }) }
        let folder =
            switch home {
            case .scratch(let folder): folder
            case .durable(let path): parentFolder(of: path)
            }
        var failedDelivery: StorageError?
        do throws(StorageError) {
            try JournalMerge(records, scratchFolder: folder, maximumStreams: maximumStreams).run(
                pool: pool, isCancelled: isCancelled
            ) { batch throws(StorageError) in
                do throws(StorageError) {
                    return try deliver(batch)
                } catch {
                    failedDelivery = error
                    throw error
                }
            }
        } catch {
            throw failedDelivery ?? error.ofOwnFiles
        }
    }

    /// Marks the errors of the journal's own files, which are no errors of the store that is read.
    private static func own<Result>(_ body: () throws(StorageError) -> Result) throws(StorageError) -> Result {
        do throws(StorageError) {
            return try body()
        } catch {
            throw error.ofOwnFiles
        }
    }

    // MARK: Ending

    /// Writes what was taken and closes the file; a journal without a name is gone then. Repeated calls do nothing.
    package func close() { end(writesRest: true) }

    /// Closes and removes the journal.
    package func remove() {
        end(writesRest: false)
        if case .durable(let path) = home { Self.remove(at: path) }
    }

    /// Removes a journal that is not open; nothing happens if there is none.
    package static func remove(at path: String) {
        unlink(path)
        unlink(JournalFile.temporaryPath(path))
    }

    private func end(writesRest: Bool) {
        monitor.change { state in
            if !writesRest { state.waiting = [] }
            state.isEnding = true
        }
        writer?.join()
        writer = nil
        monitor.change { state in
            state.file?.close()
            state.file = nil
            state.isEnding = false
        }
    }
}
