import Bolt
import Storage
import Workers

/// Streams the entries of a directory: the tree is cut into subtrees, many threads copy them out, the batches come in
/// key order.
struct RaftDirectoryScan {
    let data: BoltBucket
    let request: ScanRequest

    /// A subtree's entries; if they did not fit, the key behind which the rest begins and the key before which it ends.
    private struct Product {
        let batch: EntryBatch
        var restAfter: [UInt8]?
        var restBefore: [UInt8]?
    }

    private enum Work {
        /// Neighbouring subtrees, together about a batch.
        case segments([BoltSegment])
        case failure(StorageError)
    }

    /// Page bytes after which a piece of work is large enough.
    private static let workBytes = 512 << 10

    func run(_ deliver: (EntryBatch) throws(StorageError) -> Bool) throws(StorageError) {
        try storageErrors { try scan(deliver) }
    }

    private func scan(_ deliver: (EntryBatch) throws(StorageError) -> Bool) throws {
        let request = request
        let workers = max(min(request.readers, 3), 1)
        let stage = try OrderedStage<Work, Product>(workers: workers, window: workers * 3) { work in
            switch work {
            case .failure(let error): throw error
            case .segments(let segments): return try Self.read(segments, request)
            }
        }
        let lower = Self.lowerBound(request)
        defer {
            stage.stop()
            stage.join()
        }
        let cutter = try WorkerThread { [data] in Self.cut(data, lower, request, into: stage) }
        defer {
            stage.stop()
            cutter.join()
        }
        while let product = try stage.next() {
            // Everything may have been cut and read before anyone asked to stop.
            if request.isCancelled() { throw StorageError.cancelled }
            guard try deliverAll(product, deliver) else { return }
        }
    }

    /// The first key wanted: the partition's, or the one behind the cursor.
    private static func lowerBound(_ request: ScanRequest) -> [UInt8]? {
        // The key that follows another one immediately is that key and a zero byte.
        guard let cursor = request.cursor else { return request.partition.lower?.bytes }
        let behind = cursor.bytes + [0]
        guard let lower = request.partition.lower, StorageKey(behind) < lower else { return behind }
        return lower.bytes
    }

    private static func cut(
        _ data: BoltBucket, _ lower: [UInt8]?, _ request: ScanRequest, into stage: OrderedStage<Work, Product>
    ) {
        do throws(BoltError) {
            var segments = data.makeSegments(from: lower, to: request.partition.upper?.bytes)
            var work: [BoltSegment] = []
            var bytes = 0
            while let segment = try segments.next() {
                work.append(segment)
                bytes += segment.pageBytes
                guard bytes >= workBytes else { continue }
                if request.isCancelled() {
                    _ = stage.submit(.failure(.cancelled))
                    break
                }
                guard stage.submit(.segments(work)) else { return }
                work = []
                bytes = 0
            }
            if !work.isEmpty { _ = stage.submit(.segments(work)) }
        } catch {
            _ = stage.submit(.failure(StorageError(error)))
        }
        stage.finish()
    }

    private static func read(_ segments: [BoltSegment], _ request: ScanRequest) throws -> Product {
        let batch = request.pool.take()
        var isWhole = true
        for segment in segments where isWhole {
            isWhole = try segment.visit { key, value in append(key, value, to: batch, request) }
        }
        var product = Product(batch: batch)
        if batch.count > 0 {
            let last = Array(batch.key(batch.count - 1))
            batch.cursor = ScanCursor(last)
            if !isWhole {
                product.restAfter = last
                product.restBefore = segments.last?.upperBound
            }
        }
        return product
    }

    /// Copies an entry; `false` once the batch is full.
    private static func append(
        _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, to batch: EntryBatch, _ request: ScanRequest
    ) -> Bool {
        if let wants = request.wants, !wants(key) { return true }
        let isKeyOnly = request.content == .keys
        batch.append(key: key, value: isKeyOnly ? UnsafeRawBufferPointer(start: nil, count: 0) : value)
        // Many tiny entries still make one piece of work: what does not fit is read again by one thread alone.
        return batch.byteCount < EntryBatch.targetBytes && batch.count < 8 * EntryBatch.targetEntries
    }

    /// Delivers a subtree's batch and reads on where the subtree holds more than one batch may.
    private func deliverAll(
        _ product: Product, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws -> Bool {
        if product.batch.count > 0 { guard try deliver(product.batch) else { return false } }
        var after = product.restAfter
        while let last = after {
            if request.isCancelled() { throw StorageError.cancelled }
            let batch = request.pool.take()
            var isWhole = true
            try data.visit(from: last + [0], to: product.restBefore) { key, value in
                isWhole = Self.append(key, value, to: batch, request)
                return isWhole
            }
            guard batch.count > 0 else { return true }
            let end = Array(batch.key(batch.count - 1))
            batch.cursor = ScanCursor(end)
            guard try deliver(batch) else { return false }
            after = isWhole ? nil : end
        }
        return true
    }
}
