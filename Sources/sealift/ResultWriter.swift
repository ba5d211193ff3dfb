import Glibc

/// Writes many lines of a result to a file or to standard output, in large pieces.
final class ResultWriter {
    private static let flushBytes = 256 << 10

    private let descriptor: Int32
    private let isOwn: Bool
    private var buffer: [UInt8] = []
    /// Whether whoever reads the output has gone.
    private(set) var isClosed = false

    /// - Parameter path: A file to create with mode 0600, or `-` for standard output.
    /// - Throws: If the file cannot be created.
    init(path: String = "-") throws {
        isOwn = path != "-"
        descriptor = isOwn ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600) : 1
        guard descriptor >= 0 else { throw OutputFailure(path: path, number: errno) }
    }

    deinit {
        if isOwn { close(descriptor) }
    }

    func write(_ bytes: some Sequence<UInt8>) throws {
        buffer.append(contentsOf: bytes)
        if buffer.count >= Self.flushBytes { try flush() }
    }

    func writeLine(_ text: String) throws {
        try write(text.utf8)
        try write(CollectionOfOne(UInt8(ascii: "\n")))
    }

    func flush() throws {
        var written = 0
        while written < buffer.count {
            let count = buffer.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress.map { $0 + written }, $0.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw OutputFailure(path: isOwn ? "the file" : "standard output", number: errno) }
            written += count
        }
        buffer.removeAll(keepingCapacity: true)
    }
}

/// The result cannot be written.
struct OutputFailure: Error, CustomStringConvertible {
    let path: String
    let number: Int32

    var description: String { "write \(path): \(String(cString: strerror(number)))" }
}
