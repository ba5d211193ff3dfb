import Barrier
import CSystem
import Digest
import Flags
import Glibc
import Migration
import Storage
import Telemetry
import Workers

/// Where key shares come from: a prompt that shows nothing of what is typed, or an open descriptor. Never arguments or the
/// environment, which other users can see.
struct ShareInput: Sendable {
    /// A line of a share has 70 bytes at most; a store has 255 shares at most.
    private static let mostBytes = 64 << 10

    static let flag = FlagSpec.string(
        "shares-fd", placeholder: "number",
        help:
            "Read the key shares, one a line, from this open descriptor: 0 is standard input. Else they are asked for.")

    private let descriptor: Int32?
    private let cancellation: CancellationToken
    private let forbidsLooks: Bool

    /// - Parameter forbidsLooks: Whether the process may do without `/proc/self`.
    /// - Throws: If `-shares-fd` names no open descriptor.
    init(
        _ flags: ParsedFlags, _ cancellation: CancellationToken, forbidsLooks: Bool = false
    ) throws(MigrationFailure) {
        self.cancellation = cancellation
        self.forbidsLooks = forbidsLooks
        guard flags.isSet("shares-fd") else {
            descriptor = nil
            return
        }
        let text = flags.string("shares-fd")
        guard let number = Int32(text), number >= 0, number != 1, number != 2 else {
            // Whoever gave a share in place of a number must not find it in a log.
            throw MigrationFailure(
                .configuration,
                "-shares-fd takes the number of an open descriptor that is not the output: 0, or 3 and above, as in "
                    + "`sealift prove -config FILE -shares-fd 3 3< SHARES`.")
        }
        guard fcntl(number, F_GETFD) >= 0, fcntl(number, F_GETFL) & O_ACCMODE != O_WRONLY else {
            throw MigrationFailure(
                .configuration,
                "-shares-fd \(number): nothing is open there to be read. Open it in the shell: `sealift prove -config "
                    + "FILE -shares-fd \(number) \(number)< SHARES`.")
        }
        _ = fcntl(number, F_SETFD, FD_CLOEXEC)
        descriptor = number
    }

    /// Reads the shares that a store asks for.
    ///
    /// - Throws: `ProofFailure` for what is no share; `MigrationFailure` if nobody can be asked.
    func ask(_ seal: SealDescription) throws -> KeyShares {
        // From here on there is something that no core file may hold.
        cs_forbid_core_dumps(forbidsLooks ? 1 : 0)
        let room = try SecretBytes(room: Self.mostBytes)
        let count =
            if let descriptor, isatty(descriptor) == 0 {
                try read(descriptor, into: room)
            } else {
                try prompt(seal, into: room)
            }
        room.truncate(to: count)
        return try KeyShares(text: room)
    }

    private func read(_ descriptor: Int32, into room: SecretBytes) throws -> Int {
        var count = 0
        while try wait(for: descriptor) {
            let got = try room.withMutableBytes { bytes in
                guard count < bytes.count, let base = bytes.baseAddress else {
                    throw ProofFailure(
                        .shares, "-shares-fd \(descriptor): more than \(Self.mostBytes) bytes are no key shares.")
                }
                return Glibc.read(descriptor, base + count, bytes.count - count)
            }
            if got == 0 { break }
            guard got > 0 else {
                if errno == EINTR || errno == EAGAIN { continue }
                throw ProofFailure(.system, "-shares-fd \(descriptor) cannot be read: \(systemMessage(errno)).")
            }
            count += got
        }
        return count
    }

    /// Waits for something to read.
    ///
    /// - Throws: `StorageError/cancelled` if the user asks to stop.
    private func wait(for descriptor: Int32) throws -> Bool {
        while true {
            if cancellation.isCancelled { throw StorageError.cancelled }
            var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            if poll(&poller, 1, 100) > 0 { return true }
        }
    }

    private func prompt(_ seal: SealDescription, into room: SecretBytes) throws -> Int {
        let terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)
        guard terminal >= 0 else {
            throw MigrationFailure(
                .configuration,
                "There is no terminal to ask for key shares. Give them by a descriptor: `-shares-fd 3 3< SHARES`.")
        }
        defer { close(terminal) }
        return try TerminalOutput.standardError.withoutBlock {
            var settings = termios()
            guard tcgetattr(terminal, &settings) == 0 else {
                throw ProofFailure(.system, "The terminal cannot be kept from showing what is typed. Use -shares-fd.")
            }
            var silent = settings
            silent.c_lflag &= ~tcflag_t(ECHO)
            guard tcsetattr(terminal, TCSAFLUSH, &silent) == 0 else {
                throw ProofFailure(.system, "The terminal cannot be kept from showing what is typed. Use -shares-fd.")
            }
            defer { tcsetattr(terminal, TCSANOW, &settings) }
            var count = 0
            let needed = seal.threshold ?? 1
            for number in 1...max(needed, 1) {
                say("Key share \(number) of \(needed) (nothing is shown): ", terminal)
                defer { say("\n", terminal) }
                let line = try readLine(terminal, into: room, from: count)
                if line == 0 { break }
                count += line
            }
            return count
        }
    }

    /// - Returns: Bytes read, the line feed among them; 0 for an empty line and at the end.
    private func readLine(_ terminal: Int32, into room: SecretBytes, from start: Int) throws -> Int {
        _ = try wait(for: terminal)
        return try room.withMutableBytes { bytes in
            guard start < bytes.count, let base = bytes.baseAddress else {
                throw ProofFailure(.shares, "What was typed is too long for key shares.")
            }
            let got = Glibc.read(terminal, base + start, bytes.count - start)
            guard got >= 0 else { throw ProofFailure(.system, "The terminal cannot be read: \(systemMessage(errno)).") }
            let isEmpty = bytes[start..<(start + got)].allSatisfy { $0 == 0x0a || $0 == 0x0d }
            return isEmpty ? 0 : got
        }
    }

    private func say(_ text: String, _ terminal: Int32) {
        var text = text
        _ = text.withUTF8 { writeAll(UnsafeRawBufferPointer($0), to: terminal) }
    }
}
