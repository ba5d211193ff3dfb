import Foundation
import TestSupport

/// A terminal that a program under test is shown on: the other end of its pseudo-terminal, and what stands on it.
final class Screen {
    /// Everything that was written.
    private(set) var bytes: [UInt8] = []
    /// What the screen showed each time before something was wiped from it.
    private(set) var frames: [[String]] = []
    /// What stands on the screen.
    private(set) var rows: [String] = [""]
    /// The path of the end the program gets.
    let device: String

    /// TIOCSPTLCK and TIOCGPTN of <asm-generic/ioctls.h>; unlockpt and ptsname are not visible from Swift.
    private static let setLock: UInt = 0x4004_5431
    private static let getNumber: UInt = 0x8004_5430

    private let main: Int32
    /// Held open so that an early look does not find the line hung up.
    private let held: Int32
    private var row = 0
    private var column = 0
    private var escape: String?

    init(columns: UInt16) throws {
        main = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var isLocked: Int32 = 0
        var number: UInt32 = 0
        guard main >= 0, ioctl(main, Self.setLock, &isLocked) == 0, ioctl(main, Self.getNumber, &number) == 0 else {
            throw RunningProgram.Failure(description: "no pseudo-terminal: errno \(errno)")
        }
        device = "/dev/pts/\(number)"
        held = open(device, O_RDWR | O_NOCTTY | O_CLOEXEC)
        var size = winsize(ws_row: 40, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        guard held >= 0, ioctl(held, UInt(TIOCSWINSZ), &size) == 0 else {
            throw RunningProgram.Failure(description: "cannot set up \(device): errno \(errno)")
        }
    }

    deinit {
        close(held)
        close(main)
    }

    /// Shows what a program writes, to its end.
    func watch(_ program: RunningProgram) throws -> Int32 {
        try waitUntil("the program ends") {
            read(milliseconds: 20)
            return program.ends(within: 0)
        }
        let code = try program.wait()
        while read(milliseconds: 0) {}
        return code
    }

    @discardableResult
    private func read(milliseconds: Int32) -> Bool {
        var watched = pollfd(fd: main, events: Int16(POLLIN), revents: 0)
        guard poll(&watched, 1, milliseconds) > 0 else { return false }
        var chunk = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(main, &chunk, chunk.count)
        guard count > 0 else { return false }
        bytes += chunk[..<count]
        for byte in chunk[..<count] { show(byte) }
        return true
    }

    private func show(_ byte: UInt8) {
        let character = Character(UnicodeScalar(byte))
        if let begun = escape {
            escape = begun + String(character)
            // A sequence ends with its first letter.
            guard character.isLetter else { return }
            escape = nil
            perform(String(begun.dropFirst()), character)
        } else if byte == 0x1b {
            escape = ""
        } else if byte == 0x0d {
            column = 0
        } else if byte == 0x0a {
            row += 1
            if row == rows.count { rows.append("") }
        } else {
            let text = rows[row]
            rows[row] = text.prefix(column) + String(character) + text.dropFirst(column + 1)
            column += 1
        }
    }

    /// The sequences the program may use: up, clear to the end, colours. Others show as text and fail the test.
    private func perform(_ parameters: String, _ command: Character) {
        switch command {
        case "A": row = max(row - (Int(parameters) ?? 1), 0)
        case "J":
            frames.append(rows)
            rows = Array(rows[...row])
            rows[row] = String(rows[row].prefix(column))
        case "m": break
        default: rows[row] += "<unknown sequence \(parameters)\(command)>"
        }
    }

    /// Everything that was written, as text.
    var text: String { String(decoding: bytes, as: UTF8.self) }
}
