import Foundation
import Testing

@Suite struct SampleTests {
    private static func names(_ folder: String, _ endings: [String]) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: packageRoot.appending(path: folder).path)
            .filter { name in endings.contains { name.hasSuffix($0) } }.sorted()
    }

    /// Samples that migrate, each on its own copy of a store in every form that a sample may read.
    @Test func everySampleMigrates() throws {
        let samples = try Self.names("hcl-samples", [".hcl", ".json"])
        #expect(samples.count >= 8)
        for name in samples where name != "server.hcl" {
            let text = try String(contentsOf: packageRoot.appending(path: "hcl-samples/\(name)"), encoding: .utf8)
            let sandbox = try Sandbox()
            for need in ["file-to-raft", "file-to-sqlite"] where !name.hasPrefix(need) {
                let destination = need == "file-to-raft" ? "/opt/vault/raft" : "/opt/vault/store.sqlite"
                // A store that the sample reads, not the one it makes.
                guard let range = text.range(of: destination),
                    range.lowerBound < (text.range(of: "storage_destination")?.lowerBound ?? text.startIndex)
                else { continue }
                try sandbox.write(
                    "need.hcl",
                    try String(
                        contentsOf: packageRoot.appending(path: "hcl-samples/\(need).hcl"), encoding: .utf8))
                let made = try sandbox.run("sealift operator migrate -config need.hcl")
                #expect(made.code == 0, "\(need): \(made.errors)")
            }
            try sandbox.write(name, text)
            let outcome = try sandbox.run("sealift operator migrate -config \(name)")
            #expect(outcome.code == 0, "\(name): \(outcome.errors)")
            #expect(outcome.output.hasPrefix("Success! All of the keys have been migrated.\n"))
            let entries =
                name.hasPrefix("dynamodb")
                ? "831 of 831" : name.hasPrefix("snapshot") ? "835 of 835" : "822 of 822"
            #expect(outcome.output.contains("\(entries) entries read back and equal"))
        }
    }

    @Test func everyMistakeGivesTheDiagnosticBesideIt() throws {
        let samples = try Self.names("hcl-samples/invalid", [".hcl", ".json"])
        #expect(samples.count >= 8)
        let sandbox = try Sandbox()
        for name in samples {
            let folder = packageRoot.appending(path: "hcl-samples/invalid")
            let outcome = try sandbox.run("cd '\(folder.path)' && sealift operator migrate -config \(name)")
            let expected = folder.appending(path: name).deletingPathExtension().appendingPathExtension("txt")
            #expect(outcome.code == 1, "\(name)")
            #expect(outcome.output.isEmpty)
            #expect(outcome.errors == (try String(contentsOf: expected, encoding: .utf8)), "\(name)")
        }
    }
}
