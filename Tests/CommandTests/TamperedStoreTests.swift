import Foundation
import TestSupport
import Testing

/// A destination that was changed behind the migration's back, in its own format: `check` names each entry, against the source
/// and against the manifest that the migration left.
@Suite struct TamperedStoreTests {
    /// What happens to a store between migration and check.
    enum Offence: String, CaseIterable {
        case oneBit, dropped, exchanged, added, renamed

        /// What `check` says, in key order.
        var signs: [String] {
            switch self {
            case .oneBit: ["* logical/b"]
            case .dropped: ["- logical/b"]
            case .exchanged: ["* logical/b", "* sys/c"]
            case .added: ["+ logical/new"]
            case .renamed: ["- logical/b", "+ logical/new"]
            }
        }

        /// Entries with what they hold afterwards; nothing for those that are gone.
        fileprivate var changes: [(key: String, value: [UInt8]?)] {
            let (b, c) = (Self.value(11), Self.value(12))
            return switch self {
            case .oneBit: [("logical/b", b.dropLast() + [b[b.count - 1] ^ 0x10])]
            case .dropped: [("logical/b", nil)]
            case .exchanged: [("logical/b", c), ("sys/c", b)]
            case .added: [("logical/new", b)]
            case .renamed: [("logical/b", nil), ("logical/new", b)]
            }
        }

        fileprivate static func value(_ seed: Int) -> [UInt8] {
            var random = SeededRandom(seed)
            return random.bytes(600)
        }
    }

    private static let entries =
        SampleEntry.initialised + [
            SampleEntry("logical/a", Offence.value(10)), SampleEntry("logical/b", Offence.value(11)),
            SampleEntry("sys/c", Offence.value(12)),
        ]

    @Test(arguments: ["file", "sqlite", "raft"], Offence.allCases)
    func everyChangeIsNamed(_ kind: String, _ offence: Offence) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", Self.entries)
        let store = sandbox.store(kind, "dst")
        let state = "\(sandbox.path)/state"
        let file = try sandbox.configuration(source, store)
        #expect(try sandbox.migrate(file, ["-state-dir", state]).code == 0)
        let manifest = ["-manifest", "\(state)/manifest.txt"]
        for more in [[], manifest] {
            let clean = try sandbox.sealift(["check", "-config", file] + more)
            #expect(clean.code == 0 && clean.output.contains("hold the same 5 entries"), "\(clean.errors)")
        }
        for change in offence.changes { try tamper(store, change, sandbox) }
        if kind == "raft" { try GoProgram.boltcheck.run("check", "\(store.path)/vault.db") }
        for more in [[], manifest] {
            let outcome = try sandbox.sealift(["check", "-config", file] + more)
            #expect(outcome.code == 3, "\(outcome.errors)")
            #expect(outcome.outputLines.filter(isVerdict) == offence.signs, "\(outcome.output)")
        }
        // Nothing was changed at the source, which the manifest still proves.
        let other = try sandbox.sealift(["check", "-config", file, "-side=source"] + manifest)
        #expect(other.code == 0, "\(other.errors)")
    }

    private func isVerdict(_ line: String) -> Bool { ["* ", "- ", "+ ", "! "].contains { line.hasPrefix($0) } }

    private func tamper(_ store: Store, _ change: (key: String, value: [UInt8]?), _ sandbox: Sandbox) throws {
        let hexadecimal = change.value.map { $0.map { String(format: "%02x", $0) }.joined() }
        switch store {
        case .file:
            if let value = change.value {
                _ = try sandbox.makeFileStore("dst", [SampleEntry(change.key, value)])
            } else {
                try sandbox.shell("rm '\(store.path)/\(change.key.replacing("logical/", with: "logical/_"))'")
            }
        case .sqlite(let path):
            let key = "CAST('\(change.key)' AS BLOB)"
            try sandbox.sql(path, "DELETE FROM vault_kv_store WHERE key = \(key)")
            if let hexadecimal {
                try sandbox.sql(path, "INSERT INTO vault_kv_store VALUES (\(key), x'\(hexadecimal)')")
            }
        case .raft(let path):
            if let hexadecimal {
                try GoProgram.boltcheck.run("put", "\(path)/vault.db", "data", change.key, hexadecimal)
            } else {
                try GoProgram.boltcheck.run("delete", "\(path)/vault.db", "data", change.key)
            }
        case .dynamodb: Issue.record("tables are not tampered with here")
        }
    }
}
