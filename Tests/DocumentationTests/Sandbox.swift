import Foundation
import OpenBaoTestKit
import Testing

/// The package's own folder.
let packageRoot = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

/// A folder in which commands of the documentation run: `/opt/vault` in them stands for a folder in it, which holds a
/// real server's store.
///
/// So do `/var/lib/sealift`, and `/usr/bin/bao` for a real server's program. `127.0.0.1:8000` stands for a free port, and a table `vault-data` of a real server is served as DynamoDB would.
final class Sandbox {
    let root: URL
    private let port: Int
    private var table: (process: Process, endpoint: String)?
    private var servers = 0

    init() throws {
        root = FileManager.default.temporaryDirectory.appending(path: "sealift-docs-\(UUID().uuidString)")
        port = try Self.freePort()
        for folder in ["vault/buckets", "home/.zfunc", "home/.config/fish/completions", "work"] {
            try FileManager.default.createDirectory(
                at: root.appending(path: folder), withIntermediateDirectories: true)
        }
        try runBash("tar -xzf '\(packageRoot.path)/Tests/Fixtures/file-openbao/data.tar.gz' -C '\(root.path)/vault'")
        try runBash("cp '\(packageRoot.path)/Tests/Fixtures/dynamodb-vault/items.jsonl.gz' '\(root.path)/vault'")
        let snapshot = "\(packageRoot.path)/Tests/Fixtures/raft-openbao-native/snapshot.snap"
        try runBash("cp '\(snapshot)' '\(root.path)/vault/backup.snap'")
    }

    deinit {
        if let process = table?.process {
            process.terminate()
            process.waitUntilExit()
        }
        try? FileManager.default.removeItem(at: root)
    }

    /// A port that nobody listens on at this moment.
    private static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        try #require(isBound)
        return Int(UInt16(bigEndian: address.sin_port))
    }

    /// Serves the table, the first time it is asked for.
    private func endpoint() throws -> String {
        if let table { return table.endpoint }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "\(try Self.programFolder())/sealift")
        process.arguments = [
            "practice-table", "-address", "127.0.0.1:0", "-table", "vault-data", "-import",
            root.appending(path: "vault/items.jsonl.gz").path,
        ]
        // Files, because a server that outlives another command would keep that command's pipe open.
        let output = root.appending(path: "table.txt")
        try Data().write(to: output)
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = FileHandle.nullDevice
        try process.run()
        var text = ""
        for _ in 0..<20_000 where text.firstMatch(of: /listening on \S+\s/) == nil && process.isRunning {
            usleep(5000)
            text = try String(contentsOf: output, encoding: .utf8)
        }
        let endpoint = try #require(
            text.firstMatch(of: /listening on (http:\S+)\s/).map { String($0.output.1) },
            "the table is not served: \(text)")
        table = (process, endpoint)
        return endpoint
    }

    /// The text with `/opt/vault` replaced by this sandbox's folder.
    func localised(_ text: String) -> String {
        text.replacing("/opt/vault", with: root.appending(path: "vault").path)
            .replacing("/var/lib/sealift", with: root.appending(path: "vault/sealift").path)
            .replacing("127.0.0.1:8000", with: "127.0.0.1:\(port)")
    }

    func write(_ name: String, _ text: String) throws {
        let server = text.contains("/usr/bin/bao") ? try ServerVersion.newest.program() : ""
        try localised(text).replacing("/usr/bin/bao", with: server).write(
            to: root.appending(path: "work/\(name)"), atomically: true, encoding: .utf8)
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

    /// Runs the command line of a server until it says that it listens, then tells it to stop.
    func serve(_ line: String) throws -> Outcome {
        try run(
            """
            \(line) > ../served.txt & server=$!
            while kill -0 $server 2> /dev/null && ! grep -q 'listening on' ../served.txt; do sleep 0.1; done
            kill -TERM $server; wait $server; code=$?
            cat ../served.txt; exit $code
            """)
    }

    /// Runs the command line of a server and leaves it there, once it listens; its process id goes to `serverN.pid`.
    func background(_ line: String) throws -> Outcome {
        servers += 1
        let name = "server\(servers)"
        return try run(
            """
            \(line) > \(name).txt 2>&1 & echo $! > \(name).pid
            while kill -0 $(cat \(name).pid) 2> /dev/null && ! grep -q 'listening on' \(name).txt; do sleep 0.1; done
            sleep 3; grep 'listening on' \(name).txt || { cat \(name).txt; exit 1; }
            """)
    }

    /// Whether a command line names a file that leads to DynamoDB itself.
    private func isOnDynamoDB(_ line: String) throws -> Bool {
        let folder = root.appending(path: "work")
        return try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { line.contains($0) && ($0.hasSuffix(".hcl") || $0.hasSuffix(".json")) }
            .contains { name in
                let text = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
                return text.contains("\"dynamodb\"") && !text.contains("endpoint")
            }
    }

    @discardableResult
    private func runBash(_ line: String) throws -> Outcome {
        var environment = [
            "PATH": "\(try Self.programFolder()):/usr/local/bin:/usr/bin:/bin",
            "HOME": root.appending(path: "home").path,
            "LANG": "C.UTF-8", "AWS_ACCESS_KEY_ID": "documentation", "AWS_SECRET_ACCESS_KEY": "documentation",
        ]
        // What names its own endpoint is not sent elsewhere; the environment would win.
        if try isOnDynamoDB(line) { environment["AWS_DYNAMODB_ENDPOINT"] = try endpoint() }
        let (output, errors) = (root.appending(path: "output.txt").path, root.appending(path: "errors.txt").path)
        let code = try Self.wait(
            for: ["/usr/bin/timeout", "-k", "5", "300", "/bin/bash", "-c", "cd '\(root.path)/work'\n\(line)"],
            environment, output: output, errors: errors)
        return Outcome(
            code: code, output: try String(contentsOfFile: output, encoding: .utf8),
            errors: try String(contentsOfFile: errors, encoding: .utf8))
    }

    /// Runs a program to its own end. Foundation's would wait for what it leaves in the background as well.
    private static func wait(
        for words: [String], _ environment: [String: String], output: String, errors: String
    ) throws -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        let arguments = words.map { strdup($0) } + [nil]
        let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in arguments + variables { free(text) } }
        var process: pid_t = 0
        try #require(posix_spawn(&process, words[0], &actions, nil, arguments, variables) == 0)
        var status: Int32 = 0
        try #require(waitpid(process, &status, 0) == process)
        return status & 0x7f == 0 ? (status >> 8) & 0xff : -(status & 0x7f)
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
