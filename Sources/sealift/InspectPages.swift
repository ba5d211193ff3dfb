import Bolt
import Flags
import Glibc
import Migration
import RaftDirectoryBackend
import Storage
import Telemetry
import Workers

/// `sealift inspect pages`: how the files of integrated storage use their pages.
let inspectPagesCommand = CommandSpec(
    path: ["sealift", "inspect", "pages"], summary: "Show how the files of integrated storage use their pages",
    description: """
        Reads the pages in use of vault.db and raft/raft.db of a stopped node, or of one bbolt file, and shows sizes, free \
        and overflow pages, the depth of the trees, and what `raft compact` would give back. Changes nothing.
        """,
    examples: [
        .init("A node's directory:", "sealift inspect pages /opt/vault/raft"),
        .init("The destination of a migration:", "sealift inspect pages -config migrate.hcl -side=destination"),
    ],
    flags: [
        CommonFlags.storeConfig, CommonFlags.side, CommonFlags.logLevel, CommonFlags.logFormat, CommonFlags.format,
    ],
    positional: [
        .init(
            "PATH", help: "directory of a stopped node, or a bbolt file, in place of -config", completion: .file)
    ])

/// Runs `inspect pages`.
struct InspectPages {
    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    func run() -> Int32 {
        console.perform(flags) { _ in
            do {
                try show()
                return 0
            } catch {
                throw nodeFailure(error)
            }
        }
    }

    private func show() throws {
        let cancellation = CancellationToken()
        try console.watchSignals(cancellation, announcement: nil)
        let (shapes, segments) = try shapes(cancellation)
        if let folder = segments {
            console.printError(
                "The log is kept in \(folder): its segments have no pages, and only vault.db is shown.")
        }
        for file in shapes {
            console.printResult(
                flags.string("format") == "json" ? JSONText.object(file.members).text : file.text)
        }
    }

    /// - Returns: The files, and the folder of a log that has no pages.
    private func shapes(_ cancellation: CancellationToken) throws -> ([NodeFileShape], segments: String?) {
        guard let argument = flags.arguments.first else {
            let store = try openSide(flags, console, cancellation)
            defer { store.close() }
            guard let node = store as? RaftDirectoryBackend else {
                throw MigrationFailure(
                    .configuration,
                    "\(store.kind) \(store.location) is not integrated storage and has no pages to show.")
            }
            return (try node.fileShapes(isCancelled: { cancellation.isCancelled }), node.segments)
        }
        // Environment variables may name a configuration as well; the path on the command line is meant.
        guard flags.arguments.count == 1, let path = String(validating: argument, as: UTF8.self),
            flags.source(of: "config") != .commandLine
        else { throw MigrationFailure(.configuration, "Name one directory or file, or -config. Flags come first.") }
        var info = stat()
        guard stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else {
            let name = path.split(separator: "/").last.map(String.init) ?? path
            return ([try RaftDirectoryBackend.shape(of: path, named: name) { cancellation.isCancelled }], nil)
        }
        let node = try RaftDirectoryBackend(path: path)
        defer { node.close() }
        return (try node.fileShapes(isCancelled: { cancellation.isCancelled }), node.segments)
    }
}

extension NodeFileShape {
    /// Lines for a person.
    var text: String {
        let page = shape.pageSize
        let free = max(shape.freePages, 0)
        let behind = shape.fileBytes - shape.pages.clampedProduct(page)
        return """
            \(name)
              file        \(formatBytes(shape.fileBytes)), \(counted(shape.pages, "page")) of \(formatBytes(page))
              in use      \(counted(shape.leafPages, "leaf page")), \(counted(shape.branchPages, "branch page")), \
            \(counted(shape.overflowPages, "overflow page")); \(counted(shape.depth, "level"))
              content     \(counted(shape.entries, "entry", "entries")), \(formatBytes(shape.contentBytes))
              free        \(counted(free, "page")), \(formatBytes(free.clampedProduct(page))); \
            \(formatBytes(max(behind, 0))) behind the last page
              compaction  \(formatBytes(shape.compactBytes)), gives \(formatBytes(shape.givenBackBytes)) back
            """
    }

    /// The same for a program.
    var members: [(String, JSONText)] {
        [("name", .string(name)), ("file_bytes", .integer(shape.fileBytes))] + shapeMembers(shape)
            + [("entries", .integer(shape.entries)), ("compact_bytes", .integer(shape.compactBytes))]
    }
}
