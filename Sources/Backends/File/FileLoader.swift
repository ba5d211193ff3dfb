import Storage
import Workers

/// Fills a `file` store from several threads; one sync of the file system at the end.
final class FileLoader: BulkLoader {
    private static let writers = 4

    private struct State {
        var failure: StorageError?
        var threads: [WorkerThread] = []
        var dropping: CacheDropping?
    }

    private let store: FileBackend
    private let path: String
    private let plan: LoadPlan
    private let queue = BoundedQueue<EntryBatch>(capacity: FileLoader.writers)
    private let state = Monitor(State())

    init(_ store: FileBackend, path: String, plan: LoadPlan) {
        self.store = store
        self.path = path
        self.plan = plan
    }

    let needsAscendingKeys = false

    func load(_ batch: EntryBatch) throws(StorageError) {
        try checkFailure()
        try startWriters()
        guard queue.push(batch) else { throw StorageError(.io, "\(path): the load has ended already.") }
    }

    func finish() throws(StorageError) {
        stopWriters()
        try checkFailure()
    }

    func sync() throws(StorageError) {
        // With nothing loaded there is nothing to sync, and the folder may not exist.
        guard try store.openRoot() != nil else { return }
        try EntryWriter(root: path, owner: nil, rules: store.rules).sync()
    }

    func readFromDisk() { state.change { $0.dropping = CacheDropping() } }

    var readBackOrigin: ReadBackOrigin {
        let dropping = state.read { $0.dropping }
        return dropping.map { $0.hasFailed ? .cache : .disk } ?? .cache
    }

    func written() throws(StorageError) -> any StorageSource {
        guard let dropping = state.read({ $0.dropping }) else { return store }
        return try FileBackend(path: path, mustExist: false, writable: false, dropping: dropping)
    }

    func publish() throws(StorageError) {}

    func abandon() {
        stopWriters()
    }

    private func checkFailure() throws(StorageError) {
        if let failure = state.read({ $0.failure }) { throw failure }
    }

    private func startWriters() throws(StorageError) {
        let failure = state.change { state -> ThreadFailure? in
            guard state.threads.isEmpty else { return nil }
            do throws(ThreadFailure) {
                state.threads = try startThreads(Self.writers) { [self] in writeBatches() }
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw StorageError(.io, "\(path): \(failure)") }
    }

    private func stopWriters() {
        queue.close()
        let threads = state.change { state in
            defer { state.threads = [] }
            return state.threads
        }
        for thread in threads { thread.join() }
    }

    private func writeBatches() {
        var failed = false
        var writer: EntryWriter?
        while let batch = queue.pop() {
            // After a failure the queue is only emptied, so that the feeder is not left waiting.
            guard !failed else { continue }
            do throws(StorageError) {
                let current =
                    if let writer { writer } else {
                        try EntryWriter(root: path, owner: plan.owner, rules: store.rules)
                    }
                writer = current
                for index in 0..<batch.count {
                    try current.write(batch.key(index), batch.value(index), durably: false)
                }
                plan.pool.recycle(batch)
            } catch {
                failed = true
                state.change { $0.failure = $0.failure ?? error }
            }
        }
    }
}
