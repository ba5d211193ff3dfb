import Foundation
import StorageTestKit
import Testing

/// A folder for one test with a home of its own, and the built program run inside a clean environment.
final class Sandbox {
    /// The folder that holds Package.swift.
    static let packageRoot = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    /// The program stands beside the test program, which was built with it.
    static let program: String = {
        let tests = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        let places = [tests.path, "\(packageRoot)/.build/debug"].map { "\($0)/sealift" }
        return places.first { access($0, X_OK) == 0 } ?? places[1]
    }()

    let path: String
    var environment: [String: String]
    private let folder: TemporaryFolder
    private var runs = 0

    init() throws {
        folder = try TemporaryFolder()
        path = folder.path
        environment = [
            "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "\(path)/home", "XDG_STATE_HOME": "\(path)/home/state",
            "LC_ALL": "C.UTF-8",
        ]
        try makeFolder("\(path)/home")
    }

    /// Starts the program; ``outcome(of:)`` gives what became of it.
    func start(_ words: [String], adding variables: [String: String] = [:]) throws -> Started {
        try start([Self.program] + words, in: environment.merging(variables) { $1 })
    }

    /// Starts another program, or this one by way of another.
    func start(program words: [String]) throws -> Started { try start(words, in: environment) }

    private func start(_ words: [String], in variables: [String: String]) throws -> Started {
        runs += 1
        let (output, errors) = ("\(path)/home/output-\(runs)", "\(path)/home/errors-\(runs)")
        let running = try RunningProgram(words, environment: variables, streams: ("/dev/null", output, errors))
        return Started(program: running, output: output, errors: errors)
    }

    /// A program that was started.
    struct Started {
        let program: RunningProgram
        let output: String
        let errors: String

        /// Waits for the end and reads what was written.
        func outcome() throws -> Outcome {
            let code = try program.wait()
            return Outcome(code: code, output: try text(of: output), errors: try text(of: errors))
        }
    }

    /// Runs the program to its end.
    func sealift(_ words: [String], adding variables: [String: String] = [:]) throws -> Outcome {
        try start(words, adding: variables).outcome()
    }

    /// Runs `operator migrate` with a configuration file.
    func migrate(_ configuration: String, _ flags: [String] = []) throws -> Outcome {
        try sealift(["operator", "migrate", "-config", configuration] + flags)
    }

    /// Runs a command of the shell, which must succeed, and gives its standard output.
    @discardableResult
    func shell(_ command: String) throws -> String {
        let outcome = try startShell(command).outcome()
        guard outcome.code == 0 else {
            throw RunningProgram.Failure(description: "\(command): exit code \(outcome.code): \(outcome.errors)")
        }
        return outcome.output
    }

    /// Starts a command of the shell. `"$0"` is the built program, `"$@"` are the words.
    func startShell(
        _ command: String, _ words: [String] = [], adding variables: [String: String] = [:]
    ) throws -> Started {
        try start(["/bin/sh", "-c", command, Self.program] + words, in: environment.merging(variables) { $1 })
    }

    /// Writes a migration's file and gives its path.
    func configuration(
        _ source: Store, _ destination: Store, name: String = "migrate.hcl",
        clusterAddress: String? = "https://10.0.0.11:8201"
    ) throws -> String {
        var text = source.block("storage_source") + destination.block("storage_destination")
        if let clusterAddress { text += "cluster_addr = \"\(clusterAddress)\"\n" }
        return try write(name, text)
    }

    /// Writes a server's file with one storage stanza and gives its path.
    func configuration(of store: Store, name: String = "server.hcl") throws -> String {
        try write(name, store.block("storage"))
    }

    /// Writes a text into a file of the folder and gives its path.
    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        let file = "\(path)/\(name)"
        try text.write(toFile: file, atomically: false, encoding: .utf8)
        return file
    }

    /// The keyspace digest of a store.
    func digest(of store: Store) throws -> String {
        let outcome = try sealift(["checksum", "-config", try configuration(of: store, name: "checksum.hcl")])
        guard outcome.code == 0 else { throw RunningProgram.Failure(description: outcome.errors) }
        return try #require(outcome.outputLines.last?.components(separatedBy: "# keyspace digest: ").last)
    }
}

/// A store of a configuration file.
enum Store {
    case file(String)
    case raft(String)
    case sqlite(String)
    case dynamodb(String, endpoint: String, [String: String])

    var path: String {
        switch self {
        case .file(let path), .raft(let path), .sqlite(let path): path
        case .dynamodb(let table, _, _): table
        }
    }

    func block(_ name: String) -> String {
        switch self {
        case .file(let path): "\(name) \"file\" {\n  path = \"\(path)\"\n}\n"
        case .raft(let path): "\(name) \"raft\" {\n  path = \"\(path)\"\n  node_id = \"node1\"\n}\n"
        case .sqlite(let path): "\(name) \"sqlite\" {\n  path = \"\(path)\"\n}\n"
        case .dynamodb(let table, let endpoint, let options):
            "\(name) \"dynamodb\" {\n"
                + ["table": table, "endpoint": endpoint, "access_key": "AKIATEST", "secret_key": "test"]
                .merging(options) { $1 }.sorted { $0.key < $1.key }.map { "  \($0.key) = \"\($0.value)\"\n" }.joined()
                + "}\n"
        }
    }
}

/// Makes a folder and those above it.
func makeFolder(_ path: String) throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
}

/// The text of a file.
func text(of path: String) throws -> String {
    String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
}

/// Whether something stands at a path.
func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
