import Digest
import HTTPServer
import Synchronization
import Testing

@testable import VaultAPI

@Suite struct ServerClientTests {
    private struct Question: Sendable {
        let line: String
        let body: String
        let token: String?
    }

    /// What was asked so far.
    private final class Questions: Sendable {
        private let asked = Mutex<[Question]>([])

        func add(_ question: Question) { asked.withLock { $0.append(question) } }

        var all: [Question] { asked.withLock { $0 } }
    }

    /// Asks a server that answers by method and path.
    private func withServer(
        _ answers: [String: (status: Int, text: String)], _ body: (ServerClient, Questions) throws -> Void
    ) throws {
        let questions = Questions()
        let server = try HTTPServer(address: SocketAddress("127.0.0.1:0"), threads: .perConnection) { request in
            let line = "\(request.method) \(request.path)"
            questions.add(
                Question(
                    line: line, body: String(decoding: request.body, as: UTF8.self),
                    token: request.header("x-vault-token")))
            let answer = answers[line] ?? (404, "{\"errors\":[]}")
            return HTTPServerResponse(status: answer.status, text: answer.text)
        }
        defer { server.stop() }
        // A slash at the end is tolerated.
        let address = ServerAddress(url: "http://127.0.0.1:\(server.port)/")
        try body(ServerClient(address, timeout: .seconds(20), isCancelled: { false }), questions)
    }

    private func secret(_ bytes: some Collection<UInt8>) throws -> SecretBytes {
        let secret = try SecretBytes(room: bytes.count)
        secret.withMutableBytes { $0.copyBytes(from: bytes) }
        return secret
    }

    private func error(_ body: () throws -> Void) throws -> VaultAPIError {
        do {
            try body()
        } catch let error as VaultAPIError {
            return error
        }
        throw VaultAPIError(.foreign, "there was no error")
    }

    @Test(arguments: [
        (200, false, false, true), (429, false, true, false), (503, true, true, false), (473, false, true, false),
    ])
    func healthIsReadWhateverTheStatus(_ status: Int, _ isSealed: Bool, _ isStandby: Bool, _ isActive: Bool) throws {
        let text = "{\"initialized\":true,\"sealed\":\(isSealed),\"standby\":\(isStandby),\"version\":\"2.7.2\"}"
        try withServer(["GET /v1/sys/health": (status, text)]) { client, _ in
            let health = try client.health()
            #expect(health.isSealed == isSealed && health.isStandby == isStandby && health.isActive == isActive)
            #expect(health.version == "2.7.2")
        }
    }

    @Test(arguments: [
        (400, VaultAPIError.Code.refused), (403, .refused), (404, .unsupported), (405, .unsupported), (500, .failed),
        (503, .failed), (307, .foreign), (201, .foreign),
    ])
    func aStatusIsAnErrorWithTheServersWords(_ status: Int, _ code: VaultAPIError.Code) throws {
        let words = "{\"errors\":[\"1 error occurred:\\n\\t* no\\u001b[31m \\u202e\",\"two\"]}"
        try withServer(["GET /v1/sys/seal-status": (status, words)]) { client, _ in
            let error = try error { _ = try client.sealStatus() }
            #expect(error.code == code && error.status == status)
            #expect(error.message.contains("1 error occurred: * no?[31m ?; two"), "\(error)")
        }
    }

    @Test(arguments: ["", "{", "[]", "null", "<html>", "{\"sealed\":1,\"type\":2}", "{\"sealed\":\"no\"}"])
    func whatIsNoAnswerIsForeign(_ text: String) throws {
        try withServer(["GET /v1/sys/seal-status": (200, text), "GET /v1/sys/health": (200, text)]) { client, _ in
            let problem1 = try error { _ = try client.sealStatus() }
            #expect(problem1.code == .foreign)
            let problem2 = try error { _ = try client.health() }
            #expect(problem2.code == .foreign)
        }
    }

