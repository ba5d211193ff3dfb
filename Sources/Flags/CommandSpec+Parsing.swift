extension CommandSpec {
    /// Reads a command's arguments as Go's `flag` package does, and as Vault uses it.
    ///
    /// - Parameters:
    ///   - arguments: What follows the command's own words, as the system gave it: bytes.
    ///   - environment: Variables by name, values as bytes.
    /// - Throws: `FlagError` with code `.badFlag`, in Vault's words; also for a value that is no UTF-8 where the flag
    ///   takes a text: it could only be passed on changed.
    package func parse(
        _ arguments: [[UInt8]], environment: [String: [UInt8]]
    ) throws(FlagError) -> ParsedFlags {
        if asksForHelp(arguments) {
            return ParsedFlags(values: try initialValues(environment: [:]), wantsHelp: true)
        }
        var parser = FlagParser(command: self, rest: arguments[...])
        // The command line goes first, so that its errors are reported even if a variable is wrong too.
        try parser.readFlags()
        var values = try initialValues(environment: environment, except: Set(parser.values.keys))
        for (name, value) in parser.values { values[name] = (value, .commandLine) }
        let rest = Array(parser.rest)
        return ParsedFlags(
            values: values, arguments: rest, warnings: parser.endedByDashes ? [] : misplacedFlagWarnings(rest))
    }

    /// The same with texts.
    package func parse(_ arguments: [String], environment: [String: String]) throws(FlagError) -> ParsedFlags {
        try parse(arguments.map { Array($0.utf8) }, environment: environment.mapValues { Array($0.utf8) })
    }

    /// Whether help is asked for anywhere before a `--`, even where a flag would take the word as its value.
    func asksForHelp(_ arguments: some Sequence<[UInt8]>) -> Bool {
        arguments.prefix { !$0.elementsEqual("--".utf8) }.contains { word in
            ["-h", "-help", "--help"].contains { word.elementsEqual($0.utf8) }
        }
    }

    private func misplacedFlagWarnings(_ arguments: [[UInt8]]) -> [String] {
        // A lone "-" stands for standard input.
        let misplaced = arguments.filter { $0.first == UInt8(ascii: "-") && $0.count > 1 }
        guard !misplaced.isEmpty else { return [] }
        return [
            "Command flags must be provided before positional arguments. The following arguments will not be parsed "
                + "as flags: [\(misplaced.map(shownText).joined(separator: ","))]"
        ]
    }

    private func initialValues(
        environment: [String: [UInt8]], except given: Set<String> = []
    ) throws(FlagError) -> [String: (value: ParsedFlags.Value, source: ParsedFlags.Source)] {
        var values: [String: (value: ParsedFlags.Value, source: ParsedFlags.Source)] = [:]
        for flag in flags where !given.contains(flag.name) {
            let variable = flag.environment.first { name in
                environment[name].map { flag.emptyEnvironmentCounts || !$0.isEmpty } ?? false
            }
            guard let variable, let text = environment[variable] else {
                values[flag.name] = (flag.defaultValue, .defaultValue)
                continue
            }
            values[flag.name] = (try flag.value(text, variable: variable), .environment(variable))
        }
        return values
    }
}

/// Walks over arguments as long as they are flags.
private struct FlagParser {
    let command: CommandSpec
    var rest: ArraySlice<[UInt8]>
    var values: [String: ParsedFlags.Value] = [:]
    var endedByDashes = false

    mutating func readFlags() throws(FlagError) {
        while let argument = rest.first {
            guard argument.count >= 2, argument.first == UInt8(ascii: "-") else { return }
            rest = rest.dropFirst()
            if argument.elementsEqual("--".utf8) {
                endedByDashes = true
                return
            }
            try readFlag(argument)
        }
    }

    private mutating func readFlag(_ argument: [UInt8]) throws(FlagError) {
        // Bytes, not characters: a combining mark behind "=" must not hide it.
        let body = argument.dropFirst(argument[1] == UInt8(ascii: "-") ? 2 : 1)
        guard let first = body.first, first != UInt8(ascii: "-"), first != UInt8(ascii: "=") else {
            throw FlagError(.badFlag, "bad flag syntax: \(shownText(argument))")
        }
        let equals = body.firstIndex(of: UInt8(ascii: "="))
        let name = shownText(Array(body[..<(equals ?? body.endIndex)]))
        let attached = equals.map { Array(body[($0 + 1)...]) }
        guard let flag = command.flags.first(where: { $0.name == name }) else { throw unknownFlag(name) }
        let text: [UInt8]
        if let attached {
            text = attached
        } else if !flag.takesValue {
            text = Array("true".utf8)
        } else if let next = rest.popFirst() {
            text = next
        } else {
            throw FlagError(.badFlag, "flag needs an argument: -\(name)")
        }
        let value = try flag.value(text)
        if case .list(let added) = value, case .list(let earlier) = values[name] {
            values[name] = .list(earlier + added)
        } else {
            values[name] = value
        }
    }

    private func unknownFlag(_ name: String) -> FlagError {
        let message = "flag provided but not defined: -\(name)"
        let near = nearestName(to: name, among: command.visibleFlags.map(\.name))
        return FlagError(.badFlag, message + (near.map { "\nDid you mean -\($0)?" } ?? ""))
    }
}

extension FlagSpec {
    fileprivate var defaultValue: ParsedFlags.Value {
        // The makers of a flag only write defaults that can be read back.
        switch kind {
        case .string: .string(defaultText ?? "")
        case .bytes: .bytes(Array((defaultText ?? "").utf8))
        case .integer: .integer(defaultText.flatMap { Int($0) } ?? 0)
        case .boolean: .boolean(defaultText == "true")
        case .duration: .duration(defaultText.flatMap { try? parseGoDuration($0) } ?? .zero)
        case .list: .list([])
        }
    }

    /// Reads one value.
    ///
    /// - Parameter variable: The environment variable that holds it; `nil` if it stood on the command line.
    fileprivate func value(_ bytes: [UInt8], variable: String? = nil) throws(FlagError) -> ParsedFlags.Value {
        if kind == .bytes { return .bytes(bytes) }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            let origin = variable.map { " in environment variable \($0)" } ?? ""
            throw FlagError(
                .badFlag,
                "invalid value \(goQuoted(bytes))\(origin) for flag -\(name): it is not UTF-8 and could only be passed on "
                    + "changed. Give it in UTF-8; to name a file or folder, make a link to it that has such a name.")
        }
        return try value(text, variable: variable)
    }

    private func value(_ text: String, variable: String?) throws(FlagError) -> ParsedFlags.Value {
        do throws(GoValueError) {
            switch kind {
            case .string: return .string(text)
            case .bytes: return .bytes(Array(text.utf8))
            case .integer(let emptyIsZero): return .integer(emptyIsZero && text.isEmpty ? 0 : try parseGoInteger(text))
            case .boolean: return .boolean(try parseGoBoolean(text))
            case .duration: return .duration(try parseGoDuration(text))
            case .list where variable != nil: return .list(text.split(separator: ",").map(String.init))
            case .list: return .list([text])
            }
        } catch {
            let origin = variable.map { " in environment variable \($0)" } ?? ""
            let subject = kind == .boolean ? "invalid boolean value" : "invalid value"
            let place = kind == .boolean ? "for -\(name)" : "for flag -\(name)"
            throw FlagError(.badFlag, "\(subject) \(goQuoted(text))\(origin) \(place): \(error.message)")
        }
    }
}
