/// HTML that is put together piece by piece. Whatever is not known when the program is built goes through
/// ``text(_:)`` or ``long(_:)``, and cannot become anything but text.
struct HTML {
    /// Characters of a foreign text in a table; longer ones lose their middle.
    static let shortText = 120
    /// Characters of a key with its place.
    static let placeText = 400
    /// Characters of a foreign text that stands alone.
    static let longText = 4000

    private(set) var source = ""

    /// Adds markup.
    mutating func raw(_ markup: StaticString) {
        source += String(describing: markup)
    }

    /// Adds markup that another ``HTML`` was made of.
    mutating func add(_ other: HTML) { source += other.source }

    /// Adds a number.
    mutating func number(_ number: Int) { source += String(number) }

    /// Adds a number of picture coordinates, in tenths.
    mutating func coordinate(_ value: Double) {
        guard value.isFinite, abs(value) < 1e6 else { return source += "0" }
        let tenths = Int((value * 10).rounded())
        source += tenths < 0 ? "-" : ""
        source += "\(abs(tenths) / 10)"
        if !tenths.magnitude.isMultiple(of: 10) { source += ".\(abs(tenths) % 10)" }
    }

    /// Adds a text, shortened to what fits in a table.
    mutating func text(_ text: String, limit: Int = shortText) { append(text, limit: limit) }

    /// Adds a text that may be long.
    mutating func long(_ text: String) { append(text, limit: Self.longText) }

    private mutating func append(_ text: String, limit: Int) {
        let scalars = text.unicodeScalars
        guard let end = scalars.index(scalars.startIndex, offsetBy: limit, limitedBy: scalars.endIndex),
            end < scalars.endIndex
        else { return escape(scalars[...]) }
        // Both ends of a key or path tell where it is.
        let kept = limit / 2
        escape(scalars[..<scalars.index(scalars.startIndex, offsetBy: kept)])
        source += " … "
        escape(scalars[scalars.index(scalars.endIndex, offsetBy: -kept)...])
    }

    private mutating func escape(_ scalars: Substring.UnicodeScalarView) {
        for scalar in scalars {
            switch scalar {
            case "&": source += "&amp;"
            case "<": source += "&lt;"
            case ">": source += "&gt;"
            case "\"": source += "&quot;"
            case "'": source += "&#39;"
            case "\n": source += "\n"
            case _ where Self.isUnseen(scalar): source += "\\u{\(String(scalar.value, radix: 16))}"
            default: source.unicodeScalars.append(scalar)
            }
        }
    }

    /// Controls, and what makes text look other than it is: marks of direction, joiners, separators, tags, private use.
    private static func isUnseen(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F...0x9F, 0xAD, 0x34F, 0x61C, 0x115F...0x1160, 0x17B4...0x17B5, 0x180B...0x180F,
            0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0x3164, 0xE000...0xF8FF, 0xFE00...0xFE0F, 0xFEFF,
            0xFFA0, 0xFFF0...0xFFFB, 0xE0000...0x10FFFF:
            true
        default: false
        }
    }
}

/// The text of one element, for what is neither a table nor a list.
extension HTML {
    static func escaped(_ text: String) -> HTML {
        var html = HTML()
        html.long(text)
        return html
    }

    /// Adds a description list's row.
    mutating func row(_ name: StaticString, _ value: HTML) {
        raw("<div><dt>")
        raw(name)
        raw("</dt><dd>")
        add(value)
        raw("</dd></div>\n")
    }

    mutating func row(_ name: StaticString, _ value: String) { row(name, Self.escaped(value)) }

    /// Adds a list, at most `limit` of its lines.
    ///
    /// - Parameter isCode: Whether the lines are keys or places.
    mutating func list(_ lines: [String], limit: Int, isCode: Bool) {
        raw("<ul>\n")
        for line in lines.prefix(limit) {
            raw(isCode ? "<li><code>" : "<li>")
            if isCode { text(line, limit: Self.placeText) } else { long(line) }
            raw(isCode ? "</code></li>\n" : "</li>\n")
        }
        if lines.count > limit {
            raw("<li>… and ")
            number(lines.count - limit)
            raw(" more</li>\n")
        }
        raw("</ul>\n")
    }
}
