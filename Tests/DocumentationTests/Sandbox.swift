import Foundation
import Testing

/// The package's own folder.
let packageRoot = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

/// A folder in which commands of the documentation run: `/opt/vault` in them stands for a folder in it, which holds a
/// real server's store.
final class Sandbox {
    let root: URL

    init() throws {
        root = FileManager.default.temporaryDirectory.appending(path: "sealift-docs-\(UUID().uuidString)")
        for folder in ["vault", "home/.zfunc", "home/.config/fish/completions", "work"] {
            try FileManager.default.createDirectory(
                at: root.appending(path: folder), withIntermediateDirectories: true)
        }
        try runBash("tar -xzf '\(packageRoot.path)/Tests/Fixtures/file-openbao/data.tar.gz' -C '\(root.path)/vault'")
    }

    deinit { try? FileManager.default.removeItem(at: root) }

    /// The text with `/opt/vault` replaced by this sandbox's folder.
    func localised(_ text: String) -> String {
        text.replacing("/opt/vault", with: root.appending(path: "vault").path)
    }

    func write(_ name: String, _ text: String) throws {
        try localised(text).write(to: root.appending(path: "work/\(name)"), atomically: true, encoding: .utf8)
    }

    /// What a command said.
    struct Outcome {
        let code: Int32
        let output: String
        let errors: String
    }

    /// Runs a command line with bash; `sealift` is the built program.
    @discardableResult
    func run(_ line: String) throws -> Outcome {
        try runBash(localised(line))
    }

    @discardableResult
    private func runBash(_ line: String) throws -> Outcome {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = ["-c", line]
        process.currentDirectoryURL = root.appending(path: "work")
        process.environment = [
            "PATH": "\(try Self.programFolder()):/usr/local/bin:/usr/bin:/bin",
            "HOME": root.appending(path: "home").path,
            "LANG": "C.UTF-8",
        ]
        let errorFile = root.appending(path: "errors.txt")
        try Data().write(to: errorFile)
        let output = Pipe()
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: errorFile)
        try process.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Outcome(
            code: process.terminationStatus, output: String(decoding: bytes, as: UTF8.self),
            errors: try String(contentsOf: errorFile, encoding: .utf8))
    }

    /// The folder of the built program: that of the test bundle.
    static func programFolder() throws -> String {
        let candidates =
            [Bundle.main.bundleURL, Bundle.main.executableURL?.deletingLastPathComponent()]
            + Bundle.allBundles.map { $0.bundleURL.deletingLastPathComponent() }
            + [packageRoot.appending(path: ".build/debug")]
        let folder = candidates.compactMap { $0 }.first {
            FileManager.default.isExecutableFile(atPath: $0.appending(path: "sealift").path)
        }
        return try #require(folder, "the program is not built").path
    }
}
