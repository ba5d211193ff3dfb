internal import Glibc

/// What an output can show: a live block, colours, and how wide it is.
package struct TerminalSettings: Sendable, Equatable {
    /// The colours in use, for ``paint(_:_:)``.
    package enum Colour: Int, Sendable {
        case red = 31
        case green = 32
        case yellow = 33
        case cyan = 36
    }

    /// Whether lines may be drawn again in place.
    package let allowsLiveBlock: Bool
    /// Whether colours may be used.
    package let allowsColour: Bool

    /// - Parameters:
    ///   - isTerminal: Whether the descriptor is a terminal.
    ///   - environment: Looked at: `TERM`, `NO_COLOR`, `VAULT_CLI_NO_COLOR`, `VAULT_FORMAT`. A variable that is set to
    ///     nothing counts as absent.
    package init(isTerminal: Bool, environment: [String: String]) {
        func isEmpty(_ name: String) -> Bool { environment[name]?.isEmpty ?? true }
        let canMoveCursor = isTerminal && environment["TERM"] != "dumb"
        allowsLiveBlock = canMoveCursor
        allowsColour =
            canMoveCursor && isEmpty("NO_COLOR") && isEmpty("VAULT_CLI_NO_COLOR")
            && (isEmpty("VAULT_FORMAT") || environment["VAULT_FORMAT"] == "table")
    }

    /// Looks at a descriptor.
    package init(descriptor: Int32, environment: [String: String]) {
        self.init(isTerminal: isatty(descriptor) == 1, environment: environment)
    }

    /// The text in a colour, or as it is if colours are not allowed.
    package func paint(_ text: String, _ colour: Colour) -> String {
        allowsColour ? "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m" : text
    }
}

/// The columns of the terminal behind a descriptor; 80 if it is none or does not say.
package func terminalWidth(of descriptor: Int32) -> Int {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
}
