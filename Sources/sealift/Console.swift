import Flags
import Glibc
import Migration
import Storage
import Synchronization
import Telemetry
import Workers

/// The process's surroundings: environment, terminal, streams. Results go to standard output, all else to standard
/// error.
struct Console: Sendable {
    /// Variables whose values are texts.
    let environment: [String: String]
    /// What is wrong with variables that Sealift may read: values that are no UTF-8 could only be passed on changed.
    let environmentProblem: String?
    /// What standard error can show.
    let screen: TerminalSettings

    init(environment variables: [String: [UInt8]]) {
        let environment = variables.compactMapValues { String(validating: $0, as: UTF8.self) }
        self.environment = environment
        let prefixes = ["AWS_", "BAO_", "VAULT_", "SEALIFT_", "SSL_", "XDG_", "HOME", "TMPDIR"]
        // Flags look at their own variables, and some take any bytes.
        let ofFlags = Set(rootCommand.all.flatMap(\.flags).flatMap(\.environment))
        let unreadable = variables.keys.filter { name in
            environment[name] == nil && !ofFlags.contains(name) && prefixes.contains { name.hasPrefix($0) }
        }
        environmentProblem =
            unreadable.isEmpty
            ? nil
            : "Error: not UTF-8, and could only be used changed: the environment's "
                + "\(unreadable.sorted().joined(separator: ", ")). Set it to a text, or unset it for this command."
        self.screen = TerminalSettings(descriptor: 2, environment: environment)
    }

    /// Writes a line of the result. Whether it arrived shows in ``checkResult()``.
    func printResult(_ text: String) {
        TerminalOutput.standardError.writeLine(text, to: .standardOutput)
    }

    /// Makes sure that everything printed as a result, events included, has arrived.
    func checkResult() throws(OutputFailure) {
        if let number = TerminalOutput.standardOutput.settle() { throw OutputFailure(number: number) }
    }

    /// What to exit with when a command has ended with a code: a result that nobody could read is no success.
    func exitCode(after code: Int32) -> Int32 {
        // Any other code comes with a message already.
        guard code == 0 || code == MigrationFailure.Kind.differences.rawValue else { return code }
        do throws(OutputFailure) {
            try checkResult()
            return code
        } catch {
            printError(screen.paint("Error: \(error)", .red))
            return code == 0 ? MigrationFailure.Kind.failed.rawValue : code
        }
    }

    /// Columns of help texts.
    var helpWidth: Int { min(terminalWidth(of: 1), 100) }

    /// Writes a line about a problem.
    func printError(_ text: String) {
        TerminalOutput.standardError.writeLine(text)
    }

    /// Prints any error of a command, for programs also as an event, and gives its exit code.
    ///
    /// - Parameter prefix: What the command says before what went wrong.
    func fail(_ error: any Error, _ flags: ParsedFlags, prefix: String = "Error: ") -> Int32 {
        let failure =
            error as? MigrationFailure ?? MigrationFailure(.failed, "\(error)", cause: error as? StorageError)
        let text = failure.text(prefix: prefix)
        if flags.string("format") == "json" { EventWriter().emit("failure", members(failure, text, failure.exitCode)) }
        printError(failure.kind == .interrupted ? text : screen.paint(text, .red))
        return failure.exitCode
    }

    /// Prints what is wrong with a command line, also as an event if it asks for JSON in so many words: what the flags mean
    /// is not known.
    func fail(_ error: FlagError, _ arguments: [[UInt8]]) -> Int32 {
        let wantsJSON = arguments.enumerated().contains { place, word in
            let text = String(decoding: word.drop { $0 == UInt8(ascii: "-") }, as: UTF8.self)
            guard word.first == UInt8(ascii: "-") else { return false }
            return text == "format=json"
                || text == "format" && arguments.dropFirst(place + 1).first?.elementsEqual("json".utf8) == true
        }
        if wantsJSON { EventWriter().emit("failure", members(nil, error.message, error.exitCode)) }
        printError(screen.paint(error.message, .red))
        return error.exitCode
    }

    private func members(
        _ failure: MigrationFailure?, _ text: String, _ exitCode: Int32
    ) -> [(String, JSONText)] {
        [
            ("exit_code", .integer(Int(exitCode))), ("message", .string(text)),
            ("code", .optional(failure?.cause?.code.rawValue)),
            ("key", .optional(failure?.cause?.key.map { "\($0)" })),
            (
                "place",
                failure?.place.map { place in
                    .object([
                        ("file", .string(place.file)), ("line", .integer(place.line)),
                        ("column", .integer(place.column)),
                    ])
                } ?? .null
            ),
            ("cause", .optional(failure?.cause?.message)),
        ]
    }

    /// Runs a command's work once the flags that commands share are looked at; prints what it throws.
    ///
    /// - Returns: What `body` does, or the failure's exit code.
    func perform(_ flags: ParsedFlags, _ body: (Logger) throws -> Int32) -> Int32 {
        do {
            let logger = try logger(flags)
            if flags.has("max-parallel") { try CommonFlags.checkParallel(flags) }
            try CommonFlags.checkFormat(flags)
            return try body(logger)
        } catch {
            return fail(error, flags)
        }
    }

