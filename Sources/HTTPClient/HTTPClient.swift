/// Sends requests from any number of threads at once, each over a connection of its own that is kept for the next.
///
/// Redirects are not followed: an answer of that kind comes back as it is.
package final class HTTPClient: Sendable {
    /// Idle connections and body buffers that are kept.
    private static let maximumIdle = 64

    private let configuration: HTTPConfiguration
    private let handles = Pool<CurlHandle>(capacity: maximumIdle)
    private let buffers = Pool<BodyBuffer>(capacity: maximumIdle)

    package init(_ configuration: HTTPConfiguration = HTTPConfiguration()) {
        self.configuration = configuration
    }

    /// Closes connections and frees buffers that nobody uses now.
    package func letIdleGo() {
        handles.removeAll()
        buffers.removeAll()
    }

    /// Sends a request and receives the whole answer, whatever its status.
    ///
    /// - Parameters:
    ///   - body: Borrowed for the call. With `GET` there is usually none.
    ///   - isCancelled: Asked in place of the configuration's.
    /// - Throws: ``HTTPError`` if there is no whole answer. Nothing is tried twice, except on a kept connection that
    ///   the server had closed meanwhile.
    package func perform(
        _ request: HTTPRequest, body: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0),
        isCancelled: (@Sendable () -> Bool)? = nil
    ) throws(HTTPError) -> HTTPResponse {
        let isCancelled = isCancelled ?? configuration.isCancelled
        guard !isCancelled() else {
            throw HTTPError(
                code: .cancelled, message: "The request to \(request.shownURL) was cancelled.", mayHaveBeenSent: false)
        }
        guard let handle = handles.take() ?? CurlHandle(configuration) else {
            throw HTTPError(code: .other, message: "libcurl cannot be started.", mayHaveBeenSent: false)
        }
        defer { handles.put(handle) }
        let buffer = buffers.take() ?? BodyBuffer()
        buffer.removeAll()
        let (status, headers) = try handle.perform(
            request, body: body, into: buffer, timeout: request.timeout ?? configuration.requestTimeout,
            maximumBodyBytes: configuration.maximumBodyBytes, isCancelled: isCancelled)
        return HTTPResponse(status: status, headers: headers, body: buffer, pool: buffers)
    }
}
