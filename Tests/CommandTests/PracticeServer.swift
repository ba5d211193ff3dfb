import Foundation
import TestSupport
import Testing

/// A practice table served by the built program, for one test.
final class PracticeServer {
    let endpoint: String
    private let started: Sandbox.Started
    let sandbox: Sandbox

    /// Starts a server on a free port and waits until it listens.
    init(_ sandbox: Sandbox, _ flags: [String], address: String = "127.0.0.1:0") throws {
        self.sandbox = sandbox
        started = try sandbox.start(["practice-table", "-address", address] + flags)
        let marker = "Practice table listening on "
        var found: String?
        // An import takes its time where many programs run.
        try waitUntil("practice-table listens", within: .seconds(300)) { [started] in
            let output = try text(of: started.output)
            if let start = output.firstRange(of: marker), output[start.upperBound...].contains("\n") {
                found = String(output[start.upperBound...].prefix { $0 != " " && $0 != "\n" })
            }
            return found != nil || started.program.ends(within: 5)
        }
        guard let found else {
            throw RunningProgram.Failure(description: "practice-table: \(try started.outcome().errors)")
        }
        endpoint = found
    }

    deinit { started.program.send(SIGKILL) }

    /// Lets it answer nothing until ``goOn()``.
    func halt() throws {
        started.program.send(SIGSTOP)
        try waitUntil("practice-table halts") { started.program.isHalted }
    }

    func goOn() { started.program.send(SIGCONT) }

    /// Stops it as a user would.
    func stop() throws {
        started.program.send(SIGTERM)
        let outcome = try started.outcome()
        guard outcome.code == 0 else {
            throw RunningProgram.Failure(description: "practice-table ends with \(outcome.code): \(outcome.errors)")
        }
    }

    /// What it was asked so far.
    struct Counts: Decodable {
        var requests: [String: Int]
        var faults: [String: Int]
        var readUnits: Double
        var writeUnits: Double
        var throttles: Int
    }

    func counts() throws -> Counts {
        try JSONDecoder().decode(Counts.self, from: Data(try sandbox.shell("curl -fsS \(endpoint)/").utf8))
    }

    /// The table as a store of a configuration file.
    func store(_ table: String = "vault-dynamodb-backend", _ options: [String: String] = [:]) -> Store {
        .dynamodb(table, endpoint: endpoint, options)
    }
}

/// The items of a Vault table as DynamoDB JSON, a line each.
struct TableItems {
    private var lines: [String] = []
    private var marked: Set<String> = []

    /// An entry, with the markers above it that are not there yet.
    mutating func add(_ key: String, _ value: [UInt8] = [1, 2, 3], marked isMarked: Bool = true) {
        let (path, name) = Self.place(key)
        add(path, name, #"{"B":"\#(Data(value).base64EncodedString())"}"#)
        guard isMarked else { return }
        var directory = path == " " ? "" : path
        while !directory.isEmpty, marked.insert(directory).inserted {
            let (path, name) = Self.place(directory)
            add(path, name + "/", #"{"NULL":true}"#)
            directory = path == " " ? "" : path
        }
    }

    /// An item with a value and further attributes as they are written.
    mutating func add(_ path: String, _ name: String, _ value: String, _ more: String = "") {
        lines.append(#"{"Item":{"Path":{"S":"\#(path)"},"Key":{"S":"\#(name)"},"Value":\#(value)\#(more)}}"#)
    }

    private static func place(_ key: String) -> (path: String, name: String) {
        guard let slash = key.lastIndex(of: "/") else { return (" ", key) }
        return (String(key[..<slash]), String(key[key.index(after: slash)...]))
    }

    var text: String { lines.joined(separator: "\n") + "\n" }

    /// Entries of about a KiB, a hundred to a folder, from a seed.
    static func many(_ count: Int, seed: UInt64) -> TableItems {
        var items = TableItems()
        for entry in SampleEntry.initialised { items.add(entry.key, entry.value) }
        var random = SeededRandom(seed)
        for number in 0..<count {
            let value = (0..<64).flatMap { _ in withUnsafeBytes(of: random.next()) { Array($0) } }
            items.add("logical/mount-\(number % 7)/folder-\(number / 100)/entry-\(number)", value + value)
        }
        return items
    }
}
