import Foundation
import Synchronization

/// The small Go program beside these tests, which looks at files with the original library. Built once per run; a
/// missing Go compiler or library fails every test that asks.
struct Boltcheck {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Runs one command and returns nothing: the program reports trouble by its exit code and standard error.
    static func run(_ arguments: String...) throws {
        let program = try built.get()
        try execute(program, arguments, [:])
    }

    private static let built: Result<String, any Error> = Result {
        let source = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "boltcheck")
        let output = Scratch.root.appending(path: "boltcheck").path
        let environment = [
            "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOPROXY": "off", "CGO_ENABLED": "0",
            "GOCACHE": FileManager.default.temporaryDirectory.appending(path: "boltcheck-gocache").path,
        ]
        try execute("/usr/bin/env", ["go", "build", "-o", output, source.appending(path: "main.go").path], environment)
        return output
    }

    private static func execute(_ program: String, _ arguments: [String], _ environment: [String: String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/timeout")
        process.arguments = ["-k", "5", "600", program] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let pipe = Pipe()
        process.standardError = pipe
        process.standardOutput = pipe
        try process.run()
        let text = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            let words = String(decoding: text, as: UTF8.self)
            throw Failure(description: "\(program) \(arguments): exit code \(process.terminationStatus): \(words)")
        }
    }
}

/// A directory for one test run, and names in it.
enum Scratch {
    static let root: URL = {
        let name = "bolt-tests-\(ProcessInfo.processInfo.processIdentifier)"
        let directory = FileManager.default.temporaryDirectory.appending(path: name)
        try? FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        atexit { try? FileManager.default.removeItem(at: Scratch.root) }
        return directory
    }()

    private static let next = Mutex(0)

    static func newPath() -> String {
        let number = next.withLock { number in
            number += 1
            return number
        }
        return root.appending(path: "\(number).db").path
    }

    /// Runs `body` with new names and removes the files behind them.
    static func with<R>(_ count: Int = 1, _ body: ([String]) throws -> R) throws -> R {
        let paths = (0..<count).map { _ in newPath() }
        defer { for path in paths { try? FileManager.default.removeItem(atPath: path) } }
        return try body(paths)
    }

    static func bytes(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(filePath: path)))
    }
}
