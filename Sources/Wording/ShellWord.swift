/// A word as a POSIX shell reads it back, in quotes only if it needs them.
package func shellWord(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
        switch byte {
        case 0x2b...0x3a, 0x40...0x5a, 0x5f, 0x61...0x7a: true  // + , - . / 0-9 : @ A-Z _ a-z
        default: false
        }
    }
    return isPlain && !text.isEmpty ? text : shellQuoted(text)
}

/// A text in quotes as one word of a POSIX shell.
package func shellQuoted(_ text: String) -> String {
    let quote = UInt8(ascii: "'")
    var quoted = [quote]
    // By bytes: a quote with a combining mark behind it is another character, and to a shell a quote.
    for byte in text.utf8 { quoted += byte == quote ? Array("'\\''".utf8) : [byte] }
    return String(decoding: quoted + [quote], as: UTF8.self)
}
