import Bolt
import Storage
import Workers

/// Streams the entries of a directory: the tree is cut into subtrees, many threads copy them out and put in what a
/// log's tail changes, the batches come in key order.
struct RaftDirectoryScan {
    let data: OverlaidData
    let request: ScanRequest

    /// A subtree's entries; if they did not fit, the key behind which the rest begins and the key before which it ends.
    private struct Product {
        let batch: EntryBatch
        var restAfter: [UInt8]?
        var restBefore: [UInt8]?
    }

    /// Neighbouring subtrees, together about a batch, and the keys that belong to them: every key of the partition
    /// belongs to one piece of work, whether the data has it or not.
    private struct Piece {
        var segments: [BoltSegment] = []
        /// First key; `nil` for the beginning of the store.
        var lower: [UInt8]?
        /// First key behind; `nil` for the end of the store.
        var upper: [UInt8]?
    }

    private enum Work {
        case piece(Piece)
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
        let stage = try OrderedStage<Work, Product>(workers: workers, window: workers * 3) { [data] work in
            switch work {
            case .failure(let error): throw error
            case .piece(let piece): return try Self.read(piece, data, request)
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
        _ data: OverlaidData, _ lower: [UInt8]?, _ request: ScanRequest, into stage: OrderedStage<Work, Product>
    ) {
        let upper = request.partition.upper?.bytes
        do throws(BoltError) {
            var segments = data.bucket.makeSegments(from: lower, to: upper)
            var piece = Piece(lower: lower, upper: upper)
            var bytes = 0
            while let segment = try segments.next() {
                piece.segments.append(segment)
                bytes += segment.pageBytes
                guard bytes >= workBytes, let end = segment.upperBound else { continue }
                if request.isCancelled() {
                    _ = stage.submit(.failure(.cancelled))
                    break
                }
                piece.upper = end
                guard stage.submit(.piece(piece)) else { return }
                piece = Piece(lower: end, upper: upper)
                bytes = 0
            }
            // Keys that the data lacks may lie behind all of its own.
            if !piece.segments.isEmpty || data.tail != nil { _ = stage.submit(.piece(piece)) }
        } catch {
            _ = stage.submit(.failure(StorageError(error)))
        }
        stage.finish()
    }

    private static func read(_ piece: Piece, _ data: OverlaidData, _ request: ScanRequest) throws -> Product {
        let batch = request.pool.take()
        var isWhole = true
        let add: OverlaidData.Overlay.Body = { key, value in append(key, value, to: batch, request) }
        if let tail = data.tail {
            var overlay = OverlaidData.Overlay(
                tail, from: piece.lower, to: piece.upper, readsValues: request.content == .entries)
            for segment in piece.segments where isWhole {
                isWhole = try segment.visit { key, value in try overlay.pass(key, value, add) }
            }
            if isWhole { isWhole = try overlay.finish(add) }
        } else {
            for segment in piece.segments where isWhole { isWhole = try segment.visit(add) }
        }
        var product = Product(batch: batch)
        if batch.count > 0 {
            let last = Array(batch.key(batch.count - 1))
            batch.cursor = ScanCursor(last)
            if !isWhole {
                product.restAfter = last
                product.restBefore = piece.upper
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
            try data.visit(
                from: last + [0], to: product.restBefore, readsValues: request.content == .entries
            ) { key, value in
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
