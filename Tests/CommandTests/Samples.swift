import Foundation
import TestSupport
import Testing

/// Entries to make stores of.
struct SampleEntry {
    let key: String
    let value: [UInt8]

    init(_ key: String, _ value: [UInt8] = [0, 1, 2]) {
        self.key = key
        self.value = value
    }

    /// The least that passes for the store of an initialised server.
    static let initialised = [SampleEntry("core/keyring"), SampleEntry("core/seal-config")]
}

extension Sandbox {
    /// Writes entries in the layout of the `file` storage.
    func makeFileStore(_ name: String, _ entries: [SampleEntry]) throws -> Store {
        let root = "\(path)/\(name)"
        for entry in entries {
            let (folder, leaf) = split(entry.key)
            try makeFolder("\(root)/\(folder)")
            try Data(envelope(entry.value).utf8).write(to: URL(filePath: "\(root)/\(folder)_\(leaf)"))
        }
        return .file(root)
    }

    /// A `file` store of many small entries, a hundred to a folder.
    func makeLargeFileStore(_ name: String, count: Int, seed: UInt64) throws -> Store {
        let store = try makeFileStore(name, SampleEntry.initialised)
        var random = SeededRandom(seed)
        for folder in 0..<(count / 100) {
            let path = "\(store.path)/logical/\(String(random.next(), radix: 16))-\(folder)"
            try makeFolder(path)
            for entry in 0..<100 {
                let value = (0..<16).map { _ in UInt8.random(in: 0...255, using: &random) }
                let text = envelope(value)
                let file = open("\(path)/_\(entry)", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
                guard file >= 0, Glibc.write(file, text, text.utf8.count) == text.utf8.count, close(file) == 0 else {
                    throw RunningProgram.Failure(description: "cannot write \(path)/_\(entry): errno \(errno)")
                }
            }
        }
        return store
    }

    private func envelope(_ value: [UInt8]) -> String {
        "{\"Value\":\"\(Data(value).base64EncodedString())\"}\n"
    }

    private func split(_ key: String) -> (folder: String, leaf: String) {
        guard let slash = key.lastIndex(of: "/") else { return ("", key) }
        return (String(key[...slash]), String(key[key.index(after: slash)...]))
    }

    /// Writes entries into a table as the `sqlite` storage has it.
    func makeSQLiteStore(_ name: String, _ entries: [SampleEntry]) throws -> Store {
        let file = "\(path)/\(name)"
        let rows = entries.map { "(x'\(hexadecimal(Array($0.key.utf8)))', x'\(hexadecimal($0.value))')" }
        try sql(file, "CREATE TABLE vault_kv_store (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")
        try sql(file, "INSERT INTO vault_kv_store VALUES \(rows.joined(separator: ", "))")
        return .sqlite(file)
    }

    /// Runs SQL on a database with the sqlite3 command.
    @discardableResult
    func sql(_ file: String, _ statement: String) throws -> String {
        let script = try write("home/statement.sql", statement + ";\n")
        return try shell("sqlite3 -bail '\(file)' < '\(script)'")
    }

    private func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Unpacks a data set that a real server wrote.
    func unpack(_ fixture: Fixture) throws -> Store {
        let root = "\(path)/\(fixture.rawValue)"
        try makeFolder(root)
        try shell("tar -xzf '\(fixture.folder)/data.tar.gz' -C '\(root)'")
        return fixture == .fileOpenBao ? .file("\(root)/data") : .raft("\(root)/data")
    }
}

/// Data sets in Tests/Fixtures.
enum Fixture: String, CaseIterable {
    case fileOpenBao = "file-openbao"
    case raftMigrated = "raft-openbao-migrated"
    case raftOpenBao = "raft-openbao-native"
    case raftVault = "raft-vault-native"

    var folder: String { "\(Sandbox.packageRoot)/Tests/Fixtures/\(rawValue)" }

    /// The manifest's lines without its header.
    func manifestLines() throws -> [String] {
        lines(of: try text(of: "\(folder)/manifest.txt")).filter { !$0.hasPrefix("#") }
    }

    /// The keyspace digest, made as the documentation says.
    func digest(_ sandbox: Sandbox) throws -> String {
        let printed = try sandbox.shell("grep -v '^#' '\(folder)/manifest.txt' | sha256sum")
        return String(printed.prefix(64))
    }
}

/// Everything a folder holds: names, kinds, modes, times and contents.
func snapshot(_ root: String, times: Bool = true) throws -> [String: String] {
    var found: [String: String] = [:]
    let names = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
    for name in [""] + names {
        let path = name.isEmpty ? root : "\(root)/\(name)"
        var info = stat()
        guard lstat(path, &info) == 0 else { continue }
        let isFile = info.st_mode & S_IFMT == S_IFREG
        let content = isFile ? try Data(contentsOf: URL(filePath: path)).base64EncodedString() : ""
        let time = times ? " \(info.st_mtim.tv_sec).\(info.st_mtim.tv_nsec)" : ""
        found[name] = "\(String(info.st_mode, radix: 8))\(time) \(content)"
    }
    return found
}
