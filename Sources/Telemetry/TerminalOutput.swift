internal import Glibc
internal import Synchronization

/// A file descriptor that several threads write whole lines to, perhaps with a live block below the lines.
///
/// While a block is shown, each line clears it, is written in its place and has the block drawn again below, all in one
/// system call. Lines for another descriptor of the same terminal go through ``writeLine(_:to:)`` for the same reason.
package final class TerminalOutput: Sendable {
    /// The output of results. Waits as long as its reader takes: what is lost here would be missed.
    package static let standardOutput = TerminalOutput(descriptor: 1, isPatient: true)
    /// The output of log lines, errors and the progress block.
    package static let standardError = TerminalOutput(descriptor: 2)

    /// Borrowed, never closed.
    package let descriptor: Int32
    /// The lines of the block that is on the screen; empty if there is none.
    private let block = Mutex<[String]>([])
    private let firstFailure = Mutex<Int32?>(nil)
    private let isPatient: Bool

    package init(descriptor: Int32, isPatient: Bool = false) {
        self.descriptor = descriptor
        self.isPatient = isPatient
    }

    /// The error number of the first write that failed; nothing is written any more after it, so that what came through
    /// has no gap.
    package var failure: Int32? { firstFailure.withLock { $0 } }

    /// Writes a line, adding the newline. Does not fail: whoever must know asks ``failure``.
    ///
    /// - Parameter other: Another output on the same terminal; `nil` for this one.
    package func writeLine(_ line: String, to other: TerminalOutput? = nil) {
        // A reader that has stopped reading holds nobody up but who writes to it.
        if let other, other.descriptor != descriptor, block.withLock({ $0.isEmpty }) { return other.write(line + "\n") }
        block.withLock { block in
            if let other, other.descriptor != descriptor {
                write(erasure(of: block))
                other.write(line + "\n")
                write(text(of: block))
            } else {
                write(erasure(of: block) + line + "\n" + text(of: block))
            }
        }
    }

    /// Makes sure that what was written has arrived where that shows only now, as on a file system of the network.
    ///
    /// - Returns: The error number of this or any earlier failure.
    package func settle() -> Int32? {
        if let failure { return failure }
        let copy = dup(descriptor)
        return copy < 0 || close(copy) == 0 ? nil : note(errno)
    }

    private func write(_ text: String) {
        guard !text.isEmpty else { return }
        // The error stream is tried again with each line: what cannot be told there is not missed.
        if isPatient, failure != nil { return }
        var text = text
        let number = text.withUTF8 {
            writeAll(UnsafeRawBufferPointer($0), to: descriptor, patience: isPatient ? nil : 1000)
        }
        if let number { _ = note(number) }
    }

    private func note(_ number: Int32) -> Int32 {
        firstFailure.withLock { first in
            first = first ?? number
            return first ?? number
        }
    }

    /// Draws a block in place of the one before. Its lines must be narrower than the terminal and hold no newline.
    func show(_ lines: [String]) {
        block.withLock { block in
            write(erasure(of: block) + text(of: lines))
            block = lines
        }
    }

    /// Takes the block off the screen while something else is asked or told there; whoever would write meanwhile waits.
    package func withoutBlock<Result>(_ body: () throws -> Result) rethrows -> Result {
        try block.withLock { block in
            write(erasure(of: block))
            block = []
            return try body()
        }
    }

    /// Takes the block off the screen, or leaves it there as ordinary lines.
    func endBlock(leaving: Bool) {
        block.withLock { block in
            if !leaving { write(erasure(of: block)) }
            block = []
        }
    }
}

/// Moves to the block's first line and clears from there to the end of the screen.
private func erasure(of block: [String]) -> String {
    block.isEmpty ? "" : "\r\u{1B}[\(block.count)A\u{1B}[J"
}

private func text(of block: [String]) -> String {
    block.map { $0 + "\n" }.joined()
}

/// Writes all bytes.
///
/// - Parameter patience: Milliseconds to wait for room in a descriptor that somebody made non-blocking; `nil` for as long
///   as it takes.
/// - Returns: The error number if that failed, with some of the bytes written perhaps.
package func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, patience: Int32? = nil) -> Int32? {
    var rest = bytes
    while let start = rest.baseAddress, !rest.isEmpty {
        let count = write(descriptor, start, rest.count)
        if count > 0 {
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
        } else if count < 0, errno == EAGAIN {
            // Whoever shares the terminal made it non-blocking; a lost half of a line is worse than a wait.
            var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            let ready = poll(&poller, 1, patience ?? -1)
            if ready == 0 { return EAGAIN }
            if ready < 0, errno != EINTR { return errno }
        } else if count < 0, errno == EINTR {
            continue
        } else {
            return count < 0 ? errno : EIO
        }
    }
    return nil
}
