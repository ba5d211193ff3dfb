import Glibc

/// The key of an entry: bytes, equal and ordered bytewise.
///
/// Not a `String`: Swift compares strings by canonical Unicode equivalence, under which two different keys of a store
/// can be one, and orders them differently from every store.
package struct StorageKey: Hashable, Sendable {
    /// The key as the store holds it, without any prefix or escaping of the backend.
    package let bytes: [UInt8]

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Copies the bytes.
    package init(copying bytes: UnsafeRawBufferPointer) {
        self.bytes = Array(bytes)
    }

    /// The UTF-8 form of a text, for keys that are known by name.
    package init(_ text: String) {
        self.bytes = Array(text.utf8)
    }

    /// Whether the key begins with all bytes of `prefix`.
    package func hasPrefix(_ prefix: StorageKey) -> Bool {
        bytes.starts(with: prefix.bytes)
    }
}

extension StorageKey: Comparable {
    package static func < (left: StorageKey, right: StorageKey) -> Bool {
        left.bytes.withUnsafeBytes { left in
            right.bytes.withUnsafeBytes { right in compareBytes(left, right) < 0 }
        }
    }
}

extension StorageKey: ExpressibleByStringLiteral {
    package init(stringLiteral value: String) {
        self.init(value)
    }
}

extension StorageKey: CustomStringConvertible {
    /// The escaped form, safe to print anywhere; see ``escapedKey(_:)``.
    package var description: String {
        bytes.withUnsafeBytes { escapedKey($0) }
    }
}

extension StorageKey {
    /// Reads the escaped form back; `nil` if `text` is not one.
    package init?(escaped text: some Sequence<UInt8>) {
        self.init(text, allowsPlainBytes: false)
    }

    /// Reads a key as a user types it: in the escaped form, but any byte other than a backslash may also stand for
    /// itself. `nil` if a backslash begins no escape.
    package init?(loosely text: some Sequence<UInt8>) {
        self.init(text, allowsPlainBytes: true)
    }

    private init?(_ text: some Sequence<UInt8>, allowsPlainBytes: Bool) {
        var bytes: [UInt8] = []
        var rest = text.makeIterator()
        while let byte = rest.next() {
            guard byte == UInt8(ascii: "\\") else {
                guard allowsPlainBytes || (byte >= 0x20 && byte <= 0x7e) else { return nil }
                bytes.append(byte)
                continue
            }
            switch rest.next() {
            case UInt8(ascii: "\\"): bytes.append(UInt8(ascii: "\\"))
            case UInt8(ascii: "x"):
                guard let high = rest.next().flatMap(hexDigitValue), let low = rest.next().flatMap(hexDigitValue) else {
                    return nil
                }
                bytes.append(high << 4 | low)
            default: return nil
            }
        }
        self.init(bytes)
    }
}

/// Bytewise comparison, a shorter prefix first: negative, zero or positive.
package func compareBytes(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
    let common = min(left.count, right.count)
    if common > 0, let leftBase = left.baseAddress, let rightBase = right.baseAddress {
        let order = memcmp(leftBase, rightBase, common)
        if order != 0 { return Int(order) }
    }
    return left.count - right.count
}

/// The printable form of a key: bytes 0x20 to 0x7e stand for themselves except `\`, which is `\\`; every other byte is
/// `\xhh`. The form of manifests, reports and messages.
package func escapedKey(_ bytes: UnsafeRawBufferPointer) -> String {
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count + 8)
    appendEscapedKey(bytes, to: &text)
    return String(decoding: text, as: UTF8.self)
}

/// Appends the printable form of a key (ASCII only) to `text`.
package func appendEscapedKey(_ bytes: UnsafeRawBufferPointer, to text: inout [UInt8]) {
    // One pass without a branch per byte: nearly all keys are plain.
    var odd: UInt8 = 0
    for byte in bytes { odd |= (byte &- 0x20 > 0x5e ? 1 : 0) | (byte == UInt8(ascii: "\\") ? 1 : 0) }
    if odd == 0 {
        text.append(contentsOf: bytes)
        return
    }
    for byte in bytes {
        switch byte {
        case UInt8(ascii: "\\"):
            text.append(byte)
            text.append(byte)
        case 0x20...0x7e: text.append(byte)
        default:
            text.append(UInt8(ascii: "\\"))
            text.append(UInt8(ascii: "x"))
            text.append(hexDigit(byte >> 4))
            text.append(hexDigit(byte & 15))
        }
    }
}

/// The lower-case hexadecimal digit of a value below 16.
package func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
}

/// The value of a hexadecimal digit, `nil` for any other byte.
package func hexDigitValue(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
}
