/// Text of manifest lines under construction. The SHA-256 of all lines of a store in ascending key order is its keyspace
/// digest.
package struct ManifestLines {
    private static let digits = Array("0123456789abcdef".utf8)

    package private(set) var bytes: [UInt8] = []

    /// - Parameter capacity: Bytes expected.
    package init(capacity: Int) {
        bytes.reserveCapacity(capacity)
    }

    /// Forgets the lines and keeps the memory.
    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
    }

    /// Appends the line of one entry.
    ///
    /// - Parameter digest: The 32 bytes of the SHA-256 of its value.
    package mutating func append(_ key: UnsafeRawBufferPointer, digest: UnsafeRawBufferPointer) {
        withUnsafeTemporaryAllocation(byteCount: 66, alignment: 8) { head in
            Self.digits.withUnsafeBufferPointer { digits in
                for index in 0..<32 {
                    let byte = Int(digest[index])
                    head[2 &* index] = digits[byte &>> 4]
                    head[2 &* index &+ 1] = digits[byte & 15]
                }
            }
            head[64] = UInt8(ascii: " ")
            head[65] = UInt8(ascii: " ")
            bytes.append(contentsOf: head)
        }
        appendEscapedKey(key, to: &bytes)
        bytes.append(UInt8(ascii: "\n"))
    }
}
