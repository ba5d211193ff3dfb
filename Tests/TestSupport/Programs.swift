import Foundation

/// A program ended with an error.
package struct ProgramFailure: Error, CustomStringConvertible {
    package let description: String
}

/// Runs a program and gives back what it wrote, both streams together.
///
/// - Throws: `ProgramFailure`, with what it wrote, if its exit code is not 0.
@discardableResult
package func runProgram(
    _ program: String, _ arguments: [String], _ environment: [String: String] = [:]
) throws -> String {
    let process = Process()
    // Nothing here takes long but the building of a Go program on a busy machine.
    process.executableURL = URL(filePath: "/usr/bin/timeout")
    process.arguments = ["-k", "5", "600", program] + arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let pipe = Pipe()
    process.standardError = pipe
    process.standardOutput = pipe
    try process.run()
    let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
        throw ProgramFailure(
            description: "\(program) \(arguments): exit code \(process.terminationStatus): \(text)")
    }
    return text
}

/// The path of a Python program in `Tests/pythonprograms`.
package func pythonProgram(_ name: String) -> String {
    Fixture.tests.appending(path: "pythonprograms/\(name)").path
}

/// A small Go program in `Tests`, which looks at our files with the original libraries. Built once per run; a missing
/// compiler or library fails every test that asks.
package enum GoProgram {
    /// Looks at bbolt files.
    case boltcheck
    /// Runs hashicorp/raft on directories.
    case raftcheck

    @discardableResult
    package func run(_ arguments: String...) throws -> String {
        try runProgram(self == .boltcheck ? Self.boltcheckBuilt.get() : Self.raftcheckBuilt.get(), arguments)
    }

    private static let boltcheckBuilt = build("boltcheck")
    private static let raftcheckBuilt = build("raftcheck")

    private static func build(_ name: String) -> Result<String, any Error> {
        Result {
            let output = Scratch.root.appending(path: name).path
            let environment = [
                "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOPROXY": "off", "CGO_ENABLED": "0",
                "GOCACHE": FileManager.default.temporaryDirectory.appending(path: "boltcheck-gocache").path,
            ]
            let source = Fixture.tests.appending(path: "\(name)/main.go").path
            try runProgram("/usr/bin/env", ["go", "build", "-o", output, source], environment)
            return output
        }
    }
}
