import Files
import Glibc
import Storage
import Synchronization

/// A text file that is made with its first line, mode 0600. Any number of threads may append.
final class LineFile: Sendable {
    private static let flushBytes = 64 << 10

    private struct State {
        var descriptor: Int32 = -1
        var pending: [UInt8] = []
        var failure: StorageError?
    }

    private let path: String
    private let state = Mutex(State())

    /// Removes what an earlier run left under that name.
    init(path: String) {
        self.path = path
        unlink(path)
    }

    deinit {
        let descriptor = state.withLock { $0.descriptor }
        if descriptor >= 0 { close(descriptor) }
    }

    func append(_ line: String) {
        state.withLock { state in
            state.pending.append(contentsOf: line.utf8)
            state.pending.append(UInt8(ascii: "\n"))
            if state.pending.count >= Self.flushBytes { flush(&state) }
        }
    }

    /// Writes what is held back.
    ///
    /// - Returns: The path; `nil` if there was no line.
    /// - Throws: What kept any line from being written.
    func finish() throws(StorageError) -> String? {
        let (failure, exists) = state.withLock { state in
            flush(&state)
            if state.failure == nil, state.descriptor >= 0, fsync(state.descriptor) != 0 {
                state.failure = StorageError.system("sync", path, errno: errno)
            }
            return (state.failure, state.descriptor >= 0)
        }
        if let failure { throw failure }
        return exists ? path : nil
    }

    private func flush(_ state: inout State) {
        guard !state.pending.isEmpty, state.failure == nil else { return }
        if state.descriptor < 0 {
            state.descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        }
        guard state.descriptor >= 0 else {
            state.failure = StorageError.system("create", path, errno: errno)
            return
        }
        do throws(StorageError) {
            try writeAll(state.pending, to: state.descriptor, path)
        } catch {
            state.failure = error
            return
        }
        state.pending.removeAll(keepingCapacity: true)
    }
}
