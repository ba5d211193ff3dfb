import CSystem
import Files
import Glibc
import Migration
import Storage
import VaultAPI
import Workers

/// A real server on the copy: a child that cannot outlive this process, in surroundings of its own.
// Unchecked: used by the thread that started it alone; the kernel ends the server with that thread.
final class DrillServer: @unchecked Sendable {
    /// Bytes at the end of the log that are looked at for a reason.
    private static let lookedAt = 64 << 10
    private static let socket = "api.sock"

    let client: ServerClient
    private let log: String
    private let folder: Int32
    private var process: pid_t
    /// How it ended; `nil` while it runs.
    private var status: Int32?
    private let cancellation: CancellationToken
    private let timeout: Int

    /// Writes its file and starts it.
    init(
        _ settings: DrillSettings.Server, _ network: CopyNetwork, on scratch: DrillFolder.Scratch,
        _ cancellation: CancellationToken
    ) throws {
        self.cancellation = cancellation
        timeout = settings.timeout
        log = "\(scratch.server)/server.log"
        try createFile("\(scratch.server)/server.hcl", Array(try Self.configuration(scratch.data, network).utf8))
        folder = cs_open_own_directory(AT_FDCWD, scratch.server)
        guard folder >= 0 else { throw StorageError.system("open", scratch.server, errno: errno) }
        // The path of a socket has room for 107 bytes, however long the folder's is.
        client = ServerClient(
            ServerAddress(socket: "/proc/self/fd/\(folder)/\(Self.socket)"), timeout: .seconds(60),
            isCancelled: { cancellation.isCancelled })
        do {
            process = try Self.start(settings, network, scratch.server, log)
        } catch {
            Glibc.close(folder)
            throw error
        }
    }

    deinit {
        if status == nil { end() }
        client.close()
        Glibc.close(folder)
    }

