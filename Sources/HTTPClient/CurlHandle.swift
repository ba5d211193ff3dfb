import CCurl
import Glibc

/// One easy handle of libcurl with its connections, for one request at a time.
// Unchecked: whoever took it from the pool is its only user.
final class CurlHandle: @unchecked Sendable {
    /// All headers of one answer together, in bytes.
    static let maximumHeaderBytes = 64 << 10

    private let handle: UnsafeMutableRawPointer
    private let errorText: UnsafeMutablePointer<CChar>
    private let transfer = Transfer()
    private let usesProxies: Bool
    private let trustAdvice: String?

    /// What the callbacks touch.
    final class Transfer {
        var body: BodyBuffer?
        var headers = HTTPHeaders()
        var headerBytes = 0
        var maximumBodyBytes = 0
        var isTooLarge = false
        var pace = AnswerPace()
        var isCancelled: () -> Bool = { false }
    }

    init?(_ configuration: HTTPConfiguration) {
        guard Self.isStarted, let handle = curl_easy_init() else { return nil }
        self.handle = handle
        usesProxies = configuration.usesProxies && configuration.unixSocket == nil
        trustAdvice = configuration.trustAdvice
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        configure(configuration)
    }

    deinit {
        curl_easy_cleanup(handle)
        errorText.deallocate()
    }

    /// Once per process, before any handle.
    private static let isStarted = sealift_curl_start() == CURLE_OK

    private func configure(_ configuration: HTTPConfiguration) {
        let context = Unmanaged.passUnretained(transfer).toOpaque()
        sealift_curl_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText)
        sealift_curl_set_long(handle, CURLOPT_NOSIGNAL, 1)
        sealift_curl_set_long(handle, CURLOPT_FOLLOWLOCATION, 0)
        sealift_curl_set_text(handle, CURLOPT_PROTOCOLS_STR, "http,https")
        // DynamoDB and its like speak HTTP/1.1 only, and one connection a handle is what is wanted.
        sealift_curl_set_long(handle, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        sealift_curl_set_long(handle, CURLOPT_PATH_AS_IS, 1)
        sealift_curl_set_long(handle, CURLOPT_TCP_KEEPALIVE, 1)
        sealift_curl_set_long(handle, CURLOPT_BUFFERSIZE, 512 << 10)
        sealift_curl_set_long(
            handle, CURLOPT_CONNECTTIMEOUT_MS, Self.milliseconds(configuration.connectTimeout))
        if let path = configuration.unixSocket { sealift_curl_set_text(handle, CURLOPT_UNIX_SOCKET_PATH, path) }
        set(configuration.certificates, file: CURLOPT_CAINFO, text: CURLOPT_CAINFO_BLOB)
        set(configuration.clientCertificate, file: CURLOPT_SSLCERT, text: CURLOPT_SSLCERT_BLOB)
        set(configuration.clientKey, file: CURLOPT_SSLKEY, text: CURLOPT_SSLKEY_BLOB)
        transfer.pace.leastBytesPerSecond = configuration.leastBytesPerSecond
        transfer.pace.seconds = configuration.slowSeconds
        // What a proxy says before is no part of the answer.
        sealift_curl_set_long(handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        sealift_curl_set_write(handle, CURLOPT_WRITEFUNCTION, receiveBody)
        sealift_curl_set_pointer(handle, CURLOPT_WRITEDATA, context)
        sealift_curl_set_write(handle, CURLOPT_HEADERFUNCTION, receiveHeader)
        sealift_curl_set_pointer(handle, CURLOPT_HEADERDATA, context)
        sealift_curl_set_long(handle, CURLOPT_NOPROGRESS, 0)
        sealift_curl_set_progress(handle, progress)
        sealift_curl_set_pointer(handle, CURLOPT_XFERINFODATA, context)
    }

    private func set(_ pem: PEM?, file: CURLoption, text: CURLoption) {
        switch pem {
        case .file(let path): sealift_curl_set_text(handle, file, path)
        case .text(let words):
            var words = words
            words.withUTF8 { _ = sealift_curl_set_blob(handle, text, $0.baseAddress, $0.count) }
        case nil: break
        }
    }

    /// Sends one request and receives the answer into `body`.
    func perform(
        _ request: HTTPRequest, body requestBody: UnsafeRawBufferPointer, into body: BodyBuffer, timeout: Duration,
        maximumBodyBytes: Int, isCancelled: @escaping () -> Bool
    ) throws(HTTPError) -> (status: Int, headers: HTTPHeaders) {
        guard Self.isClean(request) else {
            throw HTTPError(
                code: .other,
                message: "The request to \(request.shownURL) has a control character in its method, URL or headers.",
                mayHaveBeenSent: false)
        }
        transfer.body = body
        transfer.headers.removeAll()
        transfer.headerBytes = 0
        transfer.maximumBodyBytes = maximumBodyBytes
        transfer.isTooLarge = false
        transfer.pace.begin()
        transfer.isCancelled = isCancelled
        defer {
            transfer.body = nil
            transfer.isCancelled = { false }
        }
        sealift_curl_set_long(handle, CURLOPT_TIMEOUT_MS, Self.milliseconds(timeout))
        sealift_curl_set_text(handle, CURLOPT_URL, request.url)
        // An empty proxy is none; no text means the environment's.
        sealift_curl_set_text(handle, CURLOPT_PROXY, usesProxies && !request.isLoopback ? nil : "")
        setBody(requestBody, method: request.method)
        let lines = Self.headerLines(request)
        defer { curl_slist_free_all(lines) }
        sealift_curl_set_list(handle, CURLOPT_HTTPHEADER, lines)
        defer { sealift_curl_set_list(handle, CURLOPT_HTTPHEADER, nil) }
        errorText[0] = 0
        let code = Self.withoutBrokenPipes { curl_easy_perform(handle) }
        guard code == CURLE_OK else { throw failure(code, request) }
        var status = 0
        sealift_curl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
        return (status, transfer.headers)
    }

    /// TLS writes to a connection that the server has closed raise SIGPIPE, and libcurl leaves that to its caller once
    /// it may touch no signals. It stays with the thread that wrote.
    private static func withoutBrokenPipes(_ body: () -> CURLcode) -> CURLcode {
        var pipe = sigset_t()
        sigemptyset(&pipe)
        sigaddset(&pipe, SIGPIPE)
        var before = sigset_t()
        pthread_sigmask(SIG_BLOCK, &pipe, &before)
        let code = body()
        if sigismember(&before, SIGPIPE) == 0 {
            var now = timespec()
            while sigtimedwait(&pipe, nil, &now) == SIGPIPE {}
            pthread_sigmask(SIG_SETMASK, &before, nil)
        }
        return code
    }

    private func setBody(_ body: UnsafeRawBufferPointer, method: String) {
        if method == "GET", body.isEmpty {
            sealift_curl_set_long(handle, CURLOPT_HTTPGET, 1)
            sealift_curl_set_text(handle, CURLOPT_CUSTOMREQUEST, nil)
            return
        }
        sealift_curl_set_long(handle, CURLOPT_POST, 1)
        sealift_curl_set_size(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count))
        // The bytes are borrowed for the transfer; libcurl only reads them.
        let base = body.baseAddress ?? UnsafeRawPointer(UnsafeMutableRawPointer(errorText))
        sealift_curl_set_pointer(handle, CURLOPT_POSTFIELDS, UnsafeMutableRawPointer(mutating: base))
        sealift_curl_set_text(handle, CURLOPT_CUSTOMREQUEST, method == "POST" ? nil : method)
    }

