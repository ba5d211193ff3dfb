import Foundation
import Testing

/// Where the proof of a migration was read from.
@Suite struct ReadBackTests {
    private static let entries = SampleEntry.initialised + (0..<300).map { SampleEntry("sys/\($0)") }

    private static func store(_ kind: String, _ path: String) -> Store {
        kind == "raft" ? .raft(path) : kind == "file" ? .file(path) : .sqlite(path)
    }

    private func migrate(_ kind: String, _ folder: String?, _ words: [String]) throws -> (text: String, place: String?)
    {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", Self.entries)
        let path = "\(folder ?? sandbox.path)/there"
        let file = try sandbox.configuration(source, Self.store(kind, path))
        let outcome = try sandbox.migrate(file, ["-state-dir", "\(sandbox.path)/state"] + words)
        #expect(outcome.code == 0, "\(outcome.errors)")
        let report = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: "\(sandbox.path)/state/report.json")))
                as? [String: Any])
        let destinations = try #require(report["destinations"] as? [[String: Any]])
        return (outcome.output, destinations.first?["read_back"] as? String)
    }

    /// What lies in memory alone cannot be read from elsewhere, and the result says so.
    @Test(arguments: ["raft", "file", "sqlite"])
    func readsTheDiskWhereThereIsOne(_ kind: String) throws {
        let sandbox = try Sandbox()
        let system = try sandbox.shell("stat -f -c %T '\(sandbox.path)'")
        let isMemory = ["tmpfs", "ramfs"].contains(system.trimmingCharacters(in: .whitespacesAndNewlines))
        let (text, place) = try migrate(kind, nil, [])
        #expect(place == (isMemory ? "cache" : "disk"))
        #expect(
            text.contains("\n  Read back     from the disk, not from what the system held in memory\n") == !isMemory)

        let memory = "/dev/shm/sealift-\(UUID().uuidString)"
        try sandbox.shell("mkdir -m 700 '\(memory)'")
        defer { _ = try? sandbox.shell("rm -r '\(memory)'") }
        let held = try migrate(kind, memory, [])
        #expect(held.place == "cache")
        #expect(held.text.contains("\n  Read back     perhaps from the system's memory"))
    }

    @Test(arguments: ["raft", "file", "sqlite"])
    func theUserMayDoWithoutTheDisk(_ kind: String) throws {
        let (text, place) = try migrate(kind, nil, ["-read-back=cache"])
        #expect(place == "cache" && text.contains(" read back and equal\n"))
        #expect(text.contains("\n  Read back     perhaps from the system's memory"))
    }

    @Test(arguments: ["", "tape"])
    func anotherPlaceIsRefused(_ place: String) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", Self.entries)
        let file = try sandbox.configuration(source, .file("\(sandbox.path)/there"))
        let outcome = try sandbox.migrate(file, ["-read-back=\(place)"])
        #expect(outcome.code == 1 && outcome.errors.contains("-read-back takes disk or cache"), "\(outcome.errors)")
    }
}