    private static func start(
        _ settings: DrillSettings.Server, _ network: CopyNetwork, _ folder: String, _ log: String
    ) throws -> pid_t {
        let output = cs_open_own_file(AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        guard output >= 0 else { throw StorageError.system("create", log, errno: errno) }
        defer { Glibc.close(output) }
        // Nothing of ours: a server takes addresses, tokens and seals from VAULT_… and BAO_….
        let words = CStrings([settings.binary, "server", "-config", "\(folder)/server.hcl"])
        let variables = CStrings(["PATH=/usr/bin:/bin", "HOME=\(folder)", "TMPDIR=\(folder)", "LC_ALL=C.UTF-8"])
        var stage: Int32 = 0
        let process = settings.binary.withCString { program in
            folder.withCString { folder in
                words.withPointers { words in
                    variables.withPointers { variables in
                        var what = cs_spawned(
                            program: program, arguments: words, environment: variables, folder: folder, output: output,
                            cuts_network: network.isCut ? 1 : 0)
                        return cs_spawn(&what, &stage)
                    }
                }
            }
        }
        guard process > 0 else {
            let reason = systemMessage(errno)
            throw MigrationFailure(
                .failed,
                Int(stage) == CS_SPAWN_NETWORK
                    ? "the server could not be given a network of its own: \(reason)."
                    : "\(settings.binary) cannot be started: \(reason). Name the server's program with binary.")
        }
        return process
    }

    /// The server's file.
    private static func configuration(_ data: String, _ network: CopyNetwork) throws(MigrationFailure) -> String {
        guard !data.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f }) else {
            throw MigrationFailure(
                .failed, "folder has a control character in its path, which a server's file cannot hold.")
        }
        let path = data.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("${", with: "$${")
        // The API is the socket's, which nobody else can open; only there a root token is made of key shares. OpenBao asks for
        // the setting, Vault says that it does not know it.
        return """
            storage "raft" {
              path                   = "\(path)"
              node_id                = "\(DrillRun.nodeID)"
              performance_multiplier = 1
            }
            listener "unix" {
              address                                  = "\(socket)"
              socket_mode                              = "600"
              disable_unauthed_generate_root_endpoints = false
            }
            listener "tcp" {
              address                                  = "127.0.0.1:\(network.port)"
              cluster_address                          = "127.0.0.1:\(network.clusterPort)"
              tls_disable                              = true
              disable_unauthed_generate_root_endpoints = true
            }
            api_addr      = "http://127.0.0.1:\(network.port)"
            cluster_addr  = "https://127.0.0.1:\(network.clusterPort)"
            disable_mlock = true
            ui            = false

            """
    }

    /// Waits for something of the server.
    ///
    /// - Parameter isSo: Asked again and again; a server that does not answer, or not yet, is asked again.
    /// - Throws: If the server ends, or the time is over, with its last words; `.cancelled` if the user does not want to wait.
    func wait(_ what: String, _ isSo: () throws(VaultAPIError) -> Bool) throws {
        let end = ContinuousClock.now + .seconds(timeout)
        var last: VaultAPIError?
        while true {
            if cancellation.isCancelled { throw StorageError.cancelled }
            if hasEnded() {
                throw MigrationFailure(.failed, "the server ended before it \(what): \(ending). \(lastWords)")
            }
            do throws(VaultAPIError) {
                if try isSo() { return }
                last = nil
            } catch {
                if error.code == .cancelled { throw StorageError.cancelled }
                guard error.code == .noAnswer || error.code == .failed else { throw error }
                last = error
            }
            guard ContinuousClock.now < end else {
                throw MigrationFailure(
                    .failed,
                    "\(timeout) s were over before the server \(what)\(last.map { ": \($0.message)" } ?? ".") \(lastWords)"
                )
            }
            usleep(20_000)
        }
    }

    private func hasEnded() -> Bool {
        guard status == nil else { return true }
        // As long as nobody has waited for it, its id and its group's belong to nobody else.
        var info = siginfo_t()
        let result = waitid(P_PID, id_t(process), &info, WEXITED | WNOHANG | WNOWAIT)
        guard result < 0 && errno == ECHILD || result == 0 && info.si_signo != 0 else { return false }
        end()
        return true
    }

    private var ending: String {
        guard let status else { return "it runs" }
        let signal = status & 0x7f
        return signal == 0 ? "exit code \((status >> 8) & 0xff)" : "signal \(signal)"
    }

    /// Stops it as an operator would.
    ///
    /// - Throws: If it takes longer than its time; then it was ended.
    func stop() throws {
        kill(process, SIGTERM)
        let end = ContinuousClock.now + .seconds(timeout)
        while !hasEnded() {
            guard ContinuousClock.now < end, !cancellation.isCancelled else {
                self.end()
                if cancellation.isCancelled { throw StorageError.cancelled }
                throw MigrationFailure(
                    .failed, "the server did not stop in \(timeout) s after SIGTERM, and was killed.")
            }
            usleep(10_000)
        }
    }

    /// Ends it, and all that it has started, at once.
    func end() {
        guard status == nil else { return }
        kill(process, SIGKILL)
        kill(-process, SIGKILL)
        var found: Int32 = 0
        while waitpid(process, &found, 0) < 0, errno == EINTR {}
        status = found
    }

    /// What the log says that went wrong, of the time before it was unsealed: later it may name what was decrypted.
    var lastWords: String {
        guard !isUnsealed else { return "keep = true keeps its log." }
        let descriptor = cs_open_own_file(folder, "server.log", O_RDONLY, 0)
        guard descriptor >= 0 else { return "" }
        defer { Glibc.close(descriptor) }
        var info = stat()
        guard fstat(descriptor, &info) == 0 else { return "" }
        let size = Int(info.st_size)
        var bytes = [UInt8](repeating: 0, count: min(size, Self.lookedAt))
        let count = pread(descriptor, &bytes, bytes.count, off_t(size - bytes.count))
        guard count > 0 else { return "It has said nothing." }
        let lines = String(decoding: bytes.prefix(count), as: UTF8.self).split(separator: "\n").filter { line in
            line.contains(where: { !$0.isWhitespace })
        }
        let errors = lines.filter { line in ["rror", "ERR", "ailed"].contains { line.contains($0) } }
        let told = (errors.isEmpty ? lines : errors).suffix(3).map { line in
            String(line.unicodeScalars.map { $0.value >= 0x20 && $0.value < 0x7f ? Character($0) : " " }.prefix(300))
        }
        return "It said: \(told.joined(separator: " / "))"
    }

    /// Set when it has the shares.
    var isUnsealed = false
}

/// A vector of strings as C takes it.
private final class CStrings {
    private var pointers: [UnsafeMutablePointer<CChar>?]

    init(_ texts: [String]) { pointers = texts.map { strdup($0) } + [nil] }

    deinit { for pointer in pointers { free(pointer) } }

    func withPointers<Result>(_ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>?) -> Result) -> Result {
        pointers.withUnsafeBufferPointer { body($0.baseAddress) }
    }
}
