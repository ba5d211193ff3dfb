/// What went wrong while reading or building a bbolt file, and where.
package struct BoltError: Error, Sendable, CustomStringConvertible {
    /// The few kinds a caller may react to differently.
    package enum Code: Sendable, Hashable {
        /// The bytes contradict the format or themselves.
        case damaged
        /// The file ends before the pages its meta page promises.
        case truncated
        /// Another process holds the exclusive lock.
        case inUse
        /// There is no such file.
        case notFound
        /// Well-formed as far as it goes, but not something this room reads: another byte order or format version,
        /// not a regular file, a bucket where a plain value is expected or the reverse.
        case unsupported
        /// The caller broke the contract: key order or size, an unbalanced bucket, a closed reader.
        case invalidInput
        /// The operating system refused; `errno` says why.
        case io
    }

    package let code: Code
    /// Complete sentences that start with the file name: what, where, and what to do next. Keys appear escaped and
    /// shortened, values never.
    package let message: String
    /// The file as the caller named it.
    package let path: String
    /// The page at fault, when there is one. For an inline bucket: the page that holds it.
    package let page: PageID?
    /// The operating system's number, only with `.io`, `.inUse`, `.notFound`.
    package let errno: Int32?

    init(_ code: Code, _ path: String, _ text: String, page: PageID? = nil, errno: Int32? = nil) {
        self.code = code
        self.message = "\(path): \(text)"
        self.path = path
        self.page = page
        self.errno = errno
    }

    package var description: String { message }
}

/// A key for a message: printable ASCII as it is, everything else escaped, at most 64 bytes of it.
func quoted(_ key: some Sequence<UInt8>) -> String {
    let longestShown = 64
    var text = "\""
    for (index, byte) in key.enumerated() {
        if index == longestShown {
            return text + "…\""
        }
        switch byte {
        case 0x22, 0x5C: text += "\\" + String(UnicodeScalar(byte))
        case 0x20..<0x7F: text += String(UnicodeScalar(byte))
        default: text += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
    }
    return text + "\""
}
