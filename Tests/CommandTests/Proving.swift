import Barrier
import BarrierTestKit
import FileBackend
import Foundation
import Storage
import TestSupport

/// A store that a real server wrote, with the key shares of its initialisation.
struct SharedStore {
    let sandbox: Sandbox
    let store: Store
    /// A server's file for it.
    let configuration: String
    /// As `operator init` printed them, in base64.
    let texts: [String]
    /// A file with three of them, one a line.
    let sharesFile: String

    /// Where the shares of a fixture stand.
    private static func initialisation(_ fixture: Fixture) throws -> [String: Any] {
        let name = fixture == .fileOpenBao ? Fixture.raftMigrated.rawValue : fixture.rawValue
        let path = "\(Sandbox.packageRoot)/Tests/Fixtures/served/\(name)/init.json"
        return try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path))) as? [String: Any] ?? [:]
    }

    init(_ fixture: Fixture) throws {
        sandbox = try Sandbox()
        // Temporary files are searched as well.
        try makeFolder("\(sandbox.path)/home/tmp")
        sandbox.environment["TMPDIR"] = "\(sandbox.path)/home/tmp"
        store = try sandbox.unpack(fixture)
        configuration = try sandbox.configuration(of: store)
        texts = try Self.initialisation(fixture)["keys_base64"] as? [String] ?? []
        sharesFile = try sandbox.write("shares.txt", texts.prefix(3).joined(separator: "\n"))
    }

    /// Runs the program with shares on descriptor 5.
    func run(_ words: [String], shares: String? = nil, adding variables: [String: String] = [:]) throws -> Outcome {
        try sandbox.startShell(
            "exec \"$0\" \"$@\" 5< '\(shares ?? sharesFile)'", words + ["-shares-fd", "5"], adding: variables
        )
        .outcome()
    }

    func prove(_ flags: [String] = [], shares: String? = nil) throws -> Outcome {
        try run(["prove", "-config", configuration] + flags, shares: shares)
    }

    /// A file of other shares.
    func shares(_ texts: [String], name: String = "others.txt") throws -> String {
        try sandbox.write(name, texts.joined(separator: "\n") + "\n")
    }

    /// The store opened to be changed, if it is one of files.
    func opened() throws -> FileBackend { try FileBackend(path: store.path, mustExist: true) }

    func barrier() throws -> OpenedBarrier { try OpenedBarrier(opened(), keyShares(Array(texts.prefix(3)))) }

    /// Where shares, keys or what was decrypted stand in anything that the runs have left, what they have printed among it
    /// (`home/output-…`, `home/errors-…`); only for a store of files.
    func leaks(_ plain: [[UInt8]] = []) throws -> [String] {
        let shares = texts.compactMap { Data(base64Encoded: $0).map { [UInt8]($0) } }
        let search = SecretSearch(shares + (try barrier().secrets) + plain)
        return try search.find(below: sandbox.path, except: [sharesFile])
    }
}

extension SharedStore {
    /// A store of before Vault 1.3, whose shares are the root key itself.
    static func legacy() throws -> SharedStore {
        let shared = try SharedStore(.fileOpenBao)
        let store = try shared.opened()
        try OpenedBarrier.makeLegacy(store, keyShares(Array(shared.texts.prefix(3))))
        store.close()
        return shared
    }

    /// A destination that is not there yet.
    func destination(_ kind: String) -> Store {
        let path = "\(sandbox.path)/to-\(kind)"
        return kind == "raft" ? .raft(path) : kind == "sqlite" ? .sqlite(path) : .file(path)
    }
}

extension Fixture {
    /// How many entries of the store are encrypted.
    func provableEntries() throws -> Int {
        let plain = ["core/seal-config", "core/initialize-lock"]
        return try manifestLines().count { line in !plain.contains { line.hasSuffix("  \($0)") } }
    }
}

extension SharedStore {
    /// Three shares of a store that a real server was started on.
    static func texts(_ name: String) throws -> [String] {
        let path = "\(Sandbox.packageRoot)/Tests/Fixtures/served/\(name)/init.json"
        let printed = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path))) as? [String: Any]
        return Array((printed?["keys_base64"] as? [String] ?? []).prefix(3))
    }
}