    /// The list libcurl wants; headers that it would add by itself are taken out unless the request has them.
    private static func headerLines(_ request: HTTPRequest) -> UnsafeMutablePointer<curl_slist>? {
        var lines: UnsafeMutablePointer<curl_slist>?
        for header in request.headers {
            // A name without value is written with a semicolon; with a colon it would remove the header.
            let line = header.value.isEmpty ? "\(header.name);" : "\(header.name): \(header.value)"
            lines = curl_slist_append(lines, line)
        }
        // A server that knows no `Expect` would cost a second of waiting.
        lines = curl_slist_append(lines, "Expect:")
        let hasType = request.headers.contains { $0.name.lowercased() == "content-type" }
        return hasType ? lines : curl_slist_append(lines, "Content-Type:")
    }

    /// Nothing in a request may end a line of it early.
    private static func isClean(_ request: HTTPRequest) -> Bool {
        func isClean(_ text: String) -> Bool { text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 } }
        return isClean(request.method) && isClean(request.url)
            && request.headers.allSatisfy { isClean($0.name) && isClean($0.value) && !$0.name.contains(":") }
    }

    private static func milliseconds(_ duration: Duration) -> Int {
        let (seconds, attoseconds) = duration.components
        // 0 would mean no limit at all.
        return max(Int(min(seconds, 1_000_000)) * 1000 + Int(attoseconds / 1_000_000_000_000_000), 1)
    }

    private func failure(_ code: CURLcode, _ request: HTTPRequest) -> HTTPError {
        var sent = 0
        sealift_curl_get_long(handle, CURLINFO_REQUEST_SIZE, &sent)
        var started = curl_off_t(0)
        sealift_curl_get_size(handle, CURLINFO_PRETRANSFER_TIME_T, &started)
        if transfer.isTooLarge {
            return HTTPError(
                code: .tooLarge,
                message: "The answer of \(request.shownURL) is larger than \(transfer.maximumBodyBytes) bytes, or its "
                    + "headers are larger than \(Self.maximumHeaderBytes).", mayHaveBeenSent: true)
        }
        let isTooSlow = transfer.pace.isTooSlow && code == CURLE_ABORTED_BY_CALLBACK
        var text = isTooSlow ? transfer.pace.complaint : String(cString: errorText)
        if text.isEmpty { text = String(cString: curl_easy_strerror(code)) }
        let shown = text.unicodeScalars.prefix(300).map { $0.value >= 0x20 && $0.value < 0x7f ? String($0) : "?" }
        let kind = isTooSlow ? .timedOut : Self.code(of: code, isSent: sent > 0, isConnected: started > 0)
        var message = "The request to \(request.shownURL) got no answer: \(shown.joined())."
        if kind == .tls, let trustAdvice { message += " \(trustAdvice)." }
        if usesProxies, let proxy = request.proxy { message += " A proxy may stand between: \(proxy) names one." }
        return HTTPError(code: kind, message: message, mayHaveBeenSent: sent > 0)
    }

    /// libcurl's manual page libcurl-errors(3) states when each comes.
    private static func code(of code: CURLcode, isSent: Bool, isConnected: Bool) -> HTTPError.Code {
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .cannotResolve
        case CURLE_COULDNT_CONNECT: .cannotConnect
        case CURLE_OPERATION_TIMEDOUT: isConnected ? .timedOut : .cannotConnect
        case CURLE_PARTIAL_FILE, CURLE_GOT_NOTHING, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_WEIRD_SERVER_REPLY:
            .connectionLost
        // What is not HTTP/1 comes as an unsupported protocol, HTTP/0.9; before sending it is the URL's scheme.
        case CURLE_UNSUPPORTED_PROTOCOL where isSent: .connectionLost
        case CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_PEER_FAILED_VERIFICATION,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED,
            CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_SSL_CRL_BADFILE,
            CURLE_USE_SSL_FAILED, CURLE_SSL_SHUTDOWN_FAILED:
            .tls
        case CURLE_ABORTED_BY_CALLBACK: .cancelled
        default: .other
        }
    }
}