    /// The logger that the common flags ask for.
    ///
    /// - Throws: The stock command's message for an unknown level.
    func logger(_ flags: ParsedFlags) throws(MigrationFailure) -> Logger {
        let level: LogLevel
        do throws(LogLevelError) {
            level = try LogLevel(parsing: flags.string("log-level"))
        } catch {
            throw MigrationFailure(.configuration, "\(error)")
        }
        return Logger(level: level, format: LogFormat(parsing: flags.string("log-format")))
    }

    /// How a command that runs long shows where it is.
    func progressStyle(_ flags: ParsedFlags, _ logger: Logger) -> ProgressDisplay.Style {
        flags.string("format") == "json"
            ? .events(EventWriter()) : .suited(to: screen, output: .standardError, logger: logger)
    }

    /// Starts watching for signals that ask the process to end: the first stops the run cleanly. Only an impatient user
    /// at a terminal is taken at his word, and ends the process at once, which is as safe as a power cut; shells and
    /// supervisors send several signals for one.
    func watchSignals(_ cancellation: CancellationToken, announcement: String?) throws(ThreadFailure) {
        let patience = Patience()
        _ = try SignalWatch { signal, count in
            if patience.isLost(by: signal) { _exit(130) }
            guard count == 1 else { return }
            // The announcement may wait for whoever reads standard output.
            cancellation.cancel()
            if let announcement { printResult(announcement) }
        }
    }
}

/// Tells a user who asks again from one request that comes more than once.
final class Patience: Sendable {
    /// One Ctrl-C may reach a process from the terminal and from whoever started it.
    private static let shortest = Duration.milliseconds(300)

    private let first = Mutex<ContinuousClock.Instant?>(nil)

    /// Whether a signal of the keyboard came again.
    func isLost(by signal: Int32) -> Bool {
        guard signal == SIGINT || signal == SIGQUIT else { return false }
        let now = ContinuousClock().now
        return first.withLock { first in
            guard let earlier = first else {
                first = now
                return false
            }
            return now - earlier > Self.shortest
        }
    }
}

/// Flags that several commands share.
enum CommonFlags {
    static let config = FlagSpec.bytes(
        "config", placeholder: "path", environment: ["BAO_MIGRATE_CONFIG_PATH", "VAULT_MIGRATE_CONFIG_PATH"],
        help: "Path of the configuration file (HCL or JSON).", completion: .file)
    static let storeConfig = FlagSpec.bytes(
        "config", placeholder: "path", environment: ["BAO_MIGRATE_CONFIG_PATH", "VAULT_MIGRATE_CONFIG_PATH"],
        help: "Path of the configuration file (HCL or JSON), or of a server's folder of them.", completion: .file)
    static let logLevel = FlagSpec.string(
        "log-level", placeholder: "level", default: "info", environment: ["BAO_LOG_LEVEL", "VAULT_LOG_LEVEL"],
        help: "Lowest level of log lines: trace, debug, info, warn, error.",
        completion: .values(LogLevel.allCases.map(\.name)))
    static let logFormat = FlagSpec.string(
        "log-format", placeholder: "format", default: "standard",
        environment: ["BAO_LOG_FORMAT", "VAULT_LOG_FORMAT"], help: "Form of log lines: standard or json.",
        completion: .values(["standard", "json"]))
    static let format = FlagSpec.string(
        "format", placeholder: "format", default: "table",
        help: "Form of the result: table for people, json for programs (one object a line).",
        completion: .values(["table", "json"]))
    static let side = FlagSpec.string(
        "side", placeholder: "side",
        help: "Which store of a migration's file: source or destination. A file with one storage stanza needs none.",
        completion: .values(["source", "destination"]))
    static let maxParallel = FlagSpec.integer(
        "max-parallel", default: 10, emptyIsZero: true, help: "Most entries to be read at once.")

    static let listedOnly = FlagSpec.boolean(
        "listed-only",
        help: "Leave out entries that the store's own listing cannot see: names that begin with _, directories without "
            + "marker.")

    static let allowAnyData = FlagSpec.boolean(
        "allow-any-data", help: "Migrate a source that is not the store of an initialised Vault or OpenBao.")
    static let allowMissingLog = FlagSpec.boolean(
        "allow-missing-log",
        help:
            "Migrate a Raft directory whose log is missing or cannot be read, or holds writes that the data lacks: "
            + "they are not copied.")
    static let readOnlySource = FlagSpec.boolean(
        "read-only-source", help: "Set no migration marker on the source. Make sure no server starts on it.")
    static let stateFolder = FlagSpec.string(
        "state-dir", placeholder: "path",
        help: "Folder for lock, manifest and report; by default beside a Raft destination, else below "
            + "~/.local/state/sealift.", completion: .directory)
    static let include = FlagSpec.list(
        "include", placeholder: "prefix",
        help: "Take only keys that begin with this, written as for -start. No server starts without core/.")
    static let exclude = FlagSpec.list(
        "exclude", placeholder: "prefix",
        help: "Leave out keys that begin with this, such as sys/expire/ (leases) for a drill.")

