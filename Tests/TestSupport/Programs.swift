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

/// A small Go program in `Tests`, which looks at our files with the original libraries, or runs them. Built once per run;
/// a missing compiler or library fails every test that asks.
package enum GoProgram: String {
    /// Looks at bbolt files.
    case boltcheck
    /// Runs hashicorp/raft on directories.
    case raftcheck
    /// A node of hashicorp/raft.
    case raftpeer

    @discardableResult
    package func run(_ arguments: String...) throws -> String {
        try runProgram(path(), arguments)
    }

    /// The path of the built program, for a test that runs it beside itself.
    package func path() throws -> String {
        switch self {
        case .boltcheck: try Self.boltcheckBuilt.get()
        case .raftcheck: try Self.raftcheckBuilt.get()
        case .raftpeer: try Self.raftpeerBuilt.get()
        }
    }

    /// Runs the tests that the program has in its own language.
    ///
    /// - Throws: `ProgramFailure` with what they print, if one fails.
    package func runOwnTests() throws {
        try runProgram("/usr/bin/env", ["go", "test"] + sources { _ in true }, Self.environment)
    }

    private static let boltcheckBuilt = Result { try boltcheck.build() }
    private static let raftcheckBuilt = Result { try raftcheck.build() }
    private static let raftpeerBuilt = Result { try raftpeer.build() }

    private static let environment = [
        "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOPROXY": "off", "CGO_ENABLED": "0",
        "GOCACHE": FileManager.default.temporaryDirectory.appending(path: "boltcheck-gocache").path,
    ]

    private func build() throws -> String {
        let output = Scratch.root.appending(path: rawValue).path
        let sources = try sources { !$0.hasSuffix("_test.go") }
        try runProgram("/usr/bin/env", ["go", "build", "-o", output] + sources, Self.environment)
        return output
    }

    private func sources(_ isWanted: (String) -> Bool) throws -> [String] {
        let folder = Fixture.tests.appending(path: rawValue).path
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        return names.filter { $0.hasSuffix(".go") && isWanted($0) }.sorted().map { "\(folder)/\($0)" }
    }
}
