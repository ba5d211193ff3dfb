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
        for name in samples where name != "server.hcl" && !name.hasSuffix("drill.hcl") {
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

    @Test func everySampleOfADrillPasses() throws {
        let samples = try Self.names("hcl-samples", ["drill.hcl"])
        #expect(samples == ["drill.hcl", "nightly-drill.hcl"])
        let printed = packageRoot.appending(path: "Tests/Fixtures/served/raft-openbao-native/init.json")
        let keys = try JSONSerialization.jsonObject(with: Data(contentsOf: printed)) as? [String: Any]
        for name in samples {
            let sandbox = try Sandbox()
            try sandbox.write(
                name, String(contentsOf: packageRoot.appending(path: "hcl-samples/\(name)"), encoding: .utf8))
            try sandbox.write("shares.txt", (keys?["keys_base64"] as? [String] ?? []).joined(separator: "\n"))
            let shares = name == "drill.hcl" ? " -shares-fd 3 3< shares.txt" : ""
            let outcome = try sandbox.run("sealift drill -config \(name)\(shares)")
            #expect(outcome.code == 0, "\(name): \(outcome.errors)")
            #expect(outcome.output.hasPrefix("The drill passed.\n"))
        }
    }

    /// By systemd's own command where there is one, and in any case each line is a section, a setting or a comment, and the
    /// command is one of the program's.
    @Test func theUnitsOfATimerAreUnderstood() throws {
        let sandbox = try Sandbox()
        let units = try Self.names("hcl-samples", [".service", ".timer"])
        #expect(units == ["sealift-drill.service", "sealift-drill.timer"])
        for unit in units {
            let text = try String(contentsOf: packageRoot.appending(path: "hcl-samples/\(unit)"), encoding: .utf8)
            for line in text.split(separator: "\n") {
                #expect(line.wholeMatch(of: /#.*|\[[A-Z][A-Za-z]+\]|[A-Z][A-Za-z]+=.+/) != nil, "\(line)")
            }
            try sandbox.write(unit, text.replacing("/usr/bin/sealift", with: "\(Sandbox.programFolder())/sealift"))
        }
        let look = try sandbox.run(
            "if command -v systemd-analyze > /dev/null; then systemd-analyze verify --man=no ./\(units.joined(separator: " ./")) 2>&1; fi"
        )
        #expect(look.code == 0 && look.output.isEmpty, "\(look.output)")
        // What the service runs, with files where they are here.
        let service = try String(contentsOf: packageRoot.appending(path: "hcl-samples/\(units[0])"), encoding: .utf8)
        let command = try #require(service.firstMatch(of: /\nExecStart=\/usr\/bin\/(.+)/)?.output.1)
        try sandbox.write(
            "nightly-drill.hcl",
            String(contentsOf: packageRoot.appending(path: "hcl-samples/nightly-drill.hcl"), encoding: .utf8))
        let drill = try sandbox.run(String(command).replacing("/etc/sealift/", with: ""))
        #expect(drill.code == 0 && drill.output.contains(#""event":"result""#), "\(drill.errors)")
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
