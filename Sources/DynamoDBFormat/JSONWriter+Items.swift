package import JSON

extension JSONWriter {
    /// An attribute value of type S.
    package mutating func attribute(_ text: [UInt8]) {
        beginObject()
        name("S")
        text.withUnsafeBytes { string($0) }
        endObject()
    }

    /// Path and Key as an object of their own.
    package mutating func key(_ key: ItemKey) {
        beginObject()
        keyMembers(key)
        endObject()
    }

    /// Path and Key as members.
    package mutating func keyMembers(_ key: ItemKey) {
        name("Path")
        attribute(key.path)
        name("Key")
        attribute(key.name)
    }
}
