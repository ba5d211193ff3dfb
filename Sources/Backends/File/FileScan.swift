import Glibc
import Storage
import Workers

/// Streams a store: one thread walks the folders, many read the files, the batches come out in key order.
struct FileScan {
    let root: DirectoryHandle
    let request: ScanRequest
    var dropping: CacheDropping?

    /// Batches smaller than this are joined with the next one, so that many small folders do not make many batches.
    private static let smallBatchBytes = 256 << 10

    /// A chunk's entries; what did not fit is left as a chunk for whoever takes the batch.
    private struct Product {
        var batch: EntryBatch
        var rest: FileChunk?
    }

    private enum Work {
        case chunk(FileChunk)
        case failure(StorageError)
    }

    func run(_ deliver: (EntryBatch) throws(StorageError) -> Bool) throws(StorageError) {
        let readers = max(request.readers, 1)
        let (request, dropping) = (request, dropping)
        let stage = try started { () throws(ThreadFailure) in
            try OrderedStage<Work, Product>(workers: readers, window: readers * 2) { work in
                switch work {
                case .failure(let error): throw error
                case .chunk(let chunk): return try Self.readChunk(chunk, request, dropping)
                }
            }
        }
        defer {
            stage.stop()
            stage.join()
        }
        let walker = try started { () throws(ThreadFailure) in
            try WorkerThread { [root] in Self.walk(root, request, into: stage) }
        }
        defer {
            stage.stop()
            walker.join()
        }
        try deliverAll(from: stage, deliver)
    }

    private func started<Result>(_ start: () throws(ThreadFailure) -> Result) throws(StorageError) -> Result {
        do throws(ThreadFailure) {
            return try start()
        } catch {
            throw StorageError(.io, "\(root.path): \(error)")
        }
    }

    private static func walk(_ root: DirectoryHandle, _ request: ScanRequest, into stage: OrderedStage<Work, Product>) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 << 10, alignment: 16)
        defer { buffer.deallocate() }
        do throws(StorageError) {
            var walk = try FileWalk(root: root, request: request, buffer: buffer)
            while let chunk = try walk.nextChunk() {
                guard stage.submit(.chunk(chunk)) else { return }
            }
        } catch {
            _ = stage.submit(.failure(error))
        }
        stage.finish()
    }

    private func deliverAll(
        from stage: OrderedStage<Work, Product>, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        var pending: EntryBatch?
        while var product = try nextProduct(stage) {
            while true {
                if let earlier = pending, let joined = join(earlier, product.batch) {
                    product.batch = joined
                } else if let earlier = pending {
                    guard try deliver(earlier) else { return }
                }
                pending = product.batch
                guard let rest = product.rest else { break }
                product = try Self.readChunk(rest, request, dropping)
            }
            if let whole = pending, whole.heldBytes >= Self.smallBatchBytes || whole.isFull {
                pending = nil
                if whole.count > 0 { guard try deliver(whole) else { return } }
            }
        }
        if let last = pending, last.count > 0 { _ = try deliver(last) }
    }

    private func nextProduct(_ stage: OrderedStage<Work, Product>) throws(StorageError) -> Product? {
        do {
            return try stage.next()
        } catch let error as StorageError {
            throw error
        } catch {
            throw StorageError(.io, "\(root.path): \(error)")
        }
    }

    /// Appends a small batch to an earlier small one; `nil` if together they would be too large.
    private func join(_ earlier: EntryBatch, _ later: EntryBatch) -> EntryBatch? {
        guard earlier.heldBytes + later.heldBytes <= EntryBatch.targetBytes,
            earlier.count + later.count <= EntryBatch.targetEntries
        else { return nil }
        for index in 0..<later.count { earlier.append(entry: index, of: later) }
        if let cursor = later.cursor { earlier.cursor = cursor }
        request.pool.recycle(later)
        return earlier
    }

    private static func readChunk(
        _ chunk: FileChunk, _ request: ScanRequest, _ dropping: CacheDropping?
    ) throws(StorageError) -> Product {
        let batch = request.pool.take()
        let reader = EntryReader(dropping)
        var key: [UInt8] = []
        for (index, file) in chunk.files.enumerated() {
            if request.isCancelled() { throw StorageError.cancelled }
            if batch.heldBytes >= EntryBatch.targetBytes {
                return Product(batch: batch, rest: chunk.dropping(index))
            }
            let folder = chunk.folders[file.folder]
            let outcome = chunk.withName(file) { name, part -> Result<Void, StorageError> in
                key.removeAll(keepingCapacity: true)
                key.append(contentsOf: folder.prefix)
                key.append(contentsOf: part)
                return key.withUnsafeBytes { key in
                    Result { () throws(StorageError) in
                        try readEntry(name, key, folder.directory, reader, into: batch, request)
                    }
                }
            }
            try outcome?.get()
            batch.cursor = ScanCursor(key)
        }
        return Product(batch: batch, rest: nil)
    }

    private static func readEntry(
        _ name: UnsafePointer<CChar>, _ key: UnsafeRawBufferPointer, _ directory: DirectoryHandle,
        _ reader: EntryReader, into batch: EntryBatch, _ request: ScanRequest
    ) throws(StorageError) {
        if let wants = request.wants, !wants(key) { return }
        if request.content == .keys {
            batch.append(key: key, value: UnsafeRawBufferPointer(start: nil, count: 0))
            return
        }
        let place = { "\(directory.path)/\(escapedKey(UnsafeRawBufferPointer(start: name, count: strlen(name))))" }
        let isTemporaryName = TemporaryFile.hasItsName(key)
        let outcome = try reader.read(name, in: directory, key: key, into: batch)
        switch outcome {
        case .appended where isTemporaryName:
            let finding = try TemporaryFile.judge(name, in: directory, reader)
            guard let reason = finding else { return }
            if reason.isLeftOut { batch.removeLast() }
            request.note(ScanNote(reason, at: place()))
        case .appended, .gone: break
        // A write of `k` that was cut off leaves a part of `_k.temp`, or an empty one.
        case .empty, .damaged:
            guard isTemporaryName else { break }
            if !request.toleratesChanges {
                guard try TemporaryFile.hasRival(name, in: directory, reader) else { break }
            }
            return request.note(ScanNote(.temporaryFile, at: place()))
        }
        let doubt = isTemporaryName ? " (or a write of \(TemporaryFile.rival(of: key)) that never took effect)" : ""
        switch outcome {
        case .appended, .gone: break
        case .empty: request.note(ScanNote(.zeroLengthFile, at: place() + doubt, key: StorageKey(copying: key)))
        case .damaged(let damage):
            let error = StorageError(
                .damagedEntry,
                "\(damage.message): \(place()), byte \(damage.offset): the entry \(escapedKey(key))\(doubt) cannot be "
                    + "read. Restore the file from a backup, or delete the entry through a server, and run again.",
                key: StorageKey(copying: key))
            guard request.passesOver(error) else { throw error }
        }
    }
}
