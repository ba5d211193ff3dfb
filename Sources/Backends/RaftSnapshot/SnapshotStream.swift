import RaftFormat
import Storage
import Synchronization
import Workers

/// The bytes of an archive's `state.bin`, inflated and summed up on a thread of its own ahead of whoever takes the
/// entries.
final class SnapshotStream: Sendable {
    enum Piece: Sendable {
        case bytes([UInt8])
        /// The archive is read to its end and verified.
        case end(SnapshotParser.Contents)
        case failure(any Error)
    }

    private static let pieceBytes = 1 << 20
    private static let piecesAhead = 4

    private let queue = BoundedQueue<Piece>(capacity: SnapshotStream.piecesAhead)
    private let free = Mutex<[[UInt8]]>([])
    private let thread = Mutex<WorkerThread?>(nil)

    init(
        _ file: SnapshotFile, begun: @escaping @Sendable (SnapshotMeta) -> Void = { _ in },
        isCancelled: @escaping @Sendable () -> Bool
    ) throws(StorageError) {
        do throws(ThreadFailure) {
            let worker = try WorkerThread { [self] in read(file, begun, isCancelled) }
            thread.withLock { $0 = worker }
        } catch {
            throw StorageError(.io, "\(file.path): \(error)")
        }
    }

    private func read(
        _ file: SnapshotFile, _ begun: @Sendable (SnapshotMeta) -> Void, _ isCancelled: @Sendable () -> Bool
    ) {
        let filling = Filling(takeFree())
        do {
            let contents = try file.read(isCancelled: isCancelled, begun: begun) { [self] bytes in
                filling.bytes.append(contentsOf: bytes)
                guard filling.bytes.count >= Self.pieceBytes else { return true }
                let full = filling.bytes
                filling.bytes = takeFree()
                return queue.push(.bytes(full))
            }
            if let contents {
                if !filling.bytes.isEmpty { queue.push(.bytes(filling.bytes)) }
                queue.push(.end(contents))
            }
        } catch {
            queue.push(.failure(error))
        }
        queue.close()
    }

    /// What is filled; the closure that fills it escapes for the compiler.
    private final class Filling {
        var bytes: [UInt8]

        init(_ bytes: [UInt8]) { self.bytes = bytes }
    }

    private func takeFree() -> [UInt8] {
        if let free = free.withLock({ $0.popLast() }) { return free }
        var fresh: [UInt8] = []
        // A piece ends with whatever the inflater gave last.
        fresh.reserveCapacity(Self.pieceBytes + (256 << 10))
        return fresh
    }

    /// The next piece; `nil` behind the last one.
    func next() -> Piece? { queue.pop() }

    /// Gives a piece back to be filled again.
    func recycle(_ piece: consuming [UInt8]) {
        var piece = piece
        piece.removeAll(keepingCapacity: true)
        free.withLock { [piece] free in if free.count < Self.piecesAhead { free.append(piece) } }
    }

    /// Ends the reading; nothing more comes.
    func stop() {
        queue.close()
        thread.withLock { $0 }?.join()
    }
}
