/// What was written as a value.
package indirect enum Value: Sendable {
    /// A quoted string or heredoc, escapes resolved. `${…}` is text like any other.
    case string(String)
    /// A whole number; hexadecimal and octal are resolved.
    case integer(Int64)
    /// A number with a fraction or an exponent; always finite.
    case float(Double)
    /// `true` or `false`.
    case boolean(Bool)
    /// JSON's `null`; HCL has no such word.
    case null
    /// A list, elements in order.
    case list([Node])
    /// An object or the body of a block.
    case object(ObjectNode)
    /// A literal that is well formed for the parser but has no value: a number beyond 64 bits, an escape beyond
    /// Unicode. HCL 1 notices when the value is used, so a file with such a literal in an unused place is accepted.
    case malformed(Diagnostic)
}

/// A value and its place.
package struct Node: Sendable {
    /// What was written.
    package var value: Value
    /// Where, quotes, brackets and braces included.
    package var range: SourceRange
    /// For a whole number the digits as written (`0x1F`), which is what a string setting receives; else `nil`.
    package var integerText: String?

    /// Creates a node.
    package init(value: Value, range: SourceRange, integerText: String? = nil) {
        self.value = value
        self.range = range
        self.integerText = integerText
    }
}

/// A key or a block label.
package struct SettingKey: Sendable {
    /// The name without quotes, escapes resolved.
    package var text: String
    /// Where, quotes included.
    package var range: SourceRange
}

/// One attribute (`path = "/a"`) or block (`storage_source "file" { … }`).
package struct ObjectItem: Sendable {
    /// The name, then the labels; never empty. In JSON, objects that hold nothing but objects become labels.
    package var keys: [SettingKey]
    /// What it is set to; an object for a block.
    package var value: Node
    /// True for an attribute written with `=` (or JSON's colon), false for a block.
    package var hasAssignment: Bool

    /// From the first key to the end of the value.
    package var range: SourceRange {
        SourceRange(start: keys.first?.range.start ?? value.range.start, end: value.range.end)
    }
}

/// The items of an object or of a whole file, in order; names may repeat.
package struct ObjectNode: Sendable {
    /// Attributes and blocks as written.
    package var items: [ObjectItem]
    /// Where, braces included; the whole text for the root of an HCL file.
    package var range: SourceRange
}
