import Foundation
import Synchronization
import TestSupport

/// A real server's releases that `scripts/openbao` installs.
package enum ServerVersion: String, Sendable, CaseIterable {
    /// Runs on integrated storage.
    case newest = "2.7.2"
    /// The last that also runs on the `file` storage, and the last with `awskms` built in.
    case lastOnFiles = "2.6.2"

    private static let programs = Mutex<[ServerVersion: String]>([:])

    /// The path of the program, installed at the first call if `scripts/test` has not done it.
    package func program() throws -> String {
        try Self.programs.withLock { programs in
            if let program = programs[self] { return program }
            let script = BuiltProgram.packageRoot + "/scripts/openbao"
            let printed = try runProgram(script, [rawValue])
            let program = printed.split(separator: "\n").last.map(String.init) ?? ""
            programs[self] = program
            return program
        }
    }
}

/// A process that cannot outlive the tests: the kernel kills it with the thread that started it, and that thread lives
/// as long as the tests do.
// Unchecked: nothing changes after the initialiser but what the system keeps of the process.
package final class ServerProcess: @unchecked Sendable {
    private let process = Process()
    private let log: String

    /// - Parameter log: Path of a file that takes both outputs, behind what is in it.
    package init(_ program: String, _ arguments: [String], environment: [String: String], log: String) throws {
        self.log = log
        process.executableURL = URL(filePath: "/usr/bin/setpriv")
        process.arguments = ["--pdeathsig", "KILL", "--", program] + arguments
        process.environment = environment
        if !FileManager.default.fileExists(atPath: log) { try Data().write(to: URL(filePath: log)) }
        let output = try FileHandle(forWritingTo: URL(filePath: log))
        try output.seekToEnd()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        let process = UncheckedSendable(self.process)
        try Spawner.shared.run { try process.value.run() }
    }

    deinit { end(with: SIGKILL) }

    package var isRunning: Bool { process.isRunning }

    package var identifier: Int32 { process.processIdentifier }

    /// The last lines it wrote.
    package var lastWords: String {
        let text = (try? String(decoding: Data(contentsOf: URL(filePath: log)), as: UTF8.self)) ?? ""
        return text.split(separator: "\n").suffix(12).joined(separator: "\n")
    }

    /// Sends a signal.
    package func send(_ signal: Int32) {
        if process.isRunning { Glibc.kill(process.processIdentifier, signal) }
    }

    /// Sends a signal and waits for the end, at most half a minute before SIGKILL follows.
    package func end(with signal: Int32) {
        if process.isRunning { Glibc.kill(process.processIdentifier, signal) }
        let end = Date(timeIntervalSinceNow: 30)
        while process.isRunning, Date() < end { usleep(10_000) }
        if process.isRunning { Glibc.kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }
}

/// Says of a value that it is handed over and not used on both sides at once.
private struct UncheckedSendable<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}

/// A thread that starts processes, one after the other, for as long as the tests run.
private final class Spawner: Sendable {
    static let shared = Spawner()

    private let waiting = Mutex<[@Sendable () -> Void]>([])
    private let arrived = DispatchSemaphore(value: 0)

    private init() {
        Thread.detachNewThread { [self] in
            while true {
                arrived.wait()
                let job = waiting.withLock { $0.removeFirst() }
                job()
            }
        }
    }

    /// Runs a job on the thread and waits for its end.
    func run(_ job: @escaping @Sendable () throws -> Void) throws {
        let done = DispatchSemaphore(value: 0)
        let kept = Outcome()
        waiting.withLock {
            $0.append {
                kept.result.withLock { $0 = Result { try job() } }
                done.signal()
            }
        }
        arrived.signal()
        done.wait()
        try kept.result.withLock { try $0.get() }
    }

    private final class Outcome: Sendable {
        let result = Mutex<Result<Void, any Error>>(.success(()))
    }
}
