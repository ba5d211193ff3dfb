import Glibc
import Telemetry
import Testing

/// A pipe (or a terminal) whose far end collects what an output writes.
final class Pipe {
    let output: TerminalOutput
    private let reading: Int32
    private let writing: Int32

    init() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        (reading, writing) = (ends[0], ends[1])
        output = TerminalOutput(descriptor: writing)
    }

    /// Everything written so far; at most a pipe's capacity of 64 KiB. Nothing can be written afterwards.
    func text() -> String {
        close(writing)
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while case let count = read(reading, &buffer, buffer.count), count > 0 { text += buffer[..<count] }
        close(reading)
        return String(decoding: text, as: UTF8.self)
    }
}
