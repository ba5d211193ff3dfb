import HTTPClient
package import JSON

/// What a service answered to a call that succeeded: a JSON text, already parsed. For one thread.
package final class ServiceReply {
    private let response: HTTPResponse
    private let tools: CallTools
    private let node: JSONNode
    private let recycle: (CallTools) -> Void

    init(
        response: HTTPResponse, tools: CallTools, root: JSONNode, recycle: @escaping (CallTools) -> Void
    ) {
        self.response = response
        self.tools = tools
        self.node = root
        self.recycle = recycle
    }

    deinit { recycle(tools) }

    package var status: Int { response.status }

    /// Names the request to AWS's support.
    package var requestID: String? { response.headers["x-amzn-RequestId"] }

    /// Bytes of the body.
    package var bodyCount: Int { response.bodyCount }

    /// The root of the JSON text; it and everything below it is borrowed for the call.
    package func withRoot<Result, Failure: Error>(
        _ use: (JSONNode) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { withExtendedLifetime(self) {} }
        return try use(node)
    }

    /// The body's bytes, borrowed for the call.
    package func withBody<Result, Failure: Error>(
        _ use: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try response.withBody(use)
    }
}
