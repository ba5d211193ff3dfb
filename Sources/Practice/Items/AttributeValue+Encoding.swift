import JSON

extension AttributeValue {
    /// Writes the value in the protocol's form.
    func write(to json: inout JSONWriter) {
        json.beginObject()
        json.name(typeName)
        switch self {
        case .string(let bytes): bytes.withUnsafeBytes { json.string($0) }
        case .number(let number): number.text.withUnsafeBytes { json.string($0) }
        case .binary(let bytes): bytes.withUnsafeBytes { json.base64($0) }
        case .boolean(let flag): json.boolean(flag)
        case .null: json.boolean(true)
        case .stringSet(let elements): json.array(elements) { json, bytes in bytes.withUnsafeBytes { json.string($0) } }
        case .numberSet(let numbers):
            json.array(numbers) { json, number in number.text.withUnsafeBytes { json.string($0) } }
        case .binarySet(let elements): json.array(elements) { json, bytes in bytes.withUnsafeBytes { json.base64($0) } }
        case .list(let elements): json.array(elements) { json, element in element.write(to: &json) }
        case .map(let members): json.members(members)
        }
        json.endObject()
    }
}

extension JSONWriter {
    /// An array, each element written by `write`.
    mutating func array<Element>(_ elements: [Element], _ write: (inout JSONWriter, Element) -> Void) {
        beginArray()
        for element in elements { write(&self, element) }
        endArray()
    }

    /// An object of named values.
    mutating func members(_ members: [AttributeValue.Member]) {
        beginObject()
        for member in members {
            member.name.withUnsafeBytes { name($0) }
            member.value.write(to: &self)
        }
        endObject()
    }
}
