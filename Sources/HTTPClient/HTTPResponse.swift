/// A server's whole answer. Its body's memory goes back to the client when the last reference goes.
// Unchecked: nothing changes after the initialiser.
package final class HTTPResponse: @unchecked Sendable {
    package let status: Int
    package let headers: HTTPHeaders
    private let body: BodyBuffer
    private let pool: Pool<BodyBuffer>

    init(status: Int, headers: HTTPHeaders, body: BodyBuffer, pool: Pool<BodyBuffer>) {
        self.status = status
        self.headers = headers
        self.body = body
        self.pool = pool
    }

    deinit {
        if body.isWorthKeeping { pool.put(body) }
    }

    package var bodyCount: Int { body.count }

    /// The body in one piece, borrowed for the call.
    package func withBody<Result, Failure: Error>(
        _ use: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let result: Result
        do throws(Failure) {
            result = try use(body.bytes)
        } catch {
            // The bytes must outlive the call, and `self` must outlive the bytes.
            withExtendedLifetime(self) {}
            throw error
        }
        withExtendedLifetime(self) {}
        return result
    }
}

/// The headers of an answer.
package struct HTTPHeaders: Sendable {
    private var lines: [(name: [UInt8], value: String)] = []

    init() {}

    package var count: Int { lines.count }

    /// The first value of that name, in whatever case it is written.
    package subscript(_ name: StaticString) -> String? {
        name.withUTF8Buffer { name in
            lines.first { line in
                line.name.count == name.count && zip(line.name, name).allSatisfy { Self.lower($0) == Self.lower($1) }
            }?.value
        }
    }

    /// Adds a line as received; one that is no header is left out.
    mutating func append(_ line: UnsafeRawBufferPointer) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0 else { return }
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0d || byte == 0x0a }
        var value = line[(colon + 1)...]
        while let first = value.first, isSpace(first) { value = value.dropFirst() }
        while let last = value.last, isSpace(last) { value = value.dropLast() }
        lines.append((Array(line[..<colon]), String(decoding: value, as: UTF8.self)))
    }

    /// The number behind `Content-Length`, if the line is that header and a sane one.
    static func announcedLength(_ line: UnsafeRawBufferPointer) -> Int? {
        let name: StaticString = "content-length:"
        guard line.count > name.utf8CodeUnitCount,
            name.withUTF8Buffer({ zip($0, line).allSatisfy { $0 == lower($1) } })
        else { return nil }
        let digits = line.dropFirst(name.utf8CodeUnitCount).filter { $0 > 0x20 }
        return Int(String(decoding: digits, as: UTF8.self))
    }

    mutating func removeAll() {
        lines.removeAll(keepingCapacity: true)
    }

    private static func lower(_ byte: UInt8) -> UInt8 {
        byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
    }
}
