import Foundation
import Testing

/// What the stock command (`vault operator migrate` 1.14.9) answered in one case of its contract.
struct IncumbentCase: Decodable, Sendable {
    let config: String
    let flags: [String]
    let rc: Int32
    let stdout: [String]
    let stderr: [String]
    let destinationFiles: [String]
    let lockLeftOnSource: Bool

    /// All recorded cases. DIR in their texts stands for the folder of the case.
    static let recorded: [String: IncumbentCase] = {
        let file = URL(filePath: "\(Sandbox.packageRoot)/Tests/Fixtures/incumbent-cli.json")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return (try? decoder.decode([String: IncumbentCase].self, from: Data(contentsOf: file))) ?? [:]
    }()

    /// The lines of both streams that scripts may look for. Log lines are not among them.
    var outputLines: [String] { stdout.filter { !$0.hasPrefix("[INFO]") } }
    var errorLines: [String] { stderr.filter { !$0.hasPrefix("[INFO]") } }
}

/// Where Sealift answers otherwise on purpose; the page `Departures` tells its users.
struct Departure: Sendable {
    let name: String
    /// Our exit code.
    let code: Int32
    /// A piece of what we say.
    let says: String
    let reason: String

    static let declared = [
        Departure(
            name: "source_missing", code: 2, says: "DIR/nothing: no such file or directory",
            reason: "a mistyped path must not look like a migration"),
        Departure(
            name: "empty_source", code: 2, says: "holds no entries", reason: "a mistyped path must not look like one"),
        Departure(
            name: "same_path", code: 2, says: "source and destination are the same store", reason: "it can only harm"),
        Departure(
            name: "cluster_addr_without_port", code: 2, says: "has no port",
            reason: "no other node could join"),
        Departure(
            name: "file_to_raft", code: 2, says: "is a loopback address", reason: "other nodes would dial themselves"),
        Departure(
            name: "capital_raft", code: 2, says: "is a loopback address", reason: "other nodes would dial themselves"),
        Departure(
            name: "raft_state_present", code: 2, says: "is a loopback address",
            reason: "other nodes would dial themselves"),
        Departure(
            name: "entry_over_1mib_to_raft", code: 2, says: "is a loopback address",
            reason: "other nodes would dial themselves"),
        Departure(
            name: "corrupt_entry", code: 2, says: "Error migrating: error reading entry: unexpected EOF",
            reason: "says where, and the half-filled destination keeps a migration marker"),
        Departure(
            name: "start_flag", code: 0, says: "Success! All of the keys from sys on have been migrated.",
            reason: "a part is not all of the keys"),
        Departure(
            name: "start_past_end", code: 0, says: "Success! All of the keys from zzz on have been migrated.",
            reason: "a part is not all of the keys"),
    ]

    /// Departures that remain with `-practice`.
    static let declaredInPractice = [
        Departure(
            name: "entry_over_1mib_to_raft", code: 0, says: "max_entry_size = \"2097152\"",
            reason: "a directory built in bulk takes such entries"),
        Departure(
            name: "raft_state_present", code: 0, says: "done before: nothing was copied",
            reason: "a finished job run again is proven again"),
    ]

    /// Nothing that `-practice` has a say in.
    static let inBoth: Set = [
        "source_missing", "empty_source", "same_path", "corrupt_entry", "start_flag", "start_past_end",
    ]
}

extension Sandbox {
    /// Makes the folder that a recorded case ran in.
    func prepare(_ name: String, _ recorded: IncumbentCase, flags: [String]) throws -> [String] {
        for folder in ["src/core", "src/sys", "raft"] { try makeFolder("\(path)/\(folder)") }
        for file in ["core/_keyring", "core/_seal-config", "sys/_a", "sys/_b"] {
            try write("src/\(file)", "{\"Value\":\"AAEC\"}\n")
        }
        switch name {
        case "lock_present":
            try write("src/core/_migration", "{\"Value\":\"eyJzdGFydCI6IjIwMjQtMDEtMDFUMDA6MDA6MDBaIn0=\"}\n")
        case "empty_source": try makeFolder("\(path)/empty")
        case "corrupt_entry": try write("src/sys/_b", "{\"Value\":\"AA")
        case "destination_not_writable": try write("dst", "a file")
        case "entry_over_1mib_to_raft":
            let value = Data((0..<1_200_000).map { UInt8(truncatingIfNeeded: $0) }).base64EncodedString()
            try write("src/sys/_big", "{\"Value\":\"\(value)\"}\n")
        default: break
        }
        if recorded.flags.contains("C") { try write("c.hcl", filled(recorded.config)) }
        if name == "raft_state_present" {
            _ = try migrate(try write("c0.hcl", filled(recorded.config)), flags)
        }
        return recorded.flags.map { $0 == "C" ? "\(path)/c.hcl" : filled($0) }
    }

    /// A recorded text with this folder's path in it.
    func filled(_ text: String) -> String { text.replacing("DIR", with: path) }

    /// Paths of the files that a case left at `dst`.
    func destinationFiles() -> Set<String> {
        let names = FileManager.default.enumerator(atPath: "\(path)/dst")?.compactMap { $0 as? String } ?? []
        var isFolder: ObjCBool = false
        return Set(
            names.filter {
                FileManager.default.fileExists(atPath: "\(path)/dst/\($0)", isDirectory: &isFolder)
                    && !isFolder.boolValue
            }.map { "dst/\($0)" })
    }
}
