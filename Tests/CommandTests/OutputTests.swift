import Foundation
import Testing

/// What is printed where, and what is kept.
@Suite struct OutputTests {
    private static let secret = Array("neither logged nor kept".utf8)

    @Test(arguments: ["raft", "file", "sqlite"])
    func jsonIsOneEventALine(_ kind: String) throws {
        let sandbox = try Sandbox()
        let (file, store) = try sample(sandbox, kind)
        let outcome = try sandbox.migrate(file, ["-format=json"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        let events = try outcome.events()
        #expect(events.dropLast().allSatisfy { $0["event"] as? String == "progress" })
        let result = try #require(events.last)
        #expect(result["event"] as? String == "result")
        #expect(result["entries"] as? Int == 3 && result["proven"] as? Int == 3)
        #expect(result["dry_run"] as? Bool == false && result["continued"] as? Bool == false)
        #expect(result["value_bytes"] as? Int == 6 + Self.secret.count)
        let destinations = try #require(result["destinations"] as? [[String: Any]])
        #expect(destinations.count == 1 && destinations[0]["kind"] as? String == kind)
        #expect(destinations[0]["location"] as? String == store.path)
        #expect((destinations[0]["server_stanza"] is [String]) == (kind == "raft"))
        #expect(result["keyspace_digest"] as? String == (try sandbox.digest(of: store)))
        let manifest = try #require(result["manifest"] as? String)
        #expect(lines(of: try text(of: manifest)).filter { !$0.hasPrefix("#") }.count == 3)
        let printed = try sandbox.shell("grep -v '^#' '\(manifest)' | sha256sum")
        #expect(result["keyspace_digest"] as? String == String(printed.prefix(64)))
    }

    @Test(arguments: ["-format=json", "-format=table"])
    func aFailureIsToldOnce(_ format: String) throws {
        let sandbox = try Sandbox()
        let file = try sandbox.configuration(.file("\(sandbox.path)/none"), .file("\(sandbox.path)/dst"))
        let outcome = try sandbox.migrate(file, [format])
        #expect(outcome.code == 2)
        #expect(outcome.messages.count == 1)
        if format == "-format=table" {
            #expect(outcome.output == "")
        } else {
            let event = try #require(try outcome.events().last)
            #expect(event["event"] as? String == "failure")
            #expect(event["exit_code"] as? Int == 2)
            #expect(event["message"] as? String == outcome.messages[0])
        }
    }

    /// Code, key and place of a failure are members of their own.
    @Test func aFailureHasItsCauseAsFields() throws {
        let sandbox = try Sandbox()
        let missing = try sandbox.configuration(.file("\(sandbox.path)/none"), .file("\(sandbox.path)/dst"))
        let event = try #require(try sandbox.migrate(missing, ["-format=json"]).events().last)
        #expect(event["code"] as? String == "missingStore")
        #expect((event["cause"] as? String)?.contains("no such file or directory") == true)
        #expect(event["key"] is NSNull && event["place"] is NSNull)
        let text = """
            storage_source "file" { path = "\(sandbox.path)/none" }
            storage_destination "sqlite" {
              path  = "\(sandbox.path)/dst.db"
              tabel = "t"
            }
            """
        let unknown = try #require(
            try sandbox.migrate(try sandbox.write("unknown.hcl", text), ["-format=json"]).events().last)
        let place = try #require(unknown["place"] as? [String: Any])
        #expect(place["line"] as? Int == 4 && place["column"] as? Int == 3)
        #expect((place["file"] as? String)?.hasSuffix("unknown.hcl") == true)
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised + [SampleEntry("sys/a")])
        try Data("{\"Value\":".utf8).write(to: URL(filePath: "\(sandbox.path)/src/sys/_a"))
        let damaged = try sandbox.configuration(source, .file("\(sandbox.path)/dst"), name: "damaged.hcl")
        let entry = try #require(try sandbox.migrate(damaged, ["-format=json"]).events().last)
        #expect(entry["code"] as? String == "damagedEntry" && entry["key"] as? String == "sys/a", "\(entry)")
    }

