package import HTTPClient
import JSON
import Synchronization
import Zlib

/// Calls a service of AWS that speaks JSON 1.0 or 1.1, from any number of threads at once.
///
/// Each call is signed, its answer's checksum (`x-amz-crc32`) verified and its JSON parsed before it counts; what fails
/// in a way that may heal is tried again as ``RetryPolicy`` says. Only for operations that may be repeated.
package final class JSONServiceClient: Sendable {
    /// What is called, and how.
    package struct Service: Sendable {
        package var endpoint: ServiceEndpoint
        package var region: String
        /// The name that signatures carry, such as `dynamodb`.
        package var signingName: String
        /// What stands before the action in `X-Amz-Target`, such as `DynamoDB_20120810`.
        package var targetPrefix: String
        /// `1.0` or `1.1`.
        package var protocolVersion: String

        package init(
            endpoint: ServiceEndpoint, region: String, signingName: String, targetPrefix: String,
            protocolVersion: String = "1.0"
        ) {
            self.endpoint = endpoint
            self.region = region
            self.signingName = signingName
            self.targetPrefix = targetPrefix
            self.protocolVersion = protocolVersion
        }
    }

    /// What all calls share.
    struct Shared {
        /// Seconds that the server's clock is ahead, taken into signatures once a difference was refused.
        var signingOffset = 0
        /// The same as the latest answer's date says, from the first one on.
        var observedOffset: Int?
        var hasAnswered = false
        var lastSuccess: Duration?
        var idleTools: [CallTools] = []
    }

    /// Tools kept for later calls.
    private static let maximumIdle = 64
    /// Signatures are refused for their date from about five minutes on; a smaller difference is another fault.
    static let leastSkew = 4 * 60

    package let service: Service
    let credentials: any CredentialsProvider
    let policy: RetryPolicy
    let time: TimeSource
    let onRetry: @Sendable (RetryEvent) -> Void
    let isCancelled: @Sendable () -> Bool
    let shared = Mutex(Shared())
    let budget = RetryBudget()
    private let http: HTTPClient

    /// - Parameters:
    ///   - onRetry: Called before each wait, from any thread.
    ///   - isCancelled: Asked often, from any thread; ends requests and waits.
    package init(
        _ service: Service, credentials: any CredentialsProvider, http: HTTPClient, policy: RetryPolicy = RetryPolicy(),
        time: TimeSource = .system, onRetry: @escaping @Sendable (RetryEvent) -> Void = { _ in },
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) {
        self.service = service
        self.credentials = credentials
        self.http = http
        self.policy = policy
        self.time = time
        self.onRetry = onRetry
        self.isCancelled = isCancelled
    }

    /// The service's time, as its answers say; the system's before the first one.
    package var serverNow: Timestamp {
        let offset = shared.withLock { $0.observedOffset ?? $0.signingOffset }
        return Timestamp(seconds: time.now().seconds + offset)
    }

    /// Closes connections and frees memory that no call uses now.
    package func letIdleGo() {
        let idle = shared.withLock { shared in
            defer { shared.idleTools = [] }
            return shared.idleTools
        }
        // Freed outside the lock.
        withExtendedLifetime(idle) {}
        http.letIdleGo()
    }

    /// Calls an operation and waits for its answer, through as many attempts as the policy allows.
    ///
    /// - Parameters:
    ///   - action: The operation, such as `Scan`.
    ///   - body: The JSON text of the request.
    /// - Throws: ``AWSError``, once trying again cannot help or did not.
    package func call(_ action: StaticString, body: [UInt8]) throws(AWSError) -> ServiceReply {
        var call = Call(action: "\(action)", started: time.elapsed())
        let tools: CallTools
        do throws(CredentialsError) {
            tools = try takeTools()
        } catch {
            throw finished(AWSError(code: .other(exception: "signing"), message: error.description), call)
        }
        do throws(AWSError) {
            while true {
                let failure: ServiceFailure
                switch try attempt(&call, body, tools) {
                case .answered(let response, let root):
                    succeeded(call)
                    return ServiceReply(response: response, tools: tools, root: root) { [self] in recycle($0) }
                case .failed(let found): failure = found
                }
                try prepareRetry(after: failure, &call)
            }
        } catch {
            recycle(tools)
            throw finished(error, call)
        }
    }

    private enum Outcome {
        case answered(HTTPResponse, JSONNode)
        case failed(ServiceFailure)
    }

    /// One request and its answer.
    private func attempt(_ call: inout Call, _ body: [UInt8], _ tools: CallTools) throws(AWSError) -> Outcome {
        let request = try signedRequest(&call, body, tools)
        call.attempts += 1
        call.status = nil
        call.requestID = nil
        let response: HTTPResponse
        do throws(HTTPError) {
            response = try body.withUnsafeBufferPointer { body throws(HTTPError) in
                try http.perform(request, body: UnsafeRawBufferPointer(body), isCancelled: isCancelled)
            }
        } catch {
            return .failed(ServiceFailure(error))
        }
        call.status = response.status
        call.requestID = response.headers["x-amzn-RequestId"].map { shown($0.utf8.prefix(100)) }
        noteDate(of: response, &call)
        return outcome(of: response, to: request, tools)
    }

    private func outcome(of response: HTTPResponse, to request: HTTPRequest, _ tools: CallTools) -> Outcome {
        if let stated = response.headers["x-amz-crc32"] {
            let actual = response.withBody { crc32($0) }
            guard UInt32(stated) == actual else {
                return .failed(
                    ServiceFailure(.checksum, .malformedReply, "the answer's checksum (x-amz-crc32) is wrong"))
            }
        }
        let isSuccess = (200..<300).contains(response.status)
        do throws(JSONError) {
            let root = try response.withBody { bytes throws(JSONError) in try tools.parser.parse(bytes) }
            if isSuccess { return .answered(response, root) }
            return .failed(
                ServiceFailure(
                    status: response.status, errorType: response.headers["x-amzn-ErrorType"], body: root))
        } catch {
            let foreign = ForeignAnswer(response, to: request)?.message
            if isSuccess {
                return .failed(
                    ServiceFailure(.malformedReply, .malformedReply, foreign ?? "the answer is not JSON (\(error))"))
            }
            var failure = ServiceFailure(
                status: response.status, errorType: response.headers["x-amzn-ErrorType"], body: nil)
            if let foreign { failure.error.message = foreign }
            return .failed(failure)
        }
    }

    private func signedRequest(
        _ call: inout Call, _ body: [UInt8], _ tools: CallTools
    ) throws(AWSError) -> HTTPRequest {
        let endpoint = service.endpoint
        var request = SignableRequest(
            method: "POST", path: endpoint.path,
            headers: [
                ("Host", endpoint.host), ("Content-Type", "application/x-amz-json-\(service.protocolVersion)"),
                ("X-Amz-Target", "\(service.targetPrefix).\(call.action)"),
            ])
        let keys = try currentKeys(&call)
        let offset = shared.withLock { $0.signingOffset }
        do {
            try body.withUnsafeBytes {
                try tools.signature.sign(
                    &request, body: $0, credentials: keys, at: Timestamp(seconds: time.now().seconds + offset),
                    region: service.region, service: service.signingName)
            }
        } catch {
            throw AWSError(code: .other(exception: "signing"), message: "\(error)")
        }
        // Not signed: proxies may change it.
        request.headers.append(("User-Agent", "sealift"))
        return HTTPRequest(method: "POST", url: endpoint.description, headers: request.headers)
    }

    private func takeTools() throws(CredentialsError) -> CallTools {
        if let tools = shared.withLock({ $0.idleTools.popLast() }) { return tools }
        return try CallTools()
    }

    private func recycle(_ tools: CallTools) {
        shared.withLock { if $0.idleTools.count < Self.maximumIdle { $0.idleTools.append(tools) } }
    }
}
