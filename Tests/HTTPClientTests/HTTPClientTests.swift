import Foundation
import HTTPClient
import Synchronization
import TestSupport
import Testing

@Suite struct HTTPClientTests {
    private let server: PythonServer

    init() throws { server = try PythonServer.odd.get() }

    private func get(
        _ path: String, _ client: HTTPClient = HTTPClient(), method: String = "GET", body: [UInt8] = []
    ) throws -> (status: Int, headers: HTTPHeaders, body: [UInt8]) {
        let response = try body.withUnsafeBytes {
            try client.perform(HTTPRequest(method: method, url: server.url + path), body: $0)
        }
        return (response.status, response.headers, response.withBody { Array($0) })
    }

    private func failure(_ path: String, _ configuration: HTTPConfiguration = HTTPConfiguration()) throws -> HTTPError?
    {
        do {
            _ = try get(path, HTTPClient(configuration))
            return nil
        } catch let error as HTTPError {
            return error
        }
    }

    @Test func sendsWhatItIsGiven() throws {
        struct Echo: Decodable {
            var method, path, body: String
            var headers: [[String]]
        }
        let client = HTTPClient()
        for (method, text) in [("GET", ""), ("POST", "a body"), ("PUT", ""), ("POST", ""), ("DELETE", ""), ("GET", "")]
        {
            let headers = [("X-One", "1"), ("X-Empty", ""), ("Host", "elsewhere:1")]
            let request = HTTPRequest(
                method: method, url: "\(server.url)/echo/./a//b/../%20?x=y&z", headers: headers)
            let response = try Array(text.utf8).withUnsafeBytes { try client.perform(request, body: $0) }
            #expect(response.status == 200)
            #expect(response.headers["x-CUSTOM"] == "some value")
            #expect(response.headers["Empty"] == "")
            #expect(response.headers["Missing"] == nil)
            let echo = try JSONDecoder().decode(Echo.self, from: Data(response.withBody { Array($0) }))
            #expect(echo.method == method)
            #expect(echo.path == "/echo/./a//b/../%20?x=y&z")
            #expect(echo.body == text)
            // Nothing of the last request sticks to the handle, and nothing is added but what HTTP wants.
            var names = ["accept", "host", "x-empty", "x-one"]
            if method != "GET" { names.append("content-length") }
            #expect(echo.headers.map { $0[0].lowercased() }.sorted() == names.sorted())
            #expect(echo.headers.contains(["Host", "elsewhere:1"]))
        }
    }

    @Test func keepsConnections() throws {
        let client = HTTPClient()
        for number in 1...5 {
            let echo = try get("/echo/kept", client)
            #expect(String(decoding: echo.body, as: UTF8.self).contains("\"served\": \(number)}"))
        }
        // What the server closes is opened again, whether it said so or not.
        for _ in 0..<3 {
            #expect(try get("/closed", client).body == Array("bye".utf8))
            #expect(try get("/quietlyclosed", client).status == 200)
        }
    }

    @Test(arguments: [0, 1, 1000, 16_384, 16_385, 1_000_000, 5_000_000])
    func receivesBodies(of count: Int) throws {
        let client = HTTPClient()
        let expected = [UInt8]((0..<count).map { UInt8($0 % 251 * 31 % 251) })
        for path in ["/bytes-\(count)", "/chunked-\(min(count, 100_000))", "/bytes-\(count)"] {
            let body = try get(path, client).body
            #expect(body == Array(expected.prefix(body.count)))
            #expect(body.count == (path.hasPrefix("/bytes") ? count : min(count, 100_000)))
        }
    }

    @Test func servesManyThreads() throws {
        let client = HTTPClient()
        let wrong = Mutex(0)
        let url = server.url
        DispatchQueue.concurrentPerform(iterations: 16) { thread in
            for number in 0..<20 {
                let count = 1000 + thread * 100 + number
                let request = HTTPRequest(method: "GET", url: "\(url)/bytes-\(count)")
                let response = try? client.perform(request)
                if response?.bodyCount != count { wrong.withLock { $0 += 1 } }
            }
        }
        #expect(wrong.withLock { $0 } == 0)
    }

