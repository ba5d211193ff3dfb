import Foundation
import Synchronization

/// A server written in Python, in `Tests/pythonprograms`, that runs on a free port of the loopback interface.
///
/// It prints its port on the first line and ends when its standard input does: with the tests' own process at the latest.
// Unchecked: nothing changes after the initialiser but what the system keeps of the process.
package final class PythonServer: @unchecked Sendable {
    /// The one that misbehaves on demand.
    package static let odd = start("odd_server.py")
    /// moto with everything it knows of AWS.
    package static let moto = start("moto_on_free_port.py")

    package let port: Int
    private let process = Process()
    private let input = Pipe()

    private static func start(_ program: String) -> Result<PythonServer, any Error> {
        Result { try PythonServer(program) }
    }

    /// Starts a server and waits for its port.
    package init(_ program: String, _ arguments: String...) throws {
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3", pythonProgram(program)] + arguments
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        var line = Data()
        while let byte = try output.fileHandleForReading.read(upToCount: 1), !byte.isEmpty, byte[byte.startIndex] != 10
        {
            line += byte
        }
        guard let port = Int(String(decoding: line, as: UTF8.self)) else {
            throw ProgramFailure(description: "\(program) does not start; run it by hand to see why")
        }
        self.port = port
    }

    deinit { stop() }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    package var url: String { "http://127.0.0.1:\(port)" }

    /// Ends the server and waits for that.
    package func stop() {
        try? input.fileHandleForWriting.close()
        if process.isRunning { process.terminate() }
        process.waitUntilExit()
    }
}
