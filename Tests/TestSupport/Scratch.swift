package import Foundation
import Synchronization

/// A folder for one test run, removed at its end, and names in it.
package enum Scratch {
    package static let root: URL = {
        let name = "sealift-tests-\(ProcessInfo.processInfo.processIdentifier)"
        let directory = FileManager.default.temporaryDirectory.appending(path: name)
        try? FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        atexit { try? FileManager.default.removeItem(at: Scratch.root) }
        return directory
    }()

    private static let next = Mutex(0)

    /// Runs `body` with the path of a new, empty folder and removes it.
    package static func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
        let number = next.withLock { number in
            number += 1
            return number
        }
        let folder = root.appending(path: "\(number)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        return try body(folder)
    }

    package static func bytes(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(filePath: path)))
    }

    package static func write(_ bytes: some Sequence<UInt8>, to path: String) throws {
        try Data(bytes).write(to: URL(filePath: path))
    }

    /// The names below a folder, relative to it, sorted; empty if there is no such folder.
    package static func names(in folder: String) -> [String] {
        (FileManager.default.enumerator(atPath: folder)?.allObjects as? [String] ?? []).sorted()
    }
}
