import CMicroHTTPD
import Glibc

/// What the library's callbacks need to know.
final class Service: Sendable {
    let handler: HTTPServer.Handler
    let admits: HTTPServer.Admission?
    let maximumBytes: Int
    let certificate: HeldText?
    let key: HeldText?
    let clientAuthority: HeldText?

    init(
        _ handler: @escaping HTTPServer.Handler, _ admits: HTTPServer.Admission?, maximumBytes: Int,
        _ tls: HTTPServer.TLS?
    ) {
        self.handler = handler
        self.admits = admits
        self.maximumBytes = maximumBytes
        certificate = tls.map { HeldText($0.certificate) }
        key = tls.map { HeldText($0.key) }
        clientAuthority = tls?.clientAuthority.map { HeldText($0) }
    }
}

/// A text with a zero byte at its end that stays where it is; overwritten when it goes, since it may be a key.
// Unchecked: nothing changes until `deinit`.
final class HeldText: @unchecked Sendable {
    private let start: UnsafeMutableBufferPointer<CChar>

    init(_ text: String) {
        let bytes = text.utf8CString
        start = .allocate(capacity: bytes.count)
        _ = start.initialize(from: bytes)
    }

    deinit {
        if let base = start.baseAddress { explicit_bzero(base, start.count) }
        start.deallocate()
    }

    var text: UnsafePointer<CChar>? { UnsafePointer(start.baseAddress) }
}

/// A request whose body is still arriving.
private final class PendingRequest {
    var body: [UInt8] = []
    var isTooLarge = false
}

/// Called by the library when the headers are there, then with each piece of the body, then with none.
let serveRequest: MHD_AccessHandlerCallback = { context, connection, url, method, _, data, dataCount, state in
    guard let context, let connection, let url, let method, let dataCount, let state else { return .NO }
    let service = Unmanaged<Service>.fromOpaque(context).takeUnretainedValue()
    guard let known = state.pointee else {
        let pending = PendingRequest()
        let announced = MHD_lookup_connection_value(connection, .HEADER_KIND, "Content-Length")
        let length = announced.flatMap { Int(String(cString: $0)) } ?? 0
        state.pointee = Unmanaged.passRetained(pending).toOpaque()
        // Answered before the body is read, so that nothing is kept of it.
        if length > service.maximumBytes { return send(tooLarge(service), on: connection) }
        let hasBody = length > 0 || MHD_lookup_connection_value(connection, .HEADER_KIND, "Transfer-Encoding") != nil
        if hasBody, let admits = service.admits {
            if let refusal = admits(read(connection, method, url)) { return send(refusal, on: connection) }
        }
        pending.body.reserveCapacity(length)
        return .YES
    }
    let pending = Unmanaged<PendingRequest>.fromOpaque(known).takeUnretainedValue()
    if dataCount.pointee > 0 {
        if pending.body.count + dataCount.pointee > service.maximumBytes {
            pending.isTooLarge = true
            pending.body = []
        } else if !pending.isTooLarge, let data {
            pending.body.append(contentsOf: UnsafeRawBufferPointer(start: data, count: dataCount.pointee))
        }
        dataCount.pointee = 0
        return .YES
    }
    if pending.isTooLarge { return send(tooLarge(service), on: connection) }
    let request = read(connection, method, url, pending.body)
    pending.body = []
    return send(service.handler(request), on: connection)
}

private func read(
    _ connection: OpaquePointer, _ method: UnsafePointer<CChar>, _ url: UnsafePointer<CChar>, _ body: [UInt8] = []
) -> HTTPServerRequest {
    HTTPServerRequest(
        method: String(cString: method), path: String(cString: url), query: query(of: connection),
        headers: pairs(of: connection, .HEADER_KIND).map { ($0.name.lowercased(), $0.value ?? "") },
        body: body, isClientKnown: sealift_http_client_is_known(connection) == 1)
}

/// Called by the library when a request is done with, however it ended.
let forgetRequest: MHD_RequestCompletedCallback = { _, _, state, _ in
    guard let state, let known = state.pointee else { return }
    Unmanaged<PendingRequest>.fromOpaque(known).release()
    state.pointee = nil
}

private func tooLarge(_ service: Service) -> HTTPServerResponse {
    HTTPServerResponse(status: 413, text: "The request is larger than \(service.maximumBytes) bytes.\n")
}

/// Headers or query arguments in the order sent; an argument without `=` has no value.
private func pairs(
    of connection: OpaquePointer, _ kind: MHD_ValueKind
) -> [(name: String, value: String?)] {
    final class Collector {
        var found: [(name: String, value: String?)] = []
    }
    let collector = Collector()
    MHD_get_connection_values(
        connection, kind,
        { context, _, name, value in
            guard let context, let name else { return .NO }
            Unmanaged<Collector>.fromOpaque(context).takeUnretainedValue().found.append(
                (String(cString: name), value.map { String(cString: $0) }))
            return .YES
        }, Unmanaged.passUnretained(collector).toOpaque())
    return withExtendedLifetime(collector) { collector.found }
}

