import Storage

/// Text of manifest lines under construction.
struct ManifestLines {
    private static let digits = Array("0123456789abcdef".utf8)

    private(set) var bytes: [UInt8] = []

    /// - Parameter capacity: Bytes expected.
    init(capacity: Int) {
        bytes.reserveCapacity(capacity)
    }

    /// Appends the line of one entry.
    mutating func append(_ key: UnsafeRawBufferPointer, digest: UnsafeRawBufferPointer) {
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
