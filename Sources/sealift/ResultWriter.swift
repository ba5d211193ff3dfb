import Glibc
import Telemetry

/// Writes many lines of a result to a file or to standard output, in large pieces.
final class ResultWriter {
    private static let flushBytes = 256 << 10

    private var descriptor: Int32
    /// The file; `nil` for standard output.
    private let path: String?
    private var buffer: [UInt8] = []

    /// - Parameter path: A file to create with mode 0600, or `-` for standard output.
    /// - Throws: If the file cannot be created.
    init(path: String = "-") throws {
        self.path = path == "-" ? nil : path
        descriptor = path == "-" ? 1 : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw OutputFailure(path: path, number: errno) }
    }

    deinit {
        if path != nil, descriptor >= 0 { close(descriptor) }
    }

    func write(_ bytes: some Sequence<UInt8>) throws {
        buffer.append(contentsOf: bytes)
        if buffer.count >= Self.flushBytes { try flush() }
    }

    func writeLine(_ text: String) throws {
        try write(text.utf8)
        try write(CollectionOfOne(UInt8(ascii: "\n")))
    }

    /// Writes the rest and makes sure that all of it has arrived; nothing can be written after that.
    ///
    /// - Parameter durably: Whether a file is also to be durable.
    func finish(durably: Bool = false) throws {
        try flush()
        guard let path else {
            if let number = TerminalOutput.standardOutput.settle() { throw OutputFailure(number: number) }
            return
        }
        // What is no file of a disk knows no sync.
        if durably, fsync(descriptor) != 0, errno != EINVAL { throw OutputFailure(path: path, number: errno) }
        // Some file systems tell only here that there was no room.
        let closed = close(descriptor)
        descriptor = -1
        guard closed == 0 else { throw OutputFailure(path: path, number: errno) }
    }

    /// Passes on what is held back.
    func flush() throws {
        if let number = buffer.withUnsafeBytes({ writeAll($0, to: descriptor) }) {
            throw OutputFailure(path: path, number: number)
        }
        buffer.removeAll(keepingCapacity: true)
    }
}

/// The result cannot be written.
struct OutputFailure: Error, CustomStringConvertible {
    /// The file; `nil` for standard output.
    var path: String?
    let number: Int32

    var description: String {
        let reason = String(cString: strerror(number))
        guard let path else {
            let hint =
                switch number {
                case EPIPE: "whoever was to read it has ended"
                case EBADF: "it is closed, or not open for writing"
                default: "make room there, or send it elsewhere"
                }
            return "the result could not be written to standard output: \(reason) (\(hint))."
        }
        return "write \(path): \(reason)"
    }
}
