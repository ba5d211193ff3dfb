import RaftFormat
import Sockets
import Testing
import Workers

@testable import RaftCluster

@Suite struct FrameReaderTests {
    /// Two ends of a connection, the other one of which writes these bytes again and again.
    private func connection(repeating bytes: [UInt8], times: Int) throws -> (Connection, WorkerThread) {
        let listener = try Listener(HostAddress(host: "127.0.0.1", port: 0))
        let writer = try Connection.connect(
            to: HostAddress(host: "127.0.0.1", port: listener.port), tls: nil, timeout: .seconds(10))
        let pending = try #require(listener.accept())
        let thread = try WorkerThread {
            for _ in 0..<times { guard (try? writer.write(bytes, timeout: .seconds(30))) != nil else { break } }
            writer.shutDown()
        }
        return (try pending.begin(tls: nil, timeout: .seconds(10)), thread)
    }

    private func append(bytes: Int) -> WireRequest {
        .append(
            WireHeader(id: Array("n1".utf8), address: Array("127.0.0.1:1".utf8)), term: 1, previousIndex: 1,
            previousTerm: 1, entries: [WireEntry(index: 2, term: 1, data: [UInt8](repeating: 7, count: bytes))],
            commit: 1)
    }

    /// Calls that come without a pause, none of which ends where a reading does.
    @Test func manyCallsTakeNoMoreOfTheBudgetThanIsHeld() throws {
        let call = append(bytes: 1009)
        let encoded = call.encoded
        let times = 20_000
        let (connection, thread) = try connection(repeating: encoded, times: times)
        let budget = ByteBudget(1 << 20)
        do {
            let reader = FrameReader(connection, budget)
            var count = 0
            while let request = try reader.nextRequest(timeout: .seconds(30)) {
                count += 1
                if count % 1000 == 0 { #expect(request == call) }
            }
            #expect(count == times)
        }
        thread.join()
        // And everything is given back.
        #expect(budget.take(1 << 20))
    }

    @Test func aCallThatIsLargerThanTheBudgetIsRefused() throws {
        let (connection, thread) = try connection(repeating: append(bytes: 3 << 20).encoded, times: 1)
        let budget = ByteBudget(1 << 20)
        do {
            let reader = FrameReader(connection, budget)
            #expect(throws: RaftFormatError.self) { _ = try reader.nextRequest(timeout: .seconds(30)) }
        }
        connection.shutDown()
        thread.join()
        #expect(budget.take(1 << 20))
    }
}
