import Synchronization
import Testing

@testable import HTTPServer

@Suite struct HTTPServerTests {
    private func withServer(
        _ threads: HTTPServer.Threads = .perConnection, limits: HTTPServer.Limits = .init(),
        _ handler: @escaping HTTPServer.Handler, _ body: (RawClient) -> Void
    ) throws {
        let server = try HTTPServer(address: SocketAddress("127.0.0.1:0"), threads: threads, limits: limits, handler)
        defer { server.stop() }
        #expect(server.port != 0)
        body(RawClient(port: server.port))
    }

    @Test(arguments: [0, 1, 3])
    func handsOnWholeRequests(poolThreads: Int) throws {
        let body = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try withServer(poolThreads == 0 ? .perConnection : .pool(poolThreads)) { request in
            let text = "\(request.method) \(request.path)?\(request.query) \(request.header("x-two") ?? "")"
            return HTTPServerResponse(
                status: 201, headers: [("X-Seen", text)], body: HTTPServerBody(copying: request.body))
        } _: { client in
            for _ in 0..<3 {
                let answer = client.request("PUT", "/a%20b/c?x=%41&y&z=", headers: ["X-Two:  2 "], body: body)
                #expect(answer.head.hasPrefix("HTTP/1.1 201"))
                #expect(answer.head.contains("X-Seen: PUT /a%20b/c?x=%41&y&z= 2"))
                #expect(answer.body == body)
            }
        }
    }

    @Test func refusesWhatIsTooLong() throws {
        var limits = HTTPServer.Limits()
        limits.requestBytes = 1000
        try withServer(limits: limits) { request in
            HTTPServerResponse(status: 200, text: "\(request.body.count)")
        } _: { client in
            #expect(client.request(body: [UInt8](repeating: 1, count: 1000)).body == Array("1000".utf8))
            #expect(client.request(body: [UInt8](repeating: 1, count: 1001)).head.hasPrefix("HTTP/1.1 413"))
            let chunked = client.exchange([
                Array("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n".utf8),
                Array("400\r\n".utf8), [UInt8](repeating: 1, count: 1024), Array("\r\n0\r\n\r\n".utf8),
            ])
            #expect(String(decoding: chunked.prefix(12), as: UTF8.self) == "HTTP/1.1 413")
        }
    }

    /// Counts down, a piece for each number.
    private final class Countdown: HTTPServerStream {
        let left: Atomic<Int>
        let isClosed = Atomic(false)

        init(_ count: Int) { left = Atomic(count) }

        func next() -> [UInt8]? {
            let number = left.subtract(1, ordering: .relaxed).newValue
            return number < 0 ? nil : number.isMultiple(of: 2) ? Array("\(number),".utf8) : []
        }

        func close() { isClosed.store(true, ordering: .relaxed) }
    }

    @Test func sendsWhatComesPieceByPiece() throws {
        let stream = Countdown(50_000)
        try withServer { _ in
            var answer = HTTPServerResponse(status: 200, text: "not sent")
            answer.stream = stream
            return answer
        } _: { client in
            let answer = client.request("GET", "/")
            #expect(answer.head.contains("Transfer-Encoding: chunked"))
            let text = String(decoding: answer.body, as: UTF8.self)
            // Before each chunk stands its length, behind the last one that of none.
            let pieces = text.replacing(/(^|\r\n)[0-9a-f]+\r\n/, with: "")
            #expect(pieces == stride(from: 49_998, through: 0, by: -2).map { "\($0)," }.joined() + "\r\n")
        }
        let isClosed = stream.isClosed.load(ordering: .relaxed)
        #expect(isClosed)
    }

    @Test func misbehavesOnRequest() throws {
        try withServer { request in
            if request.path == "/drop" { return .dropped }
            var response = HTTPServerResponse(status: 200, text: String(repeating: "x", count: 100_000))
            response.delivery = .truncated(bytes: request.path == "/none" ? 0 : 70_000)
            return response
        } _: { client in
            #expect(client.request("GET", "/drop").head.isEmpty)
            let cut = client.request("GET", "/cut")
            #expect(cut.head.contains("Content-Length: 100000"))
            #expect(cut.body.count == 70_000)
            #expect(client.request("GET", "/none").body.isEmpty)
        }
    }

    @Test func stopsTwiceAndFreesThePort() throws {
        let first = try HTTPServer(address: SocketAddress("127.0.0.1:0")) { _ in .init(status: 200, text: "") }
        let address = SocketAddress(host: "127.0.0.1", port: first.port)
        let error = #expect(throws: HTTPServerError.self) { try HTTPServer(address: address) { _ in .dropped } }
        #expect(error?.code == .cannotListen)
        first.stop()
        first.stop()
        let second = try HTTPServer(address: address) { _ in .dropped }
        #expect(second.port == address.port)
        second.stop()
    }

    @Test(arguments: [
        ("127.0.0.1:80", true), ("127.9.9.9:0", true), ("[::1]:8000", true), ("localhost:1", true),
        ("0.0.0.0:80", false), ("10.1.2.3:80", false), ("[::]:80", false), ("1270.0.1:80", false),
    ])
    func knowsLoopback(text: String, isLoopback: Bool) throws {
        #expect(try SocketAddress(text).isLoopback == isLoopback)
        guard !isLoopback else { return }
        let error = #expect(throws: HTTPServerError.self) {
            try HTTPServer(address: SocketAddress(text)) { _ in .dropped }
        }
        #expect(error?.code == .notLoopback)
    }

    @Test(arguments: [
        "", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", ":80", "::1:80", "a:b:1", "[]:1",
    ])
    func rejectsAddresses(text: String) {
        #expect(throws: HTTPServerError.self) { try SocketAddress(text) }
    }

    @Test func survivesBytesThatAreNoRequest() throws {
        var limits = HTTPServer.Limits()
        limits.idleSeconds = 1
        try withServer(limits: limits) { _ in
            .init(status: 200, text: "ok")
        } _: { client in
            for text in ["\r\n\r\n\r\n", "GET\r\n\r\n", "\u{0}\u{1}\u{2}\r\n\r\n", "POST / HTTP/9.9\r\n\r\n"] {
                _ = client.exchange([Array((text + "Connection: close\r\n\r\n").utf8)])
            }
            #expect(client.request("GET").body == Array("ok".utf8))
        }
    }
}
