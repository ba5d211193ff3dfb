import HTTPServer
import RaftFormat
import Storage
import Synchronization
import Telemetry

extension ClusterAPI {
    /// Bytes of a page of entries, unless asked for fewer.
    private static let pageBytes = 4 << 20

    /// Has a command committed and applied.
    func write(_ request: HTTPServerRequest) throws(ClusterError) -> HTTPServerResponse {
        guard !request.body.isEmpty else { throw ClusterError(.refused, "The request has no command.") }
        counters.commands.add(1, ordering: .relaxed)
        counters.commandBytes.add(request.body.count, ordering: .relaxed)
        let result = try node.propose(request.body, timeout: Self.timeout)
        switch result.outcome {
        case .malformed:
            throw ClusterError(
                .refused, "The command is damaged, or has a key that cannot be kept (1 to 32768 bytes can be).")
        case .applied, .superseded, .conflict:
            return .json(
                .object([
                    ("index", .integer(Int(clamping: result.index))),
                    ("is_applied", .boolean(result.outcome == .applied)),
                    ("is_conflict", .boolean(result.outcome == .conflict)),
                ]))
        }
    }

    /// Has commands committed and applied in their order: each is a u32 with its length, big-endian, and its bytes.
    func writeAll(_ request: HTTPServerRequest) throws(ClusterError) -> HTTPServerResponse {
        var commands: [[UInt8]] = []
        var place = 0
        let body = request.body
        while place < body.count {
            guard body.count - place >= 4 else { throw Self.cutOff }
            let count = body[place..<(place + 4)].reduce(0) { $0 << 8 | Int($1) }
            guard count > 0, count <= body.count - place - 4, commands.count < 4096 else { throw Self.cutOff }
            commands.append(Array(body[(place + 4)..<(place + 4 + count)]))
            place += 4 + count
        }
        guard !commands.isEmpty else { throw ClusterError(.refused, "The request has no command.") }
        counters.commands.add(commands.count, ordering: .relaxed)
        counters.commandBytes.add(body.count, ordering: .relaxed)
        let results = try node.propose(all: commands, timeout: Self.timeout)
        if results.contains(where: { $0.outcome == .malformed || $0.outcome == .conflict }) {
            throw ClusterError(.refused, "A command is damaged, or has a key that cannot be kept, or a condition.")
        }
        return .json(.object([("index", .integer(Int(clamping: results.last?.index ?? 0)))]))
    }

    private static let cutOff = ClusterError(.refused, "The request does not hold whole commands.")

    func page(_ request: HTTPServerRequest) throws -> HTTPServerResponse {
        let lower = try key(request, "from")
        let after = try key(request, "after")
        let upper = try key(request, "to")
        let bytes = min(request.argument("bytes").flatMap { Int($0) } ?? Self.pageBytes, 16 << 20)
        let entries = request.argument("entries").flatMap { Int($0) } ?? .max
        try node.confirm(timeout: Self.timeout)
        let page = try node.parts.applier.current.page(
            from: lower, after: after, to: upper, bytes: max(bytes, 1), entries: max(entries, 1),
            keysOnly: request.argument("keys") == "true")
        return Self.frames(page.frames, isEnd: page.isEnd)
    }

    /// Status 204 if there is no such entry: 404 is what any server says of a path that it does not know.
    func entry(_ request: HTTPServerRequest) throws -> HTTPServerResponse {
        guard let key = try key(request, "key") else { throw ClusterError(.refused, "Name a key.") }
        try node.confirm(timeout: Self.timeout)
        guard let value = try node.parts.applier.current.get(key) else {
            return HTTPServerResponse(status: 204, body: HTTPServerBody(capacity: 0))
        }
        return HTTPServerResponse(
            status: 200, headers: [("Content-Type", "application/octet-stream")], body: HTTPServerBody(copying: value))
    }

    func list(_ request: HTTPServerRequest) throws -> HTTPServerResponse {
        let prefix = try key(request, "prefix") ?? []
        try node.confirm(timeout: Self.timeout)
        var frames: [UInt8] = []
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        for name in try node.parts.applier.current.list(prefix) {
            name.withUnsafeBytes { EntryFrame.append($0, none, to: &frames) }
        }
        return Self.frames(frames, isEnd: true)
    }

    private static func frames(_ frames: [UInt8], isEnd: Bool) -> HTTPServerResponse {
        HTTPServerResponse(
            status: 200,
            headers: [("Content-Type", "application/octet-stream"), ("X-Sealift-End", isEnd ? "true" : "false")],
            body: HTTPServerBody(copying: frames))
    }

    /// A key of the query, which has them in hexadecimal; `nil` if it has none.
    private func key(_ request: HTTPServerRequest, _ name: String) throws(ClusterError) -> [UInt8]? {
        guard let text = request.argument(name) else { return nil }
        let digits = Array(text.utf8)
        var bytes: [UInt8] = []
        guard digits.count.isMultiple(of: 2) else { throw Self.badKey(name) }
        for place in stride(from: 0, to: digits.count, by: 2) {
            guard let high = hexDigitValue(digits[place]), let low = hexDigitValue(digits[place + 1]) else {
                throw Self.badKey(name)
            }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func badKey(_ name: String) -> ClusterError {
        ClusterError(.refused, "\(name) must be a key in hexadecimal.")
    }

    /// Asks every node for the digest of what it holds behind the command with the index that is answered.
    func prove() throws(ClusterError) -> HTTPServerResponse {
        var command = LogCommandWriter()
        command.prove()
        let result = try node.propose(command.bytes, timeout: Self.timeout)
        return .json(.object([("index", .integer(Int(clamping: result.index)))]))
    }
}
