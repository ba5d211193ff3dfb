import AWS
import Digest
import Foundation
import HTTPClient
import TestSupport
import Testing

@Suite struct SignatureTests {
    private func signed(_ vector: SignatureVector) throws -> SignableRequest {
        var request = vector.request
        let body = Array(vector.body.utf8)
        try body.withUnsafeBytes { body in
            try SignatureV4().sign(
                &request, body: body, credentials: SignatureVector.credentials(token: vector.token),
                at: SignatureVector.time, region: "us-east-1", service: "service")
        }
        return request
    }

    private func verifier() throws -> SignatureVerifier {
        try SignatureVerifier { id in
            id == "AKIDEXAMPLE" ? SignatureVector.credentials(token: nil).secretAccessKey : nil
        }
    }

    private func verify(_ request: SignableRequest, _ body: String, at time: Int = 0) throws -> RequestSigner {
        try Array(body.utf8).withUnsafeBytes { body in
            try verifier().verify(
                request, body: body, now: Timestamp(seconds: SignatureVector.time.seconds + time))
        }
    }

    @Test(arguments: SignatureVector.all)
    func signsAsPublished(_ vector: SignatureVector) throws {
        let request = try signed(vector)
        let header = try #require(request.headers.last)
        #expect(header.name == "Authorization")
        #expect(header.value.hasSuffix("Signature=\(vector.signature)"))
        #expect(header.value.hasPrefix("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_req"))
        // And takes what it signed, at the edge of the skew too.
        let expected = RequestSigner(accessKeyID: "AKIDEXAMPLE", region: "us-east-1", service: "service")
        for time in [0, -900, 900] { #expect(try verify(request, vector.body, at: time) == expected) }
    }

    /// Everything that is signed, changed one by one; and headers that no one could have meant.
    @Test func refusesWhatDiffers() throws {
        let vector = SignatureVector(
            "", "POST", "/a?b=c", headers: [("My-Header1", "value1")], token: "token", body: "body", signature: "")
        let good = try signed(vector)
        func refusal(_ body: String = "body", at time: Int = 0, _ change: (inout SignableRequest) -> Void) throws
            -> SignatureRefusal.Code?
        {
            var request = good
            change(&request)
            do {
                _ = try verify(request, body, at: time)
                return nil
            } catch let error as SignatureRefusal {
                #expect(!error.message.contains("wJalr"))
                return error.code
            }
        }
        let last = good.headers.count - 1
        #expect(try refusal { _ in } == nil)
        #expect(try refusal { $0.headers.append(("User-Agent", "not signed")) } == nil)
        #expect(try refusal("Body") { _ in } == .mismatch)
        #expect(try refusal { $0.method = "GET" } == .mismatch)
        #expect(try refusal { $0.path = "/b" } == .mismatch)
        #expect(try refusal { $0.query = "b=d" } == .mismatch)
        for index in 0..<last where good.headers[index].name != "X-Amz-Date" {
            #expect(try refusal { $0.headers[index].value += "x" } == .mismatch)
            #expect(try refusal { $0.headers.remove(at: index) } == .mismatch)
        }
        #expect(try refusal(at: 901) { _ in } == .expired)
        #expect(try refusal(at: -901) { _ in } == .expired)
        #expect(try refusal { $0.headers.removeLast() } == .missing)
        #expect(try refusal { $0.headers[last].value = "Basic YTpi" } == .missing)
        #expect(try refusal { $0.headers.removeAll { $0.name == "X-Amz-Date" } } == .malformed)
        func edited(_ old: String, _ new: String) throws -> SignatureRefusal.Code? {
            try refusal { request in
                let value = request.headers[last].value
                request.headers[last].value = value.replacingOccurrences(of: old, with: new)
                #expect(request.headers[last].value != value)
            }
        }
        #expect(try edited("AKIDEXAMPLE", "AKIDOTHER") == .unknownKey)
        #expect(try edited("us-east-1", "us-east-2") == .mismatch)
        #expect(try edited("20150830", "20150831") == .malformed)
        #expect(try edited("aws4_request", "aws5_request") == .malformed)
        #expect(try edited("host;", "") == .malformed)
        #expect(try edited("host;", "host;host;") == .malformed)
        #expect(try edited("Signature=", "Signature=0") == .mismatch)
        #expect(try edited("Signature=", "Sig=") == .malformed)
        #expect(try edited("Signature=", "Signature=a,Signature=") == .malformed)
        #expect(try edited(", ", String(repeating: ",a=b", count: 9_000)) == .malformed)
    }

    @Test func survivesAnyAuthorizationHeader() throws {
        var random = SeededRandom(fuzz: 41)
        let good = try signed(SignatureVector.all[0])
        let header = Array(good.headers[good.headers.count - 1].value.utf8)
        for _ in 0..<Effort.rounds(5_000) {
            let changed = random.mutated(header)
            var request = good
            request.headers[good.headers.count - 1].value = String(decoding: changed, as: UTF8.self)
            let isSame = (try? verify(request, "")) != nil
            // White space before a field may change, and what stands before the names.
            if isSame { #expect(String(decoding: changed, as: UTF8.self).contains(SignatureVector.all[0].signature)) }
        }
    }

    @Test func signsAsBotocore() throws {
        var random = SeededRandom(42)
        var lines = Data()
        var ours: [String] = []
        func word() -> String {
            let letters = Array("abcXYZ019-._~%20%2F$ሴ+*:@")
            return String((0...random.below(6)).map { _ in letters[random.below(letters.count)] })
                .addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? ""
        }
        for number in 0..<300 {
            let path =
                "/"
                + (0..<random.below(4)).map { _ in [word(), ".", "..", ""][random.below(4)] }
                .joined(separator: "/")
            let query = (0..<random.below(4)).map { _ in
                "\(word().replacing(/[$+*:@&=]/, with: "p"))=\(word().replacing(/[$+*:@&=]/, with: "q"))"
            }.joined(separator: "&")
            let body = random.bytes(random.below(3) * random.below(500))
            let token = number % 3 == 0 ? "token/\(number)==" : ""
            let headers = [
                ("Host", "example\(number % 7).amazonaws.com"), ("X-Amz-Target", "DynamoDB_20120810.Scan"),
                ("Content-Type", "application/x-amz-json-1.0"), ("X-Odd", "  a   b\(number)  c "),
            ]
            let time = 946_684_800 + random.below(3_000_000_000)
            let method = ["GET", "POST", "PUT"][random.below(3)]
            let region = ["eu-central-1", "us-gov-west-1"][random.below(2)]
            lines += try JSONSerialization.data(withJSONObject: [
                "method": method, "path": path, "query": query, "host": headers[0].1, "time": time, "key": "AKIDX",
                "secret": "s/\(number % 5)", "token": token, "region": region, "service": "dynamodb",
                "body": body.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined(),
                "headers": headers.map { [$0.0, $0.1] },
            ])
            lines.append(10)
            var request = SignableRequest(
                method: method, path: path, query: query, headers: headers.map { (name: $0.0, value: $0.1) })
            let credentials = Credentials(
                accessKeyID: "AKIDX", secretAccessKey: "s/\(number % 5)", sessionToken: token, source: "test")
            try body.withUnsafeBytes {
                try SignatureV4().sign(
                    &request, body: $0, credentials: credentials, at: Timestamp(seconds: time), region: region,
                    service: "dynamodb")
            }
            ours.append(request.headers.last?.value ?? "")
        }
        let theirs = try Scratch.withFolder { folder in
            try Scratch.write(lines, to: "\(folder)/requests")
            let program = pythonProgram("sign_with_botocore.py")
            return try runProgram("/bin/sh", ["-c", "exec python3 '\(program)' < '\(folder)/requests'"])
        }
        let answers = theirs.split(separator: "\n").map(String.init)
        #expect(answers.count == ours.count)
        for (index, (our, their)) in zip(ours, answers).enumerated() { #expect(our == their, "request \(index)") }
    }

    private struct Received: Decodable {
        var method, body: String
        var headers: [[String]]
    }

    /// What a server receives from libcurl and from boto3, checked as the practice table does.
    @Test func takesWhatComesOverTheWire() throws {
        let server = try PythonServer.odd.get()
        let test = try TestClient("\(server.url)/ok/signature//a/", realTime: true)
        _ = try test.call("Scan", #"{"TableName":"ä"}"#)
        try runProgram("/usr/bin/env", ["python3", pythonProgram("call_with_boto3.py"), "\(server.url)/ok/boto/"])
        let secrets = ["AKIDTEST": testKeys.secretAccessKey, "AKIDBOTO": "secret/boto"]
        let verifier = try SignatureVerifier { secrets[$0] }
        for (path, id, region) in [
            ("/ok/signature//a/", "AKIDTEST", "eu-central-1"), ("/ok/boto/", "AKIDBOTO", "eu-west-3"),
        ] {
            let log = try HTTPClient().perform(HTTPRequest(method: "GET", url: "\(server.url)/log\(path)"))
            let all = try JSONDecoder().decode([Received].self, from: Data(log.withBody { Array($0) }))
            let received = try #require(all.last)
            let request = SignableRequest(
                method: received.method, path: path, headers: received.headers.map { ($0[0], $0[1]) })
            // The log writes each byte as a character.
            let body = received.body.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
            let signer = try body.withUnsafeBytes {
                try verifier.verify(request, body: $0, now: TimeSource.system.now())
            }
            #expect(signer == RequestSigner(accessKeyID: id, region: region, service: "dynamodb"))
        }
    }
}
