import Foundation
import Testing

/// The migration marker, -start and -state-dir: who may go on where.
@Suite struct MarkerTests {
    private static let foreign = Array("{\"start\":\"2024-02-01T10:56:46.123456789-05:00\"}\n".utf8)

    @Test func aMarkerOfTheStockCommandOnTheSourceStaysUntilReset() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore(
            "src", SampleEntry.initialised + [SampleEntry("core/migration", Self.foreign)])
        let file = try sandbox.configuration(source, .file("\(sandbox.path)/dst"))
        let before = try snapshot(source.path)
        for flags in [[], ["-dry-run"], ["-read-only-source"], ["-start=a"]] {
            let outcome = try sandbox.migrate(file, flags)
            #expect(outcome.code == 2)
            let row = "Error migrating: storage migration in progress (started: 2024-02-01T10:56:46-05:00)"
            #expect(outcome.errorLines.contains(row), "\(outcome.errors)")
            #expect(try snapshot(source.path) == before)
            #expect(!exists("\(sandbox.path)/dst"))
        }
        let reset = try sandbox.migrate(file, ["-reset"])
        #expect(reset.code == 0 && reset.errors == "")
        #expect(reset.output == "Success! Migration lock reset (if it was set).\n")
        #expect(!exists("\(source.path)/core/_migration"))
        #expect(!exists("\(sandbox.path)/dst"))
        #expect(try sandbox.migrate(file).code == 0)
    }

    @Test(arguments: [foreign, Array("neither JSON nor readable".utf8)], [true, false])
    func aForeignMarkerOnEitherSideIsRefused(_ marker: [UInt8], _ isOnSource: Bool) throws {
        let sandbox = try Sandbox()
        let marked = [SampleEntry("core/migration", marker)]
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised + (isOnSource ? marked : []))
        let destination = try sandbox.makeSQLiteStore("dst.db", isOnSource ? [SampleEntry("x")] : marked)
        let outcome = try sandbox.migrate(try sandbox.configuration(source, destination))
        #expect(outcome.code == 2)
        #expect(outcome.errors.contains("-reset"), "\(outcome.errors)")
        let kept = try sandbox.sql(destination.path, "SELECT count(*) FROM vault_kv_store")
        #expect(kept == "1\n")
    }

    /// Whoever begins a job and is killed leaves a marker of its own; another job's is not taken over.
    @Test(arguments: ["file", "sqlite"])
    func aMarkerOfAKilledRunIsTakenUpByTheSameJobOnly(_ kind: String) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised + [SampleEntry("sys/a")])
        let file = try sandbox.configuration(source, sandbox.store(kind, "dst"))
        let other = try sandbox.configuration(source, .file("\(sandbox.path)/other"), name: "other.hcl")
        // What a run leaves that was killed behind its first write.
        let state = "\(sandbox.path)/state"
        #expect(try sandbox.migrate(file, ["-state-dir", state]).code == 0)
        let job = try text(of: "\(state)/job").prefix(16)
        let owner = "{\"host\":\"elsewhere\",\"job\":\"\(job)\",\"pid\":99}"
        let marker = "{\"sealift\":\(owner),\"start\":\"2026-01-02T03:04:05Z\"}"
        let value = Data(marker.utf8).base64EncodedString()
        // Killed while it filled the destination, it leaves its marker on both sides.
        func leaveMarkers() throws {
            try sandbox.write("src/core/_migration", "{\"Value\":\"\(value)\"}\n")
            if kind == "file" {
                try sandbox.write("dst/core/_migration", "{\"Value\":\"\(value)\"}\n")
            } else {
                _ = try sandbox.sql(
                    sandbox.store(kind, "dst").path,
                    "insert into vault_kv_store (key, value) values (cast('core/migration' as blob), "
                        + "cast('\(marker)' as blob))")
            }
        }
        try leaveMarkers()

        let refused = try sandbox.migrate(other)
        #expect(refused.code == 2)
        #expect(refused.errors.contains("storage migration in progress (started: 2026-01-02T03:04:05Z)"))
        let outcome = try sandbox.migrate(file)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("an earlier run of this migration was cut off"))
        #expect(!exists("\(source.path)/core/_migration"))

        // A source that may only be read keeps it, and the user is told.
        try leaveMarkers()
        let reading = try sandbox.migrate(file, ["-read-only-source"])
        #expect(reading.code == 0, "\(reading.errors)")
        #expect(reading.output.contains("until -reset has removed it"), "\(reading.output)")
        #expect(exists("\(source.path)/core/_migration"))
    }

    /// An option that would make another store the source counts for -reset as well.
    @Test func resetChecksTheFileToo() throws {
        let sandbox = try Sandbox()
        let marked = SampleEntry.initialised + [SampleEntry("core/migration", Self.foreign)]
        let source = try sandbox.makeFileStore("src", marked)
        let twice = source.block("storage_source").replacing("\n}", with: "\n  path = \"\(source.path)\"\n}")
        let file = try sandbox.write("c.hcl", twice + Store.file("\(sandbox.path)/dst").block("storage_destination"))
        let outcome = try sandbox.migrate(file, ["-reset"])
        #expect(outcome.code == 1)
        #expect(outcome.errors.contains("sets path twice"), "\(outcome.errors)")
        #expect(exists("\(source.path)/core/_migration"))
    }

    @Test func startCopiesFromAKeyOnIntoWhatIsThere() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore(
            "src", SampleEntry.initialised + [SampleEntry("sys/a"), SampleEntry("sys/b"), SampleEntry("sys")])
        let destination = Store.file("\(sandbox.path)/dst")
        let file = try sandbox.configuration(source, destination)
        let first = try sandbox.migrate(file, ["-start", "sys/b"])
        #expect(first.code == 0, "\(first.errors)")
        let remark = "keys that sort before sys/b were neither copied nor compared"
        #expect(first.output.contains(remark), "\(first.output)")
        #expect(exists("\(destination.path)/sys/_b") && !exists("\(destination.path)/sys/_a"))
        let second = try sandbox.migrate(file, ["-start", "a"])
        #expect(second.code == 0, "\(second.errors)")
        #expect(try sandbox.digest(of: destination) == sandbox.digest(of: source))
        let past = try sandbox.migrate(file, ["-start=zzz"])
        #expect(past.code == 0, "\(past.errors)")
    }

    @Test func startRefusesAnotherStore() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let other = try sandbox.makeFileStore("dst", [SampleEntry("core/keyring", [9])])
        let before = try snapshot(other.path, times: false)
        let outcome = try sandbox.migrate(try sandbox.configuration(source, other), ["-start=a"])
        #expect(outcome.code == 2)
        #expect(outcome.errors.contains("holds another store"), "\(outcome.errors)")
        #expect(try snapshot(other.path, times: false) == before)
    }

    @Test func stateOfAnotherJobIsRefused() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let state = ["-state-dir", "\(sandbox.path)/state"]
        let one = try sandbox.configuration(source, .file("\(sandbox.path)/one"))
        #expect(try sandbox.migrate(one, state).code == 0)
        let before = try snapshot("\(sandbox.path)/state")
        let two = try sandbox.configuration(source, .file("\(sandbox.path)/two"))
        let outcome = try sandbox.migrate(two, state)
        #expect(outcome.code == 2)
        #expect(outcome.errors.contains("holds the state of another migration"), "\(outcome.errors)")
        #expect(try snapshot("\(sandbox.path)/state") == before)
        #expect(!exists("\(sandbox.path)/two"))
    }

    /// Counted, carried over, and the server is told to allow them.
    @Test func entriesAboveTheServersLimitGoIntoARaftDirectory() throws {
        let sandbox = try Sandbox()
        let large = [UInt8](repeating: 7, count: 3 << 20)
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised + [SampleEntry("sys/large", large)])
        let destination = Store.raft("\(sandbox.path)/raft")
        let file = try sandbox.configuration(source, destination)
        for flags in [["-dry-run"], []] {
            let outcome = try sandbox.migrate(file, flags)
            #expect(outcome.code == 0, "\(outcome.errors)")
            #expect(outcome.output.contains("    max_entry_size = \"4194304\"\n"), "\(outcome.output)")
        }
        #expect(try sandbox.digest(of: destination) == sandbox.digest(of: source))
    }
}