    static let allowLostEntries = FlagSpec.boolean(
        "allow-lost-entries",
        help: "Do without the entries of a file store that a crash left as files of zero length; they are named.")

    static let signKey = FlagSpec.string(
        "sign-key", placeholder: "path",
        help:
            "Sign what is written as evidence with this Ed25519 private key (PEM, mode 0600): FILE.sig beside each FILE.",
        completion: .file)

    static let keyFile = FlagSpec.string(
        "key-file", placeholder: "path",
        help:
            "The secret of a keyed manifest, which tells nobody without it what entries there are: a file of mode 0600 with "
            + "32 bytes at least.", completion: .file)

    /// The secret in the file of `-key-file`; `nil` if none was named.
    ///
    /// - Throws: If there is none in it.
    static func manifestKey(_ flags: ParsedFlags) throws(MigrationFailure) -> ManifestKey? {
        guard flags.isSet("key-file") else { return nil }
        guard !flags.string("key-file").isEmpty else {
            throw MigrationFailure(.configuration, "-key-file names no file.")
        }
        return try ManifestKey(file: flags.string("key-file"))
    }

    /// What signs with the key of `-sign-key`; `nil` if none was named.
    ///
    /// - Throws: If it is none to sign with.
    static func signer(_ flags: ParsedFlags) throws(MigrationFailure) -> EvidenceSigner? {
        guard flags.isSet("sign-key") else { return nil }
        // An empty variable of a script is no wish to go without.
        guard !flags.string("sign-key").isEmpty else {
            throw MigrationFailure(.configuration, "-sign-key names no file.")
        }
        return try EvidenceSigner(keyFile: flags.string("sign-key"))
    }

    static func checkFormat(_ flags: ParsedFlags) throws(MigrationFailure) {
        let format = flags.string("format")
        guard format == "table" || format == "json" else {
            throw MigrationFailure(
                .configuration, "Invalid output format: \(format)\nGive -format=table or -format=json.")
        }
    }

    static func checkParallel(_ flags: ParsedFlags) throws(MigrationFailure) {
        guard flags.integer("max-parallel") >= 1 else {
            throw MigrationFailure(
                .configuration, "Argument to flag -max-parallel must be between 1 and 9223372036854775807")
        }
    }

    /// The path of the configuration file as a text.
    static func configPath(_ flags: ParsedFlags) throws(MigrationFailure) -> String {
        let path = flags.bytes("config")
        guard !path.isEmpty else {
            throw MigrationFailure(.configuration, "Must specify exactly one config path using -config")
        }
        if let text = String(validating: path, as: UTF8.self) { return text }
        // A name that is no text is opened as the bytes it is; the open file has a name that is one.
        let shown = StorageKey(path).description
        let descriptor = (path + [0]).withUnsafeBufferPointer { bytes in
            bytes.withMemoryRebound(to: CChar.self) { name in name.baseAddress.map { open($0, O_RDONLY | O_CLOEXEC) } }
        }
        guard let descriptor, descriptor >= 0 else {
            throw MigrationFailure(
                .configuration,
                "Error loading configuration from \(shown): open \(shown): \(systemMessage(errno))")
        }
        return "/proc/self/fd/\(descriptor)"
    }

    /// The key of `-start`; `nil` if none was given.
    ///
    /// - Throws: If a backslash in it begins no escape.
    static func start(_ flags: ParsedFlags) throws(MigrationFailure) -> StorageKey? { try key(flags, "start") }

    /// The key that a flag names; `nil` if none was given.
    ///
    /// - Throws: If a backslash in it begins no escape.
    static func key(_ flags: ParsedFlags, _ name: String) throws(MigrationFailure) -> StorageKey? {
        let text = flags.bytes(name)
        guard !text.isEmpty else { return nil }
        guard let key = StorageKey(loosely: text) else {
            throw MigrationFailure(
                .configuration,
                "-\(name): a backslash begins an escape, \\xhh for any byte or \\\\ for a backslash, as in manifests.")
        }
        return key
    }

    /// The prefixes that a flag names, each mention one.
    ///
    /// - Throws: If one is empty, or a backslash in it begins no escape.
    static func prefixes(_ flags: ParsedFlags, _ name: String) throws(MigrationFailure) -> [StorageKey] {
        var prefixes: [StorageKey] = []
        for text in flags.list(name) {
            guard !text.isEmpty, let key = StorageKey(loosely: Array(text.utf8)) else {
                throw MigrationFailure(
                    .configuration,
                    "-\(name) is the beginning of keys, with \\xhh for any byte and \\\\ for a backslash, as in manifests."
                )
            }
            prefixes.append(key)
        }
        return prefixes
    }
}