    @Test func aShareIsSentInHexadecimal() throws {
        let answer = "{\"type\":\"shamir\",\"initialized\":true,\"sealed\":true,\"t\":3,\"progress\":1}"
        try withServer(["PUT /v1/sys/unseal": (200, answer)]) { client, questions in
            let status = try client.unseal(secret([0x00, 0x1f, 0xa0, 0xff]))
            #expect(status.isSealed && status.threshold == 3 && status.progress == 1 && status.type == "shamir")
            #expect(questions.all.map(\.body) == [#"{"key":"001fa0ff"}"#])
        }
    }

    /// The token is what the server gave, each byte combined with one of the password.
    @Test(arguments: [
        // base64 of "s.abcdefgh" ^ "0123456789", and of seven bytes "s.abcde" ^ "0123456".
        ("0123456789", "Qx9TUVdRU1FfUQ", "s.abcdefgh"), ("0123456", "Qx9TUVdRUw==", "s.abcde"),
    ])
    func aRootTokenIsMadeOfShares(_ pad: String, _ encoded: String, _ token: String) throws {
        let begun = "{\"nonce\":\"0f-1\\\",\\\"x\",\"otp\":\"\(pad)\",\"started\":true}"
        let done = "{\"complete\":true,\"encoded_token\":\"\(encoded)\"}"
        try withServer([
            "DELETE /v1/sys/generate-root/attempt": (204, ""), "PUT /v1/sys/generate-root/attempt": (200, begun),
            "PUT /v1/sys/generate-root/update": (200, done),
        ]) { client, questions in
            let made = try client.makeRootToken([secret([1, 2]), secret([3, 4])])
            #expect(made.withBytes { String(decoding: $0, as: UTF8.self) } == token)
            // One share was enough, and nothing of a nonce gets out of its place.
            #expect(questions.all.last?.body == #"{"key":"0102","nonce":"0f-1x"}"#)
        }
    }

    @Test(arguments: ["", "!!!!", "QQ", "Qx9TUVdRU1FfUQAA"])
    func aTokenThatCannotBeOneIsRefused(_ encoded: String) throws {
        let begun = "{\"nonce\":\"n\",\"otp\":\"0123456789\"}"
        try withServer([
            "DELETE /v1/sys/generate-root/attempt": (204, ""), "PUT /v1/sys/generate-root/attempt": (200, begun),
            "PUT /v1/sys/generate-root/update": (200, "{\"complete\":true,\"encoded_token\":\"\(encoded)\"}"),
        ]) { client, _ in
            let problem3 = try error { _ = try client.makeRootToken([secret([1])]) }
            #expect(problem3.code == .foreign)
        }
    }

    @Test func mountsAndPathsAreReadWithAToken() throws {
        let mounts = "{\"kv/\":{},\"data\":{\"kv/\":{\"type\":\"kv\"},\"a b/\":{\"type\":\"pki\"}}}"
        try withServer([
            "GET /v1/sys/mounts": (200, mounts), "GET /v1/kv/a%20b/%C3%A9%3F%25": (200, "{\"data\":{\"x\":1}}"),
            "GET /v1/kv/empty": (200, "{\"data\":null}"),
        ]) { client, questions in
            let token = try secret("s.token".utf8)
            let found = try client.mounts(token)
            #expect(found.map { String(decoding: $0.path, as: UTF8.self) } == ["kv/", "a b/"])
            #expect(found.map(\.type) == ["kv", "pki"])
            #expect(try client.read("kv/a b/é?%", token) == 1)
            let problem4 = try error { _ = try client.read("kv/empty", token) }
            #expect(problem4.code == .unsupported)
            let problem5 = try error { _ = try client.read("kv/none", token) }
            #expect(problem5.status == 404)
            #expect(questions.all.allSatisfy { $0.token == "s.token" })
        }
    }

    @Test func nobodyThereIsNoAnswer() throws {
        let nobody = ServerClient(
            ServerAddress(socket: "/nonexistent/api.sock"), timeout: .seconds(2), isCancelled: { false })
        let problem6 = try error { _ = try nobody.health() }
        #expect(problem6.code == .noAnswer)
        let impatient = ServerClient(
            ServerAddress(url: "http://127.0.0.1:1"), timeout: .seconds(2), isCancelled: { true })
        let problem7 = try error { _ = try impatient.health() }
        #expect(problem7.code == .cancelled)
    }
}