/// The query put together again; its escapes were left as they came.
private func query(of connection: OpaquePointer) -> String {
    pairs(of: connection, .GET_ARGUMENT_KIND).map { name, value in value.map { "\(name)=\($0)" } ?? name }
        .joined(separator: "&")
}

private func send(_ answer: HTTPServerResponse, on connection: OpaquePointer) -> MHD_Result {
    let made: OpaquePointer?
    switch answer.delivery {
    case .whole where answer.stream != nil: made = makeStreamed(answer)
    case .dropped: return .NO
    case .whole:
        let held = Unmanaged.passRetained(answer.body)
        let bytes = answer.body.bytes
        made = MHD_create_response_from_buffer_with_free_callback_cls(
            bytes.count, UnsafeMutableRawPointer(mutating: bytes.baseAddress), releaseBody, held.toOpaque())
        if made == nil { held.release() }
    case .truncated(let count):
        let held = Unmanaged.passRetained(CutBody(answer.body, count: count))
        made = MHD_create_response_from_callback(
            UInt64(answer.body.count), 64 << 10, readCutBody, held.toOpaque(), releaseCutBody)
        if made == nil { held.release() }
    }
    guard let response = made else { return .NO }
    defer { MHD_destroy_response(response) }
    for (name, value) in answer.headers { MHD_add_response_header(response, name, value) }
    return MHD_queue_response(connection, UInt32(answer.status), response)
}

private func makeStreamed(_ answer: HTTPServerResponse) -> OpaquePointer? {
    guard let stream = answer.stream else { return nil }
    let held = Unmanaged.passRetained(StreamedBody(stream))
    let made = MHD_create_response_from_callback(
        Reading.unknownSize, 32 << 10, readStreamedBody, held.toOpaque(), releaseStreamedBody)
    if made == nil { held.release() }
    return made
}

/// A body that comes piece by piece.
// Unchecked: only the connection's thread touches the rest.
private final class StreamedBody: @unchecked Sendable {
    private let stream: any HTTPServerStream
    private var rest: ArraySlice<UInt8> = []

    init(_ stream: any HTTPServerStream) { self.stream = stream }

    deinit { stream.close() }

    /// - Returns: Bytes written; `nil` at the end.
    func read(into room: UnsafeMutableRawBufferPointer) -> Int? {
        while rest.isEmpty {
            guard let piece = stream.next() else { return nil }
            rest = piece[...]
        }
        let count = min(rest.count, room.count)
        room.copyBytes(from: rest.prefix(count))
        rest = rest.dropFirst(count)
        return count
    }
}

private let readStreamedBody: MHD_ContentReaderCallback = { context, _, room, capacity in
    guard let context, let room else { return Reading.failed }
    let body = Unmanaged<StreamedBody>.fromOpaque(context).takeUnretainedValue()
    return body.read(into: UnsafeMutableRawBufferPointer(start: room, count: capacity)) ?? Reading.ended
}

private let releaseStreamedBody: MHD_ContentReaderFreeCallback = { context in
    if let context { Unmanaged<StreamedBody>.fromOpaque(context).release() }
}

private let releaseBody: MHD_ContentReaderFreeCallback = { context in
    if let context { Unmanaged<HTTPServerBody>.fromOpaque(context).release() }
}

/// A body that ends too early.
private final class CutBody: Sendable {
    let body: HTTPServerBody
    let count: Int

    init(_ body: HTTPServerBody, count: Int) {
        self.body = body
        self.count = min(max(count, 0), body.count)
    }
}

private let readCutBody: MHD_ContentReaderCallback = { context, position, room, capacity in
    guard let context, let room else { return Reading.failed }
    let cut = Unmanaged<CutBody>.fromOpaque(context).takeUnretainedValue()
    guard let position = Int(exactly: position), position < cut.count, let base = cut.body.bytes.baseAddress else {
        return Reading.failed
    }
    let count = min(capacity, cut.count - position)
    UnsafeMutableRawPointer(room).copyMemory(from: base + position, byteCount: count)
    return count
}

private let releaseCutBody: MHD_ContentReaderFreeCallback = { context in
    if let context { Unmanaged<CutBody>.fromOpaque(context).release() }
}

private enum Reading {
    /// MHD_CONTENT_READER_END_WITH_ERROR, a macro with a cast: the connection is closed.
    static let failed = -2
    /// MHD_CONTENT_READER_END_OF_STREAM.
    static let ended = -1
    /// MHD_SIZE_UNKNOWN: the answer is sent in chunks.
    static let unknownSize = UInt64.max
}
