/// The values of a command's flags, each from the command line, else from the environment, else its default.
///
/// Asking for a flag that the command does not declare, or as another kind than declared, is a programmer's error.
package struct ParsedFlags: Sendable {
    /// Where a value came from.
    package enum Source: Sendable, Equatable {
        case commandLine
        /// The variable of that name.
        case environment(String)
        case defaultValue
    }

    enum Value: Sendable, Equatable {
        case string(String)
        case bytes([UInt8])
        case integer(Int)
        case boolean(Bool)
        case duration(Duration)
        case list([String])
    }

    /// What follows the flags, in order, as bytes.
    package let arguments: [[UInt8]]
    /// Sentences for standard error; the command goes on.
    package let warnings: [String]
    /// Whether `-h`, `-help` or `--help` was given: print the help on standard output and exit with 0. Then nothing
    /// else was looked at, and all values are defaults.
    package let wantsHelp: Bool

    private let values: [String: (value: Value, source: Source)]

    init(
        values: [String: (value: Value, source: Source)], arguments: [[UInt8]] = [], warnings: [String] = [],
        wantsHelp: Bool = false
    ) {
        self.values = values
        self.arguments = arguments
        self.warnings = warnings
        self.wantsHelp = wantsHelp
    }

    /// The text of a string flag; empty if it was not given and has no default.
    package func string(_ name: String) -> String {
        guard case .string(let text) = entry(name).value else { wrongKind(name, "string") }
        return text
    }

    /// The bytes of a flag that takes any; empty if it was not given.
    package func bytes(_ name: String) -> [UInt8] {
        guard case .bytes(let bytes) = entry(name).value else { wrongKind(name, "flag of bytes") }
        return bytes
    }

    /// The number of an integer flag; 0 if it was not given and has no default.
    package func integer(_ name: String) -> Int {
        guard case .integer(let number) = entry(name).value else { wrongKind(name, "integer") }
        return number
    }

    /// Whether a boolean flag is on.
    package func boolean(_ name: String) -> Bool {
        guard case .boolean(let isOn) = entry(name).value else { wrongKind(name, "boolean") }
        return isOn
    }

    /// The time of a duration flag; zero if it was not given and has no default.
    package func duration(_ name: String) -> Duration {
        guard case .duration(let duration) = entry(name).value else { wrongKind(name, "duration") }
        return duration
    }

    /// The texts of a list flag in the order given.
    package func list(_ name: String) -> [String] {
        guard case .list(let texts) = entry(name).value else { wrongKind(name, "list") }
        return texts
    }

    /// Whether the flag or one of its variables was given.
    package func isSet(_ name: String) -> Bool { source(of: name) != .defaultValue }

    /// Whether the command declares the flag.
    package func has(_ name: String) -> Bool { values[name] != nil }

    /// Where the flag's value came from.
    package func source(of name: String) -> Source { entry(name).source }

    private func entry(_ name: String) -> (value: Value, source: Source) {
        guard let entry = values[name] else { preconditionFailure("the command declares no flag -\(name)") }
        return entry
    }

    private func wrongKind(_ name: String, _ kind: String) -> Never {
        preconditionFailure("flag -\(name) is not declared as a \(kind)")
    }
}
