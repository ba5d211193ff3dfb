import AWS
import Foundation
import HTTPClient
import JSON
import Synchronization
import TestSupport
import Testing

/// A clock that moves only when something waits.
final class VirtualClock: Sendable {
    private let passed = Mutex(Duration.zero)
    private let start: Timestamp

    init(at start: Timestamp = Timestamp(seconds: 1_700_000_000)) { self.start = start }

    var elapsed: Duration { passed.withLock { $0 } }

    func advance(_ duration: Duration) { passed.withLock { $0 += duration } }

    var source: TimeSource {
        TimeSource(
            now: { [self] in Timestamp(seconds: start.seconds + Int(elapsed.components.seconds)) },
            elapsed: { [self] in elapsed },
            wait: { [self] duration, isCancelled in if !isCancelled() { advance(duration) } })
    }
}

/// Values written from any thread.
final class Record<Value: Sendable>: Sendable {
    private let values = Mutex<[Value]>([])

    var all: [Value] { values.withLock { $0 } }

    func add(_ value: Value) { values.withLock { $0.append(value) } }
}

let testKeys = Credentials(accessKeyID: "AKIDTEST", secretAccessKey: "secret/test", source: "the test")

/// A client of the DynamoDB protocol with waits that take no time, and what it retried.
struct TestClient {
    let client: JSONServiceClient
    let retries = Record<RetryEvent>()
    let clock = VirtualClock()
    /// Called before each retry, once set.
    let hook = Hook()

    final class Hook: Sendable {
        let closure = Mutex<(@Sendable (RetryEvent) -> Void)?>(nil)
    }

    init(
        _ url: String, credentials: any CredentialsProvider = FixedCredentials(testKeys),
        policy: RetryPolicy = RetryPolicy(), realTime: Bool = false,
        slowSeconds: Int = 20,
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) throws {
        let retries = retries
        let hook = hook
        var time = clock.source
        // Signatures and the server's dates are of the real time.
        if realTime { time.now = TimeSource.system.now }
        let endpoint = try #require(ServiceEndpoint(url))
        var configuration = HTTPConfiguration(requestTimeout: .seconds(20), maximumBodyBytes: 4 << 20)
        configuration.slowSeconds = slowSeconds
        client = JSONServiceClient(
            JSONServiceClient.Service(
                endpoint: endpoint, region: "eu-central-1", signingName: "dynamodb", targetPrefix: "DynamoDB_20120810"),
            credentials: credentials,
            http: HTTPClient(configuration),
            policy: policy, time: time,
            onRetry: { event in
                retries.add(event)
                hook.closure.withLock { $0 }?(event)
            }, isCancelled: isCancelled)
    }

    func call(_ action: StaticString = "Scan", _ body: String = "{}") throws(AWSError) -> ServiceReply {
        try client.call(action, body: Array(body.utf8))
    }

    /// The error of a call that must fail.
    func failure(_ action: StaticString = "Scan", _ body: String = "{}") -> AWSError? {
        do throws(AWSError) {
            _ = try call(action, body)
            return nil
        } catch {
            return error
        }
    }
}

/// A thread of its own, so that what blocks does not hold up the tests' own pool.
final class TestThread: Sendable {
    private let isDone = DispatchSemaphore(value: 0)

    init(_ body: @escaping @Sendable () -> Void) {
        Thread.detachNewThread { [isDone] in
            body()
            isDone.signal()
        }
    }

    func join() { isDone.wait() }
}
