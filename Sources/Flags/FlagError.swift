/// Why a command line cannot be run.
package struct FlagError: Error, Equatable, CustomStringConvertible {
    package enum Code: Sendable {
        /// A flag or its value is wrong.
        case badFlag
        /// No command has that name.
        case unknownCommand
    }

    package let code: Code
    /// What to print on standard error: one line in Vault's words, and perhaps a second one with a remedy.
    package let message: String

    package var description: String { message }

    /// What the process exits with, as Vault does: 1, or 127 for an unknown command.
    package var exitCode: Int32 { code == .unknownCommand ? 127 : 1 }

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}