    @Test func redirectsAndEarlyAnswersAreNotFollowedOrMixed() throws {
        let redirect = try get("/redirect")
        #expect(redirect.status == 302)
        #expect(redirect.headers["location"] == "/echo")
        let early = try get("/continue")
        #expect(early.status == 200)
        #expect(early.headers["X-Custom"] == "some value")
        #expect(try get("/untilclose").body == Array("all there is".utf8))
        #expect(try get("/status-503-gone").status == 503)
    }

    @Test(arguments: [
        ("/truncated-1000-10", HTTPError.Code.connectionLost), ("/truncated-1000-0", .connectionLost),
        ("/chunked-1000-0", .connectionLost), ("/drop", .connectionLost), ("/garbage-1", .connectionLost),
        ("/garbage-77", .connectionLost), ("/hugeheaders-200", .tooLarge), ("/announced-99999999999", .tooLarge),
        ("/announced-3000000", .connectionLost), ("/bytes-9000000", .tooLarge), ("/slow", .timedOut),
    ])
    func tellsHowItFailed(path: String, code: HTTPError.Code) throws {
        let configuration = HTTPConfiguration(
            requestTimeout: code == .timedOut ? .milliseconds(300) : .seconds(20), maximumBodyBytes: 8_000_000)
        let error = try #require(try failure(path, configuration))
        #expect(error.code == code)
        #expect(error.mayHaveBeenSent)
        #expect(error.message.contains("http://127.0.0.1:\(server.port)/"))
    }

    @Test func survivesNoise() throws {
        for seed in 0..<60 { _ = try failure("/garbage-\(seed)") }
        for length in ["-5", "+3", "3,3", "abc", "18446744073709551616", "", "0x3", "3;"] {
            let path = "/notlength-" + length.replacing("-", with: "")
            _ = try failure(path)
        }
    }

