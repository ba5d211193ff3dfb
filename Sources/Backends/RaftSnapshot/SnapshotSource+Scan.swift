import RaftFormat
package import Storage
import Synchronization

extension SnapshotSource {
    package func scan(
        _ request: ScanRequest, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        try checkOpen()
        if request.isCancelled() { throw StorageError.cancelled }
        do {
            if let entries {
                try scan(entries, request, deliver)
            } else {
                try stream(request, deliver)
            }
        } catch {
            throw StorageError.ofSnapshot(error, location)
        }
    }

    private func scan(
        _ entries: SortedEntries, _ request: ScanRequest, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws {
        var pass = SnapshotPass(request)
        var goesOn = true
        try entries.forEach(from: pass.lower) { key, value in
            guard !pass.isBehind(key) else { return false }
            goesOn = try pass.take(key, value, deliver)
            return goesOn
        }
        if goesOn { try pass.end(deliver) }
        tell(contents, request)
    }

    /// Reads the archive to its end, also where the entries that are wanted end before: only then they are proven.
    private func stream(
        _ request: ScanRequest, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws {
        let stream = try SnapshotStream(file, isCancelled: request.isCancelled)
        defer { stream.stop() }
        var pass = SnapshotPass(request)
        var frames = SnapshotFrames()
        var order = KeyOrder()
        while let piece = stream.next() {
            switch piece {
            case .bytes(let bytes):
                let goesOn = try bytes.withUnsafeBytes { bytes in
                    try frames.take(bytes) { key, value in
                        try order.check(key)
                        return try pass.isBehind(key) || pass.take(key, value, deliver)
                    }
                }
                guard goesOn else { return }
                stream.recycle(bytes)
            case .end(let contents):
                try frames.finish()
                try pass.end(deliver)
                verified.withLock { $0 = contents }
                tell(contents, request)
                return
            case .failure(let error): throw error
            }
        }
    }

    /// Tells what the archive holds besides its entries.
    private func tell(_ contents: SnapshotParser.Contents?, _ request: ScanRequest) {
        guard let contents else { return }
        request.note(
            ScanNote(contents.sealedSums ?? 0 > 0 ? .sealedSums : .noSealedSums, at: "SHA256SUMS.sealed"))
    }
}

/// Puts the entries of one scan into batches.
private struct SnapshotPass {
    private let request: ScanRequest
    private var batch: EntryBatch
    private let withValues: Bool
    /// The first key that may be wanted.
    let lower: StorageKey?
    private let upper: [UInt8]?

    init(_ request: ScanRequest) {
        self.request = request
        batch = request.pool.take()
        withValues = request.content == .entries
        // The key that follows another one immediately is that key and a zero byte.
        lower = [request.partition.lower, request.cursor.map { StorageKey($0.bytes + [0]) }].compactMap { $0 }.max()
        upper = request.partition.upper?.bytes
    }

    func isBehind(_ key: UnsafeRawBufferPointer) -> Bool {
        upper.map { $0.withBytes { compareBytes(key, $0) } >= 0 } ?? false
    }

    mutating func take(
        _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer,
        _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) -> Bool {
        if let lower, lower.bytes.withBytes({ compareBytes(key, $0) }) < 0 { return true }
        if let wants = request.wants, !wants(key) { return true }
        batch.append(key: key, value: withValues ? value : UnsafeRawBufferPointer(start: nil, count: 0))
        guard batch.isFull || batch.count >= request.pageEntries ?? .max else { return true }
        return try handOn(deliver)
    }

    private mutating func handOn(
        _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) -> Bool {
        batch.cursor = ScanCursor(Array(batch.key(batch.count - 1)))
        let full = batch
        batch = request.pool.take()
        guard try deliver(full) else { return false }
        if request.isCancelled() { throw StorageError.cancelled }
        return true
    }

    mutating func end(_ deliver: (EntryBatch) throws(StorageError) -> Bool) throws(StorageError) {
        if batch.count > 0 { _ = try handOn(deliver) }
    }
}
