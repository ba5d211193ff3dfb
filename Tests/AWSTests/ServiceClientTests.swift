import AWS
import Foundation
import HTTPClient
import JSON
import Synchronization
import TestSupport
import Testing

/// Against a server that misbehaves on demand.
@Suite struct ServiceClientTests {
    private let server: PythonServer

    init() throws { server = try PythonServer.odd.get() }

    private func client(
        _ script: String, _ name: String = #function, credentials: any CredentialsProvider = FixedCredentials(testKeys),
        policy: RetryPolicy = RetryPolicy(), slowSeconds: Int = 20
    ) throws -> TestClient {
        let place = name.filter(\.isLetter)
        return try TestClient(
            "\(server.url)/\(script)/\(place)", credentials: credentials, policy: policy, realTime: true,
            slowSeconds: slowSeconds)
    }

    @Test func sendsTheProtocol() throws {
        let test = try client("ok")
        let reply = try test.call("DescribeTable", #"{"TableName":"t"}"#)
        #expect(reply.status == 200)
        #expect(reply.requestID == "REQUEST")
        #expect(reply.withRoot { $0["Target"]?.text } == "DynamoDB_20120810.DescribeTable")
        #expect(reply.withRoot { $0["Body"]?.text } == #"{"TableName":"t"}"#)
        #expect(reply.withBody { $0.count } == reply.bodyCount)
        #expect(test.retries.all.isEmpty)
    }

    /// Each way to fail that may heal, and how it is reported.
    @Test(arguments: [
        ("error-ProvisionedThroughputExceededException", RetryReason.throttled),
        ("error-ThrottlingException", .throttled), ("error-RequestLimitExceeded", .throttled),
        ("status-429", .throttled),
        ("error-InternalServerError-500", .serverError), ("error-ServiceUnavailable-503", .serverError),
        ("status-502", .serverError), ("page", .serverError), ("drop", .connection), ("truncated-1000-10", .connection),
        ("garbage-5", .connection), ("wrongcrc", .checksum), ("badcrc", .checksum), ("notjson", .malformedReply),
        ("status-200", .malformedReply), ("noise-4", .malformedReply),
    ])
    func triesAgain(script: String, reason: RetryReason) throws {
        let test = try client("\(script),\(script),ok")
        #expect(try test.call().withRoot { $0["Ok"]?.boolean } == true)
        #expect(test.retries.all.map(\.reason) == [reason, reason])
        #expect(test.retries.all.map(\.attempts) == [1, 2])
    }

    @Test(arguments: [
        ("error-ValidationException", AWSError.Code.validation, 1),
        ("error-ResourceNotFoundException", .noSuchResource, 1),
        ("error-AccessDeniedException", .accessDenied, 1), ("error-UnrecognizedClientException", .credentials, 1),
        ("error-ConditionalCheckFailedException", .conditionFailed, 1),
        ("error-LimitExceededException", .limitExceeded, 1),
        ("error-ResourceInUseException", .resourceInUse, 1),
        ("error-OddException", .other(exception: "OddException"), 1),
        ("status-404", .other(exception: "HTTP 404"), 1), ("redirect", .other(exception: "HTTP 302"), 1),
        ("error-ExpiredTokenException", .expiredCredentials, 1), ("bytes-5000000", .malformedReply, 1),
        ("page-403", .other(exception: "HTTP 403"), 1),
        ("error-InternalServerError-500", .server, 11), ("drop", .network, 4), ("wrongcrc", .malformedReply, 11),
        ("notjson", .malformedReply, 4), ("error-InvalidSignatureException", .credentials, 1),
    ])
    func givesUp(script: String, code: AWSError.Code, attempts: Int) throws {
        let test = try client(script)
        let error = try #require(test.failure("GetItem"))
        #expect(error.code == code)
        #expect(error.attempts == attempts)
        #expect(error.action == "GetItem")
        #expect(error.region == "eu-central-1")
        #expect(error.credentialsSource == "the test")
        #expect(error.requestID == (script.hasPrefix("error") || script == "notjson" ? "REQUEST" : nil))
        #expect(error.description.contains("GetItem in region eu-central-1: "))
        #expect(error.description.contains("credentials from the test"))
        #expect(!error.description.contains("secret/test"))
        if script.hasPrefix("error"), code != .expiredCredentials { #expect(error.message.hasPrefix("about ")) }
    }

    /// A byte now and then does not hold a call for as long as its time-out.
    @Test func slowAnswersAreGivenUp() throws {
        var policy = RetryPolicy()
        policy.maximumTimeouts = 1
        let healing = try client("trickle,ok", policy: policy, slowSeconds: 1)
        #expect(try healing.call().withRoot { $0["Ok"]?.boolean } == true)
        #expect(healing.retries.all.map(\.reason) == [.timeout])
        let lasting = try client("trickle", policy: policy, slowSeconds: 1)
        let error = try #require(lasting.failure())
        #expect(error.code == .network && error.attempts == 2)
        #expect(error.message.contains("too slow"), "\(error.message)")
    }

    @Test func waitsLongerEachTimeAndASecondAtLeastWhenTheBudgetIsSpent() throws {
        var policy = RetryPolicy()
        policy.random = { 1 }
        policy.maximumRetries = 12
        let test = try client("status-500", policy: policy)
        _ = test.failure()
        let expected = [50, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 20_000, 20_000, 20_000]
        #expect(test.retries.all.map(\.delay) == expected.map { .milliseconds($0) })
        // 500 tokens pay for 100 retries: all of eight calls, and four of the ninth. The limits of its fifth, and of the
        // first five of the tenth, are raised.
        for _ in 0..<9 { _ = test.failure() }
        let delays = test.retries.all.map(\.delay)
        #expect(delays.filter { $0 == .seconds(1) }.count == 6)
        #expect(delays[100...].allSatisfy { $0 >= .seconds(1) })
    }

    @Test func waitsOutThrottlesWhileAnythingSucceeds() throws {
        var policy = RetryPolicy()
        policy.random = { 1 }
        // More throttles than attempts are allowed for other failures; ten minutes of them are enough.
        let alone = try client("error-SlowDown", policy: policy)
        let error = try #require(alone.failure())
        #expect(error.code == .throttled)
        #expect(error.attempts > 30)
        #expect(alone.clock.elapsed >= .seconds(600) && alone.clock.elapsed < .seconds(640))
        // The same, with the success of another call in the middle of it.
        let script = Array(repeating: "unless-SlowDown", count: 45).joined(separator: ",")
        let helped = try client("\(script),ok", policy: policy)
        let other = helped.client
        helped.hook.closure.withLock { closure in
            closure = { if $0.attempts == 20 { _ = try? other.call("GetItem", body: []) } }
        }
        #expect(helped.failure() == nil)
        #expect(helped.clock.elapsed > .seconds(640))
        #expect(helped.retries.all.allSatisfy { $0.reason == .throttled })
    }

    @Test func correctsTheClockOnce() throws {
        for name in ["InvalidSignatureException", "RequestExpired", "SignatureDoesNotMatch", "RequestTimeTooSkewed"] {
            for seconds in [3600, 900] {
                let test = try client("skewed-\(seconds)-\(name)")
                #expect(test.failure() == nil)
                #expect(test.retries.all.map(\.reason) == [.clockSkew])
                #expect(test.retries.all.map(\.delay) == [.zero])
                // From now on without a detour.
                #expect(test.failure() == nil)
                #expect(test.retries.all.count == 1)
                let ahead = test.client.serverNow.seconds - TimeSource.system.now().seconds
                #expect(abs(ahead - seconds) < 5)
            }
        }
    }

    /// Keys that change when they are refused.
    private final class Changing: CredentialsProvider {
        private let current = Mutex(1)

        func credentials() -> Credentials { keys(current.withLock { $0 }) }

        func credentials(replacing rejected: Credentials) -> Credentials {
            keys(
                current.withLock { number in
                    if rejected.accessKeyID == "AKID\(number)" { number += 1 }
                    return number
                })
        }

        private func keys(_ number: Int) -> Credentials {
            Credentials(accessKeyID: "AKID\(number)", secretAccessKey: "secret/x", source: "place \(number)")
        }
    }

    @Test func takesNewCredentialsOnce() throws {
        let test = try client("keyonly-AKID2", credentials: Changing())
        #expect(test.failure() == nil)
        #expect(test.failure() == nil)
        #expect(test.retries.all.map(\.reason) == [.expiredCredentials])
        let hopeless = try client("keyonly-AKID9", credentials: Changing())
        let error = try #require(hopeless.failure())
        #expect(error.code == .expiredCredentials)
        #expect(error.credentialsSource == "place 2")
        #expect(error.attempts == 2)
    }

    @Test func manyThreadsShareAClient() throws {
        let test = try client("ok")
        let failures = Record<AWSError>()
        let client = test.client
        DispatchQueue.concurrentPerform(iterations: 16) { thread in
            for number in 0..<20 {
                do throws(AWSError) {
                    let text = "\(thread) \(number)"
                    let reply = try client.call("Scan", body: Array(text.utf8))
                    reply.withRoot { root in #expect(root["Body"]?.text == text) }
                } catch {
                    failures.add(error)
                }
            }
        }
        #expect(failures.all.isEmpty)
    }

    @Test func survivesAnyBody() throws {
        var policy = RetryPolicy()
        policy.maximumMalformedReplies = 0
        for seed in 0..<40 {
            let error = try #require(try client("noise-\(seed)", policy: policy).failure())
            #expect(error.code == .malformedReply)
        }
    }

    @Test func stopsWhenCancelled() throws {
        let stop = Mutex(false)
        let test = try TestClient("\(server.url)/status-500/cancel", isCancelled: { stop.withLock { $0 } })
        stop.withLock { $0 = true }
        #expect(test.failure()?.code == .cancelled)
        // In the middle of the waits.
        let counted = Mutex(0)
        let later = try TestClient(
            "\(server.url)/status-500/cancellater",
            isCancelled: {
                counted.withLock { count in
                    count += 1
                    return count > 40
                }
            })
        #expect(later.failure()?.code == .cancelled)
    }
}
