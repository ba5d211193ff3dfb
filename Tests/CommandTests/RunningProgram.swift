import Foundation
import Testing

/// A process of its own: the built program, or a tool that looks at what it did.
///
/// Both outputs go to files, so that nothing can block on a full pipe. The end shows at a socket whose other end only
/// the process holds, which makes a wait with a limit possible.
final class RunningProgram {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Longer than any run here takes on a busy machine; a program that hangs fails its test.
    private static let maximumMilliseconds: Int32 = 120_000

    private let process: pid_t
    private let words: [String]
    private let ending: Int32
    private var code: Int32?

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - words: Absolute path and arguments.
    ///   - streams: Files for standard input, output and error.
    init(
        _ words: [String], environment: [String: String], streams: (input: String, output: String, errors: String)
    ) throws {
        var ends: [Int32] = [0, 0]
        // A socket pair, because a pipe cannot be made in one step with a program that another thread starts.
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw Failure(description: "socketpair: errno \(errno)") }
        defer { close(ends[1]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let writing = O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY
        posix_spawn_file_actions_addopen(&actions, 0, streams.input, O_RDONLY | O_NOCTTY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, streams.output, writing, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, streams.errors, writing, 0o600)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 3)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        let arguments = CStrings(words)
        let variables = CStrings(environment.map { "\($0.key)=\($0.value)" })
        var started: pid_t = 0
        let number = posix_spawn(
            &started, words[0], &actions, &attributes, arguments.pointers, variables.pointers)
        guard number == 0 else {
            close(ends[0])
            throw Failure(description: "cannot start \(words[0]): errno \(number)")
        }
        self.process = started
        self.words = words
        self.ending = ends[0]
    }

    deinit {
        if code == nil {
            kill(process, SIGKILL)
            waitpid(process, nil, 0)
        }
        close(ending)
    }

    /// Whether the process ended within a time.
    func ends(within milliseconds: Int32) -> Bool {
        var watched = pollfd(fd: ending, events: Int16(POLLIN), revents: 0)
        var result = poll(&watched, 1, milliseconds)
        while result < 0, errno == EINTR { result = poll(&watched, 1, milliseconds) }
        return result > 0
    }

    /// Whether the process is halted by SIGSTOP.
    var isHalted: Bool {
        let line = (try? text(of: "/proc/\(process)/stat")) ?? ""
        // The state stands behind the name, which is in parentheses.
        return line.components(separatedBy: ") ").last?.hasPrefix("T") == true
    }

    /// The limits that the system holds the process to, as `/proc` shows them.
    func limits() throws -> String { try text(of: "/proc/\(process)/limits") }

    /// Sends a signal; does nothing if the process has been waited for.
    func send(_ signal: Int32) {
        if code == nil { kill(process, signal) }
    }

    /// Waits for the end.
    ///
    /// - Returns: The exit code; the negative number of the signal that ended the process.
    func wait() throws -> Int32 {
        if let code { return code }
        guard ends(within: Self.maximumMilliseconds) else {
            throw Failure(description: "\(words.joined(separator: " ")) hangs")
        }
        var status: Int32 = 0
        guard waitpid(process, &status, 0) == process else { throw Failure(description: "waitpid: errno \(errno)") }
        let signal = status & 0x7f
        let found = signal == 0 ? (status >> 8) & 0xff : -signal
        code = found
        return found
    }
}

/// A vector of strings as C takes it.
private final class CStrings {
    let pointers: [UnsafeMutablePointer<CChar>?]

    init(_ texts: [String]) {
        pointers = texts.map { strdup($0) } + [nil]
    }

    deinit {
        for pointer in pointers { free(pointer) }
    }
}

/// What a program left behind.
struct Outcome {
    let code: Int32
    let output: String
    let errors: String

    var outputLines: [String] { lines(of: output) }
    var errorLines: [String] { lines(of: errors) }

    /// Error lines that are no log lines.
    var messages: [String] {
        errorLines.filter { $0.range(of: #"^\d{4}-\d\d-\d\dT\S+ \["#, options: .regularExpression) == nil }
    }
}

/// The lines of a text, without an empty one at the end.
func lines(of text: String) -> [String] {
    var lines = text.components(separatedBy: "\n")
    if lines.last == "" { lines.removeLast() }
    return lines
}
