/// What an entry looks as if it had gone through, by what stands in clear.
package enum Damage: String, Sendable, CaseIterable {
    case empty
    case truncated
    case columnSize = "column size"
    case base64
    case hexadecimal
    case escaped
    case json
    case utf16 = "utf-16"
    case characterSet = "character set"
    case newlines
    case zeroBytes = "zero bytes"
    case filled
    case text
    case wrongLength = "wrong length"
    case wrongTerm = "wrong term"
    case unreadable
    case noEnvelope = "no envelope"

    /// For whoever has to find out where it happened.
    package var meaning: String {
        switch self {
        case .empty: "no value at all: a NULL, or a text that ended at its first zero byte"
        case .truncated: "shorter than the shortest encrypted value (33 bytes): cut off"
        case .columnSize: "exactly as long as a column can be, and no value is longer: cut off by the database"
        case .base64: "base64 that nobody has decoded"
        case .hexadecimal: "hexadecimal text in place of the bytes"
        case .escaped: "text with escapes (\\000, \\u0000, \\x00) in place of the bytes"
        case .json: "JSON around the value, in quotes or as the file storage writes it"
        case .utf16: "UTF-16 in place of the bytes"
        case .characterSet:
            "converted from one character set to another: whatever was above 0x7f is UTF-8, U+FFFD, ? or gone"
        case .newlines: "line ends converted: a CR before every LF"
        case .zeroBytes: "the zero bytes at the beginning are gone"
        case .filled: "one byte over and over where random ones belong: a hole in a file, or a padded column"
        case .text: "text where there should be encrypted bytes"
        case .wrongLength: "an entry of fixed length with another one"
        case .wrongTerm: "encrypted in a key term that the store's keyring has not"
        case .unreadable: "an entry that servers write in clear, and that cannot be read"
        case .noEnvelope: "neither encrypted by the barrier nor sealed"
        }
    }
}
