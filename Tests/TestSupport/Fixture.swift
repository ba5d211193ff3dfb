import Foundation
import Synchronization

/// A store that a real server wrote, in `Tests/Fixtures`.
package struct Fixture: Sendable, CustomStringConvertible {
    package let name: String

    package init(_ name: String) { self.name = name }

    package var description: String { name }

    package static let raftDirectories = [
        Fixture("raft-openbao-migrated"), Fixture("raft-openbao-native"), Fixture("raft-vault-native"),
    ]

    static let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()

    private static let unpacked = Mutex<[String: String]>([:])

    /// The store's folder, unpacked once per run; for reading only.
    package func folder() throws -> String {
        try Self.unpacked.withLock { unpacked in
            if let folder = unpacked[name] { return folder }
            let folder = Scratch.root.appending(path: "fixture-\(name)").path
            try unpack(into: folder)
            unpacked[name] = "\(folder)/data"
            return "\(folder)/data"
        }
    }

    /// Unpacks the store as `data` in a folder of the test's own.
    package func unpack(into folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try runProgram("/usr/bin/env", ["tar", "-xzf", path("data.tar.gz"), "-C", folder])
    }

    /// The path of a file beside the store.
    package func path(_ file: String) -> String {
        Self.tests.appending(path: "Fixtures/\(name)/\(file)").path
    }

    /// The path of a file for whoever starts a real server on the store.
    package func served(_ file: String) -> String {
        Self.tests.appending(path: "Fixtures/served/\(name)/\(file)").path
    }

    /// The manifest's lines as bytes.
    package func manifest() throws -> [UInt8] {
        try Scratch.bytes(path("manifest.txt"))
    }
}
