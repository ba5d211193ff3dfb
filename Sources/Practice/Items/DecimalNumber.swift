/// A number as DynamoDB keeps it: up to 38 significant decimal digits, magnitudes from 1E-130 to 9.99…E+125
/// (Developer Guide, "Data types: Number").
struct DecimalNumber: Hashable {
    private static let maximumDigits = 38
    private static let exponents = -129...126
    /// Longest text that is looked at: the longest plain form of any number, with room for zeros around it.
    private static let maximumTextBytes = 512

    /// Always `false` for zero.
    private(set) var isNegative = false
    /// Values 0 to 9, the first and the last never 0; empty for zero.
    private(set) var digits: [UInt8] = []
    /// The value is 0.digits × 10^exponent.
    private(set) var exponent = 0

    /// - Throws: A validation error in the service's words.
    init(_ text: UnsafeRawBufferPointer) throws(ServiceError) {
        guard text.count <= Self.maximumTextBytes, let parsed = Self.parse(text) else {
            let shown = String(decoding: text.prefix(64), as: UTF8.self)
            throw .validation(
                text.isEmpty
                    ? "The parameter cannot be converted to a numeric value"
                    : "The parameter cannot be converted to a numeric value: \(shown)")
        }
        try self.init(parsed.digits, exponent: parsed.exponent, isNegative: parsed.isNegative)
    }

    init(_ text: String) throws(ServiceError) {
        try self = Array(text.utf8).withUnsafeBufferPointer { text throws(ServiceError) in
            try DecimalNumber(UnsafeRawBufferPointer(text))
        }
    }

    private init(_ all: [UInt8], exponent: Int, isNegative: Bool) throws(ServiceError) {
        guard let first = all.firstIndex(where: { $0 != 0 }), let last = all.lastIndex(where: { $0 != 0 }) else {
            return
        }
        digits = Array(all[first...last])
        self.exponent = exponent - first
        self.isNegative = isNegative
        guard digits.count <= Self.maximumDigits else {
            throw .validation("Attempting to store more than 38 significant digits in a Number")
        }
        guard self.exponent <= Self.exponents.upperBound else {
            throw .validation(
                "Number overflow. Attempting to store a number with magnitude larger than supported range")
        }
        guard self.exponent >= Self.exponents.lowerBound else {
            throw .validation(
                "Number underflow. Attempting to store a number with magnitude smaller than supported range")
        }
    }

    /// Sign, all digits written, and the exponent that makes the value 0.digits × 10^exponent.
    private static func parse(
        _ text: UnsafeRawBufferPointer
    ) -> (digits: [UInt8], exponent: Int, isNegative: Bool)? {
        var rest = text[...]
        var digits: [UInt8] = []
        var exponent = 0
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative || rest.first == UInt8(ascii: "+") { rest.removeFirst() }
        func takeDigits() -> Int {
            let before = digits.count
            while let byte = rest.first, byte &- 0x30 <= 9 {
                digits.append(byte &- 0x30)
                rest.removeFirst()
            }
            return digits.count - before
        }
        exponent = takeDigits()
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            _ = takeDigits()
        }
        guard !digits.isEmpty else { return nil }
        if let mark = rest.first, mark | 0x20 == UInt8(ascii: "e") {
            rest.removeFirst()
            guard let written = Int(String(decoding: rest, as: UTF8.self)), abs(written) < 1 << 20 else { return nil }
            exponent += written
            rest = rest[rest.endIndex...]
        }
        return rest.isEmpty ? (digits, exponent, isNegative) : nil
    }

    /// The plain form, without an exponent: the one form in which a number is kept and given back.
    var text: [UInt8] {
        guard !digits.isEmpty else { return [0x30] }
        var text: [UInt8] = isNegative ? [UInt8(ascii: "-")] : []
        if exponent <= 0 {
            text += [0x30, UInt8(ascii: ".")] + [UInt8](repeating: 0x30, count: -exponent)
        }
        for (index, digit) in digits.enumerated() {
            if index == exponent, index > 0 { text.append(UInt8(ascii: ".")) }
            text.append(digit + 0x30)
        }
        if exponent > digits.count { text += [UInt8](repeating: 0x30, count: exponent - digits.count) }
        return text
    }

    /// Bytes that the number counts for in an item's size.
    var size: Int { 1 + (digits.count + 1) / 2 + (isNegative ? 1 : 0) }

    /// Bytes whose order is the numbers' order; no number's bytes begin another's.
    var sortableBytes: [UInt8] {
        guard !digits.isEmpty else { return [0x80] }
        let biased = UInt8(exponent - Self.exponents.lowerBound)
        let magnitude = [biased] + digits.map { $0 + 1 } + [0]
        return isNegative ? [0x7f] + magnitude.map { ~$0 } : [0x81] + magnitude
    }
}

extension DecimalNumber: Comparable {
    static func < (left: DecimalNumber, right: DecimalNumber) -> Bool {
        left.sortableBytes.lexicographicallyPrecedes(right.sortableBytes)
    }
}

extension DecimalNumber {
    /// The sum, or with `subtracting` the difference.
    ///
    /// - Throws: A validation error if the result has too many digits or is out of range.
    func adding(_ other: DecimalNumber, subtracting: Bool = false) throws(ServiceError) -> DecimalNumber {
        var other = other
        if subtracting, !other.digits.isEmpty { other.isNegative.toggle() }
        let top = max(exponent, other.exponent)
        let bottom = min(exponent - digits.count, other.exponent - other.digits.count)
        var (large, small) = (aligned(top, bottom), other.aligned(top, bottom))
        var negative = isNegative
        if large.lexicographicallyPrecedes(small) {
            swap(&large, &small)
            negative = other.isNegative
        }
        let isSum = isNegative == other.isNegative
        var carry = 0
        for index in large.indices.reversed() {
            var digit =
                isSum ? Int(large[index]) + Int(small[index]) + carry : Int(large[index]) - Int(small[index]) - carry
            carry = 0
            if digit > 9 {
                digit -= 10
                carry = 1
            } else if digit < 0 {
                digit += 10
                carry = 1
            }
            large[index] = UInt8(digit)
        }
        return try DecimalNumber([UInt8(carry)] + large, exponent: top + 1, isNegative: negative)
    }

    private func aligned(_ top: Int, _ bottom: Int) -> [UInt8] {
        guard !digits.isEmpty else { return [UInt8](repeating: 0, count: top - bottom) }
        return [UInt8](repeating: 0, count: top - exponent) + digits
            + [UInt8](repeating: 0, count: exponent - digits.count - bottom)
    }
}
