import Flags
import Glibc
import Migration
import Report
import Storage
import Telemetry

/// `sealift report`: another form of a report that was saved.
let reportCommand = CommandSpec(
    path: ["sealift", "report"], summary: "Make a page of a saved report, or print its schema",
    description: """
        Makes the HTML page of a report.json, or of a line with a result event, as the run itself writes it: a single \
        file that needs no network, with a verdict that is held against the report's own figures. Prints it, or \
        writes it to the file of -html with mode 0600.
        """,
    examples: [
        .init("A page to send on:", "sealift report -html migration.html /opt/vault/raft.sealift/report.json"),
        .init("The schema of report.json, for programs:", "sealift report -schema > report.schema.json"),
    ],
    flags: [
        .boolean("schema", help: "Print the JSON schema (draft 2020-12) of report.json and of the result event."),
        .string("html", placeholder: "path", help: "Write the page to this file.", completion: .file),
    ],
    positional: [.init("REPORT", help: "report.json, or - for standard input", completion: .file)])

/// Runs `report`.
struct ReportCommand {
    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    func run() -> Int32 {
        do {
            if flags.boolean("schema") { return try printSchema() }
            guard flags.arguments.count == 1, let path = String(validating: flags.arguments[0], as: UTF8.self) else {
                throw MigrationFailure(
                    .configuration, "Name one report. Example: sealift report -html page.html report.json")
            }
            return try printPage(of: path)
        } catch {
            let failure = error as? MigrationFailure ?? MigrationFailure(.failed, "\(error)")
            console.printError(console.screen.paint(failure.text(prefix: "Error: "), .red))
            return failure.exitCode
        }
    }

    private func printSchema() throws -> Int32 {
        guard flags.arguments.isEmpty, flags.string("html").isEmpty else {
            throw MigrationFailure(.configuration, "-schema takes no report: it is the same for all.")
        }
        let output = try ResultWriter()
        try output.writeLine(ReportSchema.json.indentedText)
        try output.finish()
        return 0
    }

    private func printPage(of path: String) throws -> Int32 {
        let page = flags.string("html")
        let document: ReportDocument
        do throws(ReportError) {
            document = try SavedReport.read(try bytes(of: path, writing: page))
        } catch {
            throw MigrationFailure(.failed, "\(path): \(error). Name the report.json of a migration's state folder.")
        }
        let output = try ResultWriter(path: page.isEmpty ? "-" : page)
        try output.write(ReportPage(document).file.utf8)
        try output.finish()
        return 0
    }

    /// - Parameter page: The file that will be written.
    private func bytes(of path: String, writing page: String) throws(ReportError) -> [UInt8] {
        let descriptor = path == "-" ? 0 : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw ReportError("open: \(systemMessage(errno))") }
        defer { if descriptor > 0 { close(descriptor) } }
        var (report, other) = (stat(), stat())
        if !page.isEmpty, stat(page, &other) == 0, fstat(descriptor, &report) == 0,
            report.st_ino == other.st_ino, report.st_dev == other.st_dev
        {
            throw ReportError("the page would be written over it")
        }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        // One byte more than is taken tells that there is too much.
        while bytes.count <= SavedReport.mostBytes {
            let count = read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw ReportError("read: \(systemMessage(errno))") }
            if count == 0 { break }
            bytes += piece[..<count]
        }
        return bytes
    }
}