    @Test(arguments: [
        ["-nothing", "-format=json"], ["-format", "json", "-max-parallel=x"], ["--format=json", "-start"],
    ])
    func aCommandLineThatMeansNothingIsToldInJSONAsWell(_ words: [String]) throws {
        let outcome = try Sandbox().sealift(["operator", "migrate"] + words)
        let event = try #require(try outcome.events().last)
        #expect(outcome.code == 1 && event["exit_code"] as? Int == 1 && event["event"] as? String == "failure")
        #expect(outcome.errors.contains(event["message"] as? String ?? "none"))
    }

    @Test(arguments: ["raft", "file", "sqlite"])
    func theReportHoldsNoValueAndIsForItsOwnerOnly(_ kind: String) throws {
        let sandbox = try Sandbox()
        let (file, _) = try sample(sandbox, kind)
        let state = "\(sandbox.path)/state"
        let outcome = try sandbox.migrate(file, ["-state-dir", state, "-log-level=trace"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        let report = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: "\(state)/report.json")))
                as? [String: Any])
        #expect(report["result"] as? String == "migrated and proven")
        #expect(report["entries"] as? Int == 3)
        #expect((report["prefixes"] as? [[String: Any]])?.count == 2)
        let secret = String(decoding: Self.secret, as: UTF8.self)
        let forms = [secret, Data(Self.secret).base64EncodedString()]
        for name in try FileManager.default.contentsOfDirectory(atPath: state) {
            let kept = try text(of: "\(state)/\(name)")
            #expect(!forms.contains { kept.contains($0) }, "\(name) holds a value")
        }
        #expect(!forms.contains { (outcome.output + outcome.errors).contains($0) })
        let modes = try sandbox.shell("find '\(state)' -perm /077; cd '\(sandbox.path)'; find there* -perm /077")
        #expect(modes == "", "others may read \(modes)")
    }

    /// One value of what was done, in two places.
    @Test func theReportSaysWhatTheResultEventSays() throws {
        let sandbox = try Sandbox()
        let (file, _) = try sample(sandbox, "raft")
        let state = "\(sandbox.path)/state"
        let outcome = try sandbox.migrate(file, ["-state-dir", state, "-format=json"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        var event = try #require(try outcome.events().last)
        var report = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: "\(state)/report.json")))
                as? [String: Any])
        #expect(event.removeValue(forKey: "event") as? String == "result")
        for name in ["sealift", "finished", "result", "failure"] {
            #expect(report.removeValue(forKey: name) != nil, "\(name)")
        }
        #expect(event.count > 25 && report as NSDictionary == event as NSDictionary)
    }

    @Test(arguments: ["raft", "file", "sqlite"])
    func errorLevelIsSilentOnSuccess(_ kind: String) throws {
        let sandbox = try Sandbox()
        let (file, _) = try sample(sandbox, kind)
        let outcome = try sandbox.migrate(file, ["-log-level=error"])
        #expect(outcome.code == 0)
        #expect(outcome.errors == "")
        #expect(outcome.output.contains("\n  Proven        3 of 3 entries read back and equal\n"))
        #expect(!outcome.output.contains("\u{1B}"))
    }

    /// A reader that went away must not leave half a migration.
    @Test func aClosedPipeEndsNothing() throws {
        let sandbox = try Sandbox()
        let (file, store) = try sample(sandbox, "raft")
        try sandbox.shell("'\(Sandbox.program)' operator migrate -config '\(file)' 2>/dev/null | true")
        #expect(try sandbox.digest(of: store).count == 64)
    }

    private func sample(_ sandbox: Sandbox, _ kind: String) throws -> (file: String, store: Store) {
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised + [SampleEntry("sys/a", Self.secret)])
        let path = "\(sandbox.path)/there"
        let store: Store = kind == "raft" ? .raft(path) : kind == "file" ? .file(path) : .sqlite(path)
        return (try sandbox.configuration(source, store), store)
    }
}
