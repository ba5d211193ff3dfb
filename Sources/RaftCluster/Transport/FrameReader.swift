import RaftFormat
import Sockets
import Synchronization

/// Takes calls and answers out of a connection, within bounds.
final class FrameReader {
    /// Bytes of one call or answer.
    static let mostBytes = 96 << 20
    private static let pieceBytes = 256 << 10

    private let connection: Connection
    private let budget: ByteBudget
    private var held: [UInt8] = []
    private var start = 0
    /// Bytes taken from the budget: those that are held and not handed on.
    private var charged = 0
    /// Below this many bytes another attempt is not worth it unless nothing more comes.
    private var wanted = 0

    init(_ connection: Connection, _ budget: ByteBudget) {
        self.connection = connection
        self.budget = budget
    }

    deinit { budget.give(charged) }

    /// The next call; `nil` at the end of the connection.
    ///
    /// - Parameter timeout: For more to come once a call has begun; waiting for one has no limit.
    func nextRequest(timeout: Duration) throws -> WireRequest? {
        while true {
            if start < held.count, held.count - start >= wanted {
                if let (request, count) = try WireRequest.decode(held[start...]) {
                    take(count)
                    return request
                }
                wanted = (held.count - start) * 3 / 2
            }
            let isWaiting = start == held.count
            guard try fill(timeout: isWaiting ? nil : timeout) else { return nil }
        }
    }

    /// The answer to a call.
    func nextResponse(to kind: WireResponse.Kind, timeout: Duration) throws -> WireResponse {
        while true {
            if start < held.count, let (response, count) = try WireResponse.decode(held[start...], to: kind) {
                take(count)
                return response
            }
            guard try fill(timeout: timeout) else {
                throw SocketError(.closed, "\(connection.peer): the connection was closed without an answer")
            }
        }
    }

    /// Hands on raw bytes that follow a call.
    func readRaw(
        _ count: Int, timeout: Duration, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var left = count
        while left > 0 {
            if start == held.count {
                guard try fill(timeout: timeout) else {
                    throw SocketError(.closed, "\(connection.peer): the snapshot ends \(left) bytes too early")
                }
            }
            let size = min(left, held.count - start)
            try held.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[start..<(start + size)])) }
            take(size)
            left -= size
        }
    }

    private func take(_ count: Int) {
        start += count
        wanted = 0
        // A busy connection has always the beginning of another call here.
        budget.give(count)
        charged -= count
        if start == held.count {
            held.removeAll(keepingCapacity: held.capacity <= 1 << 20)
            start = 0
        } else if start > 1 << 20 {
            held.removeFirst(start)
            start = 0
        }
    }

    /// - Returns: `false` at the end of the connection.
    private func fill(timeout: Duration?) throws -> Bool {
        guard held.count - start < Self.mostBytes else {
            throw RaftFormatError("a call of more than \(Self.mostBytes >> 20) MiB")
        }
        var failure: SocketError?
        var count = 0
        withUnsafeTemporaryAllocation(byteCount: Self.pieceBytes, alignment: 16) { room in
            do throws(SocketError) {
                count = try connection.read(into: room, timeout: timeout)
                held.append(contentsOf: UnsafeRawBufferPointer(rebasing: room[..<count]))
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        guard count > 0 else { return false }
        charged += count
        guard budget.take(count) else {
            throw RaftFormatError("calls of all connections together are larger than there is memory for")
        }
        // Whoever sends a little and then waits for the answer is not kept waiting for more.
        if count < Self.pieceBytes { wanted = 0 }
        return true
    }
}

/// Memory that all connections share for what has not come whole.
final class ByteBudget: Sendable {
    private let left: Atomic<Int>

    init(_ bytes: Int) {
        left = Atomic(bytes)
    }

    /// - Returns: Whether there was as much; it is taken in any case.
    func take(_ bytes: Int) -> Bool { left.subtract(bytes, ordering: .relaxed).newValue >= 0 }

    func give(_ bytes: Int) { left.add(bytes, ordering: .relaxed) }
}