    @Test(arguments: [
        ("http://127.0.0.1:1/", HTTPError.Code.cannotConnect), ("http://name.invalid/", .cannotResolve),
        ("ftp://127.0.0.1/", .other), ("file:///etc/passwd", .other), ("nonsense://", .other), ("", .other),
        ("http://user:password@127.0.0.1:1/a?secret", .cannotConnect), ("http://127.0.0.1:99999/", .other),
    ])
    func refusesOrMisses(url: String, code: HTTPError.Code) throws {
        let error = #expect(throws: HTTPError.self) {
            try HTTPClient().perform(HTTPRequest(method: "GET", url: url))
        }
        #expect(error?.code == code)
        #expect(error?.mayHaveBeenSent == false)
        #expect(error?.message.contains("password") == false)
        #expect(error?.message.contains("secret") == false)
    }

    @Test func aHandshakeThatIsNotAnsweredIsNoConnectionInTime() throws {
        let silent = try PythonServer("silent_server.py")
        defer { silent.stop() }
        let client = HTTPClient(HTTPConfiguration(connectTimeout: .milliseconds(300)))
        let error = #expect(throws: HTTPError.self) {
            try client.perform(HTTPRequest(method: "GET", url: "https://127.0.0.1:\(silent.port)/"))
        }
        #expect(error?.code == .cannotConnect)
        #expect(error?.mayHaveBeenSent == false)
    }

    @Test func speaksTLSOnlyWithWhomItTrusts() throws {
        let error = #expect(throws: HTTPError.self) {
            try HTTPClient().perform(HTTPRequest(method: "GET", url: "https://127.0.0.1:\(server.port)/echo"))
        }
        // A server without TLS answers, hangs up, or waits for the end of a line that may never come.
        #expect([.tls, .connectionLost, .cannotConnect].contains(error?.code))
        #expect(error?.mayHaveBeenSent == false)
        try Scratch.withFolder { folder in
            let secure = try PythonServer("tls_server.py", "\(folder)/certificate")
            defer { secure.stop() }
            let request = HTTPRequest(method: "GET", url: "https://127.0.0.1:\(secure.port)/")
            let trusting = HTTPClient(HTTPConfiguration(certificates: .file("\(folder)/certificate")))
            #expect(try trusting.perform(request).withBody { Array($0) } == Array("secure".utf8))
            let pem = PEM.text(try String(contentsOfFile: "\(folder)/certificate", encoding: .utf8))
            let told = HTTPClient(HTTPConfiguration(certificates: pem))
            #expect(try told.perform(request).withBody { Array($0) } == Array("secure".utf8))
            for nothing in ["", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n", "words"] {
                let client = HTTPClient(HTTPConfiguration(certificates: .text(nothing)))
                let error = #expect(throws: HTTPError.self) { try client.perform(request) }
                #expect(error?.mayHaveBeenSent == false, "\(nothing)")
            }
            let stranger = #expect(throws: HTTPError.self) { try HTTPClient().perform(request) }
            #expect(stranger?.code == .tls)
            #expect(stranger?.mayHaveBeenSent == false)
            // The certificate is for the address, not for the name.
            let misnamed = HTTPRequest(method: "GET", url: "https://localhost:\(secure.port)/")
            let error = #expect(throws: HTTPError.self) { try trusting.perform(misnamed) }
            #expect(error?.code == .tls)
        }
    }

    /// In a process of its own, since the environment belongs to all threads.
    @Test func asksProxiesExceptOnTheOwnMachine() async {
        await #expect(processExitsWith: .success) {
            let server = try PythonServer("odd_server.py")
            defer { server.stop() }
            setenv("http_proxy", server.url, 1)
            func code(_ url: String, _ configuration: HTTPConfiguration) -> HTTPError.Code? {
                do throws(HTTPError) {
                    _ = try HTTPClient(configuration).perform(HTTPRequest(method: "GET", url: url))
                    return nil
                } catch {
                    return error.code
                }
            }
            // The server drops what is asked of it as a proxy.
            try #require(code("http://name.invalid/", HTTPConfiguration()) == .connectionLost)
            try #require(code("http://name.invalid/", HTTPConfiguration(usesProxies: false)) == .cannotResolve)
            setenv("http_proxy", "http://127.0.0.1:1", 1)
            try #require(code(server.url + "/echo", HTTPConfiguration()) == nil)
            try #require(code("http://localhost:\(server.port)/echo", HTTPConfiguration()) == nil)
        }
    }

    @Test func refusesLinesWithinLines() throws {
        for header in [("X-A", "b\r\nX-C: d"), ("X-A\n", "b"), ("X:Y", "b"), ("X-A", "b\u{0}")] {
            let error = #expect(throws: HTTPError.self) {
                try HTTPClient().perform(HTTPRequest(method: "GET", url: "\(server.url)/echo", headers: [header]))
            }
            #expect(error?.code == .other)
            #expect(error?.message.contains("X-C") == false)
        }
    }

    @Test func stopsWhenCancelled() throws {
        let isCancelled = Mutex(false)
        let configuration = HTTPConfiguration(isCancelled: { isCancelled.withLock { $0 } })
        let client = HTTPClient(configuration)
        let thread = Thread { [server] in
            // The request is under way once the server has noted it.
            let log = HTTPRequest(method: "GET", url: "\(server.url)/log/slow-31/cancelled")
            try? waitUntil("the request is noted") { (try? HTTPClient().perform(log).bodyCount) ?? 0 >= 3 }
            isCancelled.withLock { $0 = true }
        }
        thread.start()
        let error = #expect(throws: HTTPError.self) {
            try client.perform(HTTPRequest(method: "GET", url: "\(server.url)/slow-31/cancelled"))
        }
        #expect(error?.code == .cancelled)
        #expect(error?.mayHaveBeenSent == true)
        let second = #expect(throws: HTTPError.self) {
            try client.perform(HTTPRequest(method: "GET", url: "\(server.url)/echo"))
        }
        #expect(second?.code == .cancelled)
        #expect(second?.mayHaveBeenSent == false)
    }
}
