internal import Glibc
internal import Synchronization

/// A file descriptor that several threads write whole lines to, perhaps with a live block below the lines.
///
/// While a block is shown, each line clears it, is written in its place and has the block drawn again below, all in one
/// system call. Lines for another descriptor of the same terminal go through ``writeLine(_:to:)`` for the same reason.
package final class TerminalOutput: Sendable {
    /// The output of results.
    package static let standardOutput = TerminalOutput(descriptor: 1)
    /// The output of log lines, errors and the progress block.
    package static let standardError = TerminalOutput(descriptor: 2)

    /// Borrowed, never closed.
    package let descriptor: Int32
    /// The lines of the block that is on the screen; empty if there is none.
    private let block = Mutex<[String]>([])

    package init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// Writes a line, adding the newline. Errors are dropped: there is nowhere left to report them.
    ///
    /// - Parameter other: Another descriptor on the same terminal; `nil` for this one.
    package func writeLine(_ line: String, to other: Int32? = nil) {
        block.withLock { block in
            if let other, other != descriptor {
                writeAll(erasure(of: block), to: descriptor)
                writeAll(line + "\n", to: other)
                writeAll(text(of: block), to: descriptor)
            } else {
                writeAll(erasure(of: block) + line + "\n" + text(of: block), to: descriptor)
            }
        }
    }

    /// Draws a block in place of the one before. Its lines must be narrower than the terminal and hold no newline.
    func show(_ lines: [String]) {
        block.withLock { block in
            writeAll(erasure(of: block) + text(of: lines), to: descriptor)
            block = lines
        }
    }

    /// Takes the block off the screen, or leaves it there as ordinary lines.
    func endBlock(leaving: Bool) {
        block.withLock { block in
            if !leaving { writeAll(erasure(of: block), to: descriptor) }
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

private func writeAll(_ text: String, to descriptor: Int32) {
    guard !text.isEmpty else { return }
    var text = text
    text.withUTF8 { bytes in
        var rest = UnsafeRawBufferPointer(bytes)
        while let start = rest.baseAddress, !rest.isEmpty {
            let count = write(descriptor, start, rest.count)
            if count > 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
            } else if count < 0, errno == EAGAIN {
                // Whoever shares the terminal made it non-blocking; a lost half of a line is worse than a wait.
                var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                guard poll(&poller, 1, 1000) > 0 else { return }
            } else if count == 0 || errno != EINTR {
                return
            }
        }
    }
}
