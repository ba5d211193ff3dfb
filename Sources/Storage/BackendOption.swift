/// An option of a storage block: the one declaration from which decoding, checks, `sealift help backends` and the
/// reference come.
package struct BackendOption: Sendable {
    /// What an option takes. Every value is a text in the file; quotation marks or none make no difference.
    package enum Kind: Sendable, Equatable {
        case text
        /// A file or folder; relative ones count from the working directory.
        case path
        /// A whole number, at least `minimum` if there is one.
        case integer(minimum: Int?)
        /// A number above 0, at most `maximum` if there is one.
        case number(maximum: Double?)
        case boolean
        /// One of these words.
        case words([String])
    }

    package let name: String
    package let kind: Kind
    /// Variables that win over the file, the strongest first.
    package let environment: [String]
    /// What counts if nothing is set, for decoding and for help; `nil` if nothing does.
    package let standard: String?
    /// The value must never be shown.
    package let isSecret: Bool
    /// Vault accepts the option for this backend and Sealift has no use for it.
    package let isIgnored: Bool
    /// Vault does not know it.
    package let isOwn: Bool
    /// What it does, in sentences.
    package let help: String

    /// Declares an option.
    package init(
        _ name: String, _ kind: Kind, environment: [String] = [], default standard: String? = nil,
        isSecret: Bool = false, isOwn: Bool = false, _ help: String
    ) {
        self.name = name
        self.kind = kind
        self.environment = environment
        self.standard = standard
        self.isSecret = isSecret
        self.isIgnored = false
        self.isOwn = isOwn
        self.help = help
    }

    /// Declares an option that servers have and a migration has no use for.
    package init(ignored name: String) {
        self.name = name
        kind = .text
        environment = []
        standard = nil
        isSecret = false
        isIgnored = true
        isOwn = false
        help = ""
    }

    /// What it takes, in a word or two.
    package var takes: String {
        switch kind {
        case .text: "text"
        case .path: "path"
        case .integer: "whole number"
        case .number(let maximum): maximum == nil ? "number" : "share"
        case .boolean: "true or false"
        case .words(let words): words.joined(separator: ", ")
        }
    }
}

extension BackendSettings {
    /// The first of the option's environment variables that is set, and not empty, else what the block says; `nil` if
    /// nothing does.
    package func configured(_ option: BackendOption) -> String? {
        environmentVariable(of: option).flatMap { environment[$0] } ?? settings.first { $0.name == option.name }?.value
    }

    /// The environment variable that counts for the option; `nil` if none is set.
    package func environmentVariable(of option: BackendOption) -> String? {
        option.environment.first { !(environment[$0] ?? "").isEmpty }
    }

    /// The option's value, or its default.
    package func text(_ option: BackendOption) -> String? {
        configured(option) ?? option.standard
    }

    /// Where an option's value stands, or the block if the block does not set it.
    package func place(of option: BackendOption) -> SettingPlace? {
        settings.first { $0.name == option.name }?.valuePlace ?? place
    }

    /// A whole number; `nil` if there is none and no default.
    ///
    /// - Parameter complaint: What a server says of anything else, before its own error.
    /// - Throws: `.configuration` for anything but base-10 digits, or a number below the minimum.
    package func integer(_ option: BackendOption, _ complaint: String? = nil) throws(StorageError) -> Int? {
        guard let text = text(option) else { return nil }
        var least: Int?
        if case .integer(let minimum?) = option.kind { least = minimum }
        // As servers do where they take any number.
        if text.isEmpty, least == nil { return nil }
        guard let number = Int(text), number >= least ?? .min else {
            let bound = least.map { " of at least \($0)" } ?? ""
            throw StorageError(
                .configuration,
                complaint.map { "\($0): it is no whole number." } ?? "\(option.name) must be a whole number\(bound).",
                place: place(of: option))
        }
        return number
    }

    /// `true` or `false`; `nil` if nothing is set and there is no default.
    ///
    /// - Throws: `.configuration` for anything but `true`, `false`, `1` and `0`.
    package func boolean(_ option: BackendOption) throws(StorageError) -> Bool? {
        switch text(option) {
        case nil: return nil
        case "true", "1": return true
        case "false", "0": return false
        case .some:
            throw StorageError(.configuration, "\(option.name) is true or false.", place: place(of: option))
        }
    }

    /// A number above 0; `nil` if nothing is set and there is no default.
    ///
    /// - Throws: `.configuration` for anything else, or a number above the maximum.
    package func number(_ option: BackendOption) throws(StorageError) -> Double? {
        guard let text = text(option) else { return nil }
        guard let number = Double(text), number.isFinite, number > 0 else {
            throw StorageError(
                .configuration, "\(option.name) must be a number above 0.", place: place(of: option))
        }
        if case .number(let maximum?) = option.kind, number > maximum {
            throw StorageError(
                .configuration,
                "\(option.name) is a share above 0 and at most \(Int(maximum)), such as 0.5 for half of the capacity.",
                place: place(of: option))
        }
        return number
    }

    /// One of the option's words, whatever its case; `nil` if nothing is set, or an empty text, and there is no default.
    ///
    /// - Throws: `.configuration` for any other word.
    package func word(_ option: BackendOption) throws(StorageError) -> String? {
        guard case .words(let words) = option.kind, let text = text(option), !text.isEmpty else { return nil }
        guard let word = words.first(where: { $0.lowercased() == text.lowercased() }) else {
            let list = words.dropLast().joined(separator: ", ") + (words.count > 1 ? " or " : "") + (words.last ?? "")
            throw StorageError(
                .configuration, "\(option.name) is \(list), not \"\(StorageKey(text))\".", place: place(of: option))
        }
        return word
    }
}
