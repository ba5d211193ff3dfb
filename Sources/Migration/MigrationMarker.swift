import FoundationEssentials
import Glibc
import Storage

/// The entry `core/migration`: while it is there no server starts on the store, and no other migration does.
///
/// Vault's own members come first; ours tell a run that was killed from somebody else's
/// (Vault 1.14 `vault/migration` reads `start` and passes over the rest).
package struct MigrationMarker: Sendable, Equatable {
    /// RFC 3339 in the local zone.
    package var start: String
    /// Fingerprint of the two stores; `nil` in a marker of the stock command.
    package var job: String?
    package var host: String?
    package var process: Int?
    /// What the run does to a destination that was whole before (`repair`, `rollback`); `nil` for one that is filled.
    package var mode: String?

    package init(start: String, job: String?, host: String?, process: Int?, mode: String? = nil) {
        self.mode = mode
        self.start = start
        self.job = job
        self.host = host
        self.process = process
    }

    private struct Form: Codable {
        struct Sealift: Codable {
            var job: String
            var host: String
            var pid: Int
            var mode: String?
        }

        var start: String?
        var sealift: Sealift?
    }

    /// The entry's value: one JSON object and a newline.
    package var encoded: [UInt8] {
        let form = Form(
            start: start,
            sealift: job.map { Form.Sealift(job: $0, host: host ?? "", pid: process ?? 0, mode: mode) })
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let text = (try? encoder.encode(form)).map { [UInt8]($0) } ?? Array("{}".utf8)
        return text + [UInt8(ascii: "\n")]
    }

    /// Reads a marker; `nil` if the value is none that can be read (a compressed one, for example).
    package init?(decoding bytes: [UInt8]) {
        guard let form = try? JSONDecoder().decode(Form.self, from: Data(bytes)), let start = form.start else {
            return nil
        }
        self.init(
            start: start, job: form.sealift?.job, host: form.sealift?.host, process: form.sealift?.pid,
            mode: form.sealift?.mode)
    }

    /// The marker of this process.
    package static func current(job: String, time: String, mode: String? = nil) -> MigrationMarker {
        MigrationMarker(start: time, job: job, host: hostName(), process: Int(getpid()), mode: mode)
    }

    /// Whether the process that wrote it may still run.
    ///
    /// On another host that cannot be told, and counts as no: the state folder's lock is the first guard.
    package var isAlive: Bool {
        guard let process, process > 1, host == Self.hostName(), process != Int(getpid()),
            let number = pid_t(exactly: process)
        else { return false }
        // Another user's process may not be signalled, but is there.
        return kill(number, 0) == 0 || errno == EPERM
    }

    /// Whether that process is a run of this program, as far as the system tells.
    ///
    /// Numbers are used again, in containers after every start: another program's process is not the one that wrote it.
    package var isRunning: Bool {
        guard isAlive, let process else { return false }
        let (its, own) = (Self.programName(of: "\(process)"), Self.programName(of: "self"))
        return its == nil || own == nil || its == own
    }

    /// What the system calls a process; `nil` if it does not tell.
    private static func programName(of process: String) -> [UInt8]? {
        let descriptor = open("/proc/\(process)/comm", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(descriptor, &bytes, bytes.count)
        return count > 0 ? Array(bytes[..<count]) : nil
    }

    /// The time in whole seconds, as the stock command prints it.
    package var startInSeconds: String {
        guard let dot = start.firstIndex(of: ".") else { return start }
        let zone = start[dot...].firstIndex { $0 == "Z" || $0 == "+" || $0 == "-" } ?? start.endIndex
        return String(start[..<dot] + start[zone...])
    }

    /// This process, for whoever has to wait for it.
    static var processName: String { "process \(getpid()) on \(hostName())" }

    private static func hostName() -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
