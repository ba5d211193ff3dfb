/// How much a log line matters; lines below a logger's level are not written.
package enum LogLevel: Int, Sendable, CaseIterable, Comparable {
    case trace, debug, info, warn, error

    /// The name in flags and JSON lines.
    package var name: String {
        switch self {
        case .trace: "trace"
        case .debug: "debug"
        case .info: "info"
        case .warn: "warn"
        case .error: "error"
        }
    }

    /// Reads a level's name, capitals or not. Blanks around it make it unknown, as in Vault.
    ///
    /// - Throws: `LogLevelError`, whose message is Vault's.
    package init(parsing text: String) throws(LogLevelError) {
        let lowered = text.lowercased()
        guard let level = Self.allCases.first(where: { $0.name == lowered }) else {
            throw LogLevelError(level: lowered)
        }
        self = level
    }

    package static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue < right.rawValue }

    /// The level as a standard line shows it, padded so that all messages start in one column.
    var bracketed: String {
        switch self {
        case .trace: "[TRACE]"
        case .debug: "[DEBUG]"
        case .info: "[INFO] "
        case .warn: "[WARN] "
        case .error: "[ERROR]"
        }
    }
}

/// A text is no log level.
package struct LogLevelError: Error, Equatable, CustomStringConvertible {
    /// What was asked for, in small letters.
    package let level: String

    package var description: String {
        let names = LogLevel.allCases.map(\.name).joined(separator: " ")
        return "\(level) is an unknown log level. Valid log levels are: [\(names)]"
    }
}

/// How a log line is written.
package enum LogFormat: Sendable {
    case standard
    case json

    /// The format that a text of `-log-format` or `VAULT_LOG_FORMAT` names: `json`, `vault_json`, `vault-json` and
    /// `vaultjson`, capitals or not, are JSON; everything else is the standard format, as in Vault.
    package init(parsing text: String) {
        switch text.lowercased() {
        case "json", "vault_json", "vault-json", "vaultjson": self = .json
        default: self = .standard
        }
    }
}