private func receiveBody(
    bytes: UnsafeMutablePointer<CChar>?, size: Int, count: Int, context: UnsafeMutableRawPointer?
) -> Int {
    guard let bytes, let context else { return 0 }
    let transfer = Unmanaged<CurlHandle.Transfer>.fromOpaque(context).takeUnretainedValue()
    let received = UnsafeRawBufferPointer(start: bytes, count: size * count)
    guard let body = transfer.body else { return 0 }
    transfer.pace.received(received.count)
    guard received.count <= transfer.maximumBodyBytes - body.count else {
        transfer.isTooLarge = true
        return 0
    }
    body.append(received)
    return received.count
}

private func receiveHeader(
    bytes: UnsafeMutablePointer<CChar>?, size: Int, count: Int, context: UnsafeMutableRawPointer?
) -> Int {
    guard let bytes, let context else { return 0 }
    let transfer = Unmanaged<CurlHandle.Transfer>.fromOpaque(context).takeUnretainedValue()
    let line = UnsafeRawBufferPointer(start: bytes, count: size * count)
    transfer.pace.received(line.count)
    // Each answer begins anew, those before the last one (100 Continue, a proxy's) too.
    if line.starts(with: "HTTP/".utf8) { transfer.headers.removeAll() }
    transfer.headerBytes += line.count
    guard transfer.headerBytes <= CurlHandle.maximumHeaderBytes else {
        transfer.isTooLarge = true
        return 0
    }
    transfer.headers.append(line)
    if line.count < 40, let length = HTTPHeaders.announcedLength(line) {
        guard length <= transfer.maximumBodyBytes else {
            transfer.isTooLarge = true
            return 0
        }
        transfer.body?.reserve(length)
    }
    return line.count
}

private func progress(
    context: UnsafeMutableRawPointer?, _: curl_off_t, _: curl_off_t, _: curl_off_t, _: curl_off_t
) -> Int32 {
    guard let context else { return 1 }
    let transfer = Unmanaged<CurlHandle.Transfer>.fromOpaque(context).takeUnretainedValue()
    return transfer.isCancelled() || transfer.pace.check() ? 1 : 0
}
