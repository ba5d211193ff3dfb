import JSON

/// An item as it lies in the table: each attribute as the JSON text a reply needs, ready to be copied.
///
/// Little-endian. Head: item size UInt32, attribute count UInt32. Then each attribute: bytes of its name UInt32, bytes
/// of its text UInt32, bytes it counts for UInt32, name, text. The text is `"name":{"type":value}`.
struct StoredItem {
    /// Largest item: its attributes' names and values (Developer Guide, "Quotas: Items").
    static let maximumSize = 400 << 10
    private static let headBytes = 8
    private static let attributeHeadBytes = 12

    /// One attribute of a stored item, borrowed from its bytes.
    struct Attribute {
        let name: UnsafeRawBufferPointer
        /// `"name":{"type":value}`.
        let text: UnsafeRawBufferPointer
        /// Bytes of name and value as the service counts them.
        let size: Int
    }

    /// The item's bytes in the table.
    let bytes: [UInt8]

    /// The item's size as the service counts it.
    var size: Int { bytes.withUnsafeBytes { Self.size(of: $0) } }

    init(_ attributes: [AttributeValue.Member]) {
        var bytes = [UInt8](repeating: 0, count: Self.headBytes)
        var total = 0
        var json = JSONWriter()
        for attribute in attributes {
            let size = attribute.name.count + attribute.value.size
            total += size
            json.removeAll()
            attribute.name.withUnsafeBytes { json.name($0) }
            attribute.value.write(to: &json)
            Self.append(attribute.name.count, to: &bytes)
            Self.append(json.bytes.count, to: &bytes)
            Self.append(size, to: &bytes)
            bytes += attribute.name
            bytes += json.bytes
        }
        Self.put(total, at: 0, in: &bytes)
        Self.put(attributes.count, at: 4, in: &bytes)
        self.bytes = bytes
    }

    init(copying bytes: UnsafeRawBufferPointer) {
        self.bytes = Array(bytes)
    }

    private static func append(_ number: Int, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: number).littleEndian) { bytes.append(contentsOf: $0) }
    }

    private static func put(_ number: Int, at offset: Int, in bytes: inout [UInt8]) {
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: number).littleEndian) { source in
            for index in 0..<4 { bytes[offset + index] = source[index] }
        }
    }

    private static func load(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> Int {
        Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
    }

    /// The size of the item whose bytes these are.
    static func size(of bytes: UnsafeRawBufferPointer) -> Int {
        bytes.count >= headBytes ? load(bytes, 0) : 0
    }

    /// The attributes in an item's bytes. Bytes that contradict themselves, as in a damaged file, end the walk.
    static func attributes(of bytes: UnsafeRawBufferPointer) -> Attributes { Attributes(bytes) }

    /// Walks the attributes of a stored item.
    struct Attributes: Sequence, IteratorProtocol {
        private let bytes: UnsafeRawBufferPointer
        private var offset: Int
        private var left: Int

        init(_ bytes: UnsafeRawBufferPointer) {
            self.bytes = bytes
            offset = headBytes
            left = bytes.count >= headBytes ? load(bytes, 4) : 0
        }

        mutating func next() -> Attribute? {
            guard left > 0, bytes.count - offset >= attributeHeadBytes else { return nil }
            let nameCount = load(bytes, offset)
            let textCount = load(bytes, offset + 4)
            let start = offset + attributeHeadBytes
            guard bytes.count - start >= nameCount + textCount else { return nil }
            defer {
                offset = start + nameCount + textCount
                left -= 1
            }
            return Attribute(
                name: UnsafeRawBufferPointer(rebasing: bytes[start..<start + nameCount]),
                text: UnsafeRawBufferPointer(rebasing: bytes[start + nameCount..<start + nameCount + textCount]),
                size: load(bytes, offset + 8))
        }
    }

    /// Appends the item as a JSON object.
    static func appendJSON(of bytes: UnsafeRawBufferPointer, to append: (UnsafeRawBufferPointer) -> Void) {
        let comma: [UInt8] = [UInt8(ascii: ",")]
        var isFirst = true
        for attribute in attributes(of: bytes) {
            if !isFirst { comma.withUnsafeBytes { append($0) } }
            isFirst = false
            append(attribute.text)
        }
    }
}
