import Telemetry

/// A piece of a JSON schema: what a value may be, and what it means.
struct SchemaPart {
    let json: JSONText

    private init(_ type: String, isOptional: Bool, _ meaning: String, _ more: [(String, JSONText)] = []) {
        let types: JSONText = isOptional ? .array([.string(type), .string("null")]) : .string(type)
        json = .object([("type", types), ("description", .string(meaning))] + more)
    }

    static func text(_ meaning: String, isOptional: Bool = false) -> SchemaPart {
        SchemaPart("string", isOptional: isOptional, meaning)
    }

    /// A text of a form that a regular expression tells.
    static func text(_ meaning: String, like pattern: String) -> SchemaPart {
        SchemaPart("string", isOptional: false, meaning, [("pattern", .string(pattern))])
    }

    /// One of a few words.
    static func word(_ meaning: String, of words: [String]) -> SchemaPart {
        SchemaPart("string", isOptional: false, meaning, [("enum", .array(words.map(JSONText.string)))])
    }

    static func boolean(_ meaning: String) -> SchemaPart { SchemaPart("boolean", isOptional: false, meaning) }

    /// A count, never negative.
    static func count(_ meaning: String, isOptional: Bool = false, least: Int = 0) -> SchemaPart {
        SchemaPart("integer", isOptional: isOptional, meaning, [("minimum", .integer(least))])
    }

    /// A quantity, never negative.
    static func number(_ meaning: String, isOptional: Bool = false) -> SchemaPart {
        SchemaPart("number", isOptional: isOptional, meaning, [("minimum", .integer(0))])
    }

    static func list(_ meaning: String, of part: SchemaPart, isOptional: Bool = false, most: Int? = nil) -> SchemaPart {
        SchemaPart(
            "array", isOptional: isOptional, meaning,
            [("items", part.json)] + (most.map { [("maxItems", .integer($0))] } ?? []))
    }

    /// An object whose names are not known before.
    static func counts(_ meaning: String) -> SchemaPart {
        SchemaPart(
            "object", isOptional: false, meaning,
            [("additionalProperties", .object([("type", .string("integer")), ("minimum", .integer(0))]))])
    }

    /// An object with exactly these members, all of them there.
    static func object(
        _ meaning: String, _ members: [(String, SchemaPart)], isOptional: Bool = false
    ) -> SchemaPart {
        SchemaPart(
            "object", isOptional: isOptional, meaning,
            [
                ("properties", .object(members.map { ($0.0, $0.1.json) })),
                ("required", .array(members.map { .string($0.0) })), ("additionalProperties", .boolean(false)),
            ])
    }
}
