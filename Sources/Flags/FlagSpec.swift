/// One flag of a command: how it is spelled, what it takes and what the help says about it.
///
/// Make one with ``string(_:placeholder:default:environment:help:completion:)`` and its siblings.
package struct FlagSpec: Sendable {
    /// What a flag's value is, and how a second mention of the flag counts.
    package enum Kind: Sendable, Equatable {
        /// Any text; the last mention wins.
        case string
        /// Any bytes, not only UTF-8, as they were given; the last mention wins.
        case bytes
        /// A base-10 number of 64 bits; the last mention wins. `emptyIsZero` lets `-x=` mean 0 instead of an error.
        case integer(emptyIsZero: Bool)
        /// `true` or `false`; takes a value only behind `=`.
        case boolean
        /// A time as Go writes it (`1h30m`, `250ms`), or bare digits for seconds; the last mention wins.
        case duration
        /// Any text; every mention adds one.
        case list
    }

    /// The name without dashes.
    package let name: String
    package let kind: Kind
    /// What help shows for the value, without angle brackets; empty for booleans.
    package let placeholder: String
    /// The default in the form a user would type it; `nil` if there is none worth showing.
    package let defaultText: String?
    /// Environment variables that give the value when the flag is absent; the first that is set wins.
    package let environment: [String]
    /// Whether a variable that is set to nothing counts as set, as it does in Vault.
    package let emptyEnvironmentCounts: Bool
    /// One or more sentences, without the default and the variables, which the help adds by itself.
    package let help: String
    /// What a shell offers for the value.
    package let completion: CompletionHint
    /// Whether help, completion and reference leave the flag out.
    package private(set) var isHidden = false

    /// The same flag, left out of help, completion and reference.
    package var hidden: FlagSpec {
        var copy = self
        copy.isHidden = true
        return copy
    }

    /// Whether the flag reads the next argument when no `=` follows its name.
    var takesValue: Bool { kind != .boolean }
}

/// What a shell offers where a value is expected.
package enum CompletionHint: Sendable, Equatable {
    case none
    case file
    case directory
    case values([String])
}

extension FlagSpec {
    /// A flag that takes a text. A variable set to nothing counts as set.
    package static func string(
        _ name: String, placeholder: String = "string", default defaultText: String? = nil,
        environment: [String] = [], help: String, completion: CompletionHint = .none
    ) -> FlagSpec {
        FlagSpec(
            name: name, kind: .string, placeholder: placeholder, defaultText: defaultText, environment: environment,
            emptyEnvironmentCounts: true, help: help, completion: completion)
    }

    /// A flag that takes bytes as they are: a key, a path. A variable set to nothing counts as set.
    package static func bytes(
        _ name: String, placeholder: String, environment: [String] = [], help: String,
        completion: CompletionHint = .none
    ) -> FlagSpec {
        FlagSpec(
            name: name, kind: .bytes, placeholder: placeholder, defaultText: nil, environment: environment,
            emptyEnvironmentCounts: true, help: help, completion: completion)
    }

    /// A flag that takes a whole number. A variable set to nothing counts as absent.
    ///
    /// - Parameter emptyIsZero: Whether `-x=` means 0, as Vault has it for `-max-parallel`.
    package static func integer(
        _ name: String, placeholder: String = "int", default number: Int? = nil, environment: [String] = [],
        emptyIsZero: Bool = false, help: String
    ) -> FlagSpec {
        FlagSpec(
            name: name, kind: .integer(emptyIsZero: emptyIsZero), placeholder: placeholder,
            defaultText: number.map(String.init), environment: environment, emptyEnvironmentCounts: false, help: help,
            completion: .none)
    }

    /// A flag that is on or off.
    package static func boolean(
        _ name: String, default isOn: Bool = false, environment: [String] = [], help: String
    ) -> FlagSpec {
        FlagSpec(
            name: name, kind: .boolean, placeholder: "", defaultText: isOn ? "true" : nil, environment: environment,
            emptyEnvironmentCounts: false, help: help, completion: .none)
    }

    /// A flag that takes a time.
    ///
    /// - Parameter defaultText: As a user would type it, for example `30s`; checked when the flag is made.
    package static func duration(
        _ name: String, placeholder: String = "duration", default defaultText: String? = nil,
        environment: [String] = [], help: String
    ) -> FlagSpec {
        precondition(
            defaultText.map { (try? parseGoDuration($0)) != nil } ?? true,
            "the default of flag -\(name) is not a duration")
        return FlagSpec(
            name: name, kind: .duration, placeholder: placeholder, defaultText: defaultText, environment: environment,
            emptyEnvironmentCounts: false, help: help, completion: .none)
    }

    /// A flag that may be given several times. In a variable, commas separate the values.
    package static func list(
        _ name: String, placeholder: String = "string", environment: [String] = [], help: String,
        completion: CompletionHint = .none
    ) -> FlagSpec {
        FlagSpec(
            name: name, kind: .list, placeholder: placeholder, defaultText: nil, environment: environment,
            emptyEnvironmentCounts: false, help: help, completion: completion)
    }
}
