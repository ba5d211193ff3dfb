extension HCLLexer {
    /// Reads a number whose first digit has been read.
    mutating func scanNumber(startingWith first: UInt32) -> TokenKind {
        guard first == 0x30 else {
            skipDigits(from: first)
            return finishNumber(at: cursor.next(), hasIllegalOctalDigit: false)
        }
        var scalar = cursor.next()
        if scalar == 0x78 || scalar == 0x58 { return scanHexadecimal() }
        // 0159 is no octal number, but 0159.5 is a float: judged once the digits are over. The first digit after
        // the zero is not looked at, which lets 08 through as a token; it then has no value.
        var hasIllegalOctalDigit = false
        while isDecimal(scalar) {
            scalar = cursor.next()
            if scalar == 0x38 || scalar == 0x39 { hasIllegalOctalDigit = true }
        }
        return finishNumber(at: scalar, hasIllegalOctalDigit: hasIllegalOctalDigit)
    }

    /// Reads what a point starts: a fraction without leading digit, or nothing.
    mutating func scanPeriod() -> TokenKind {
        let scalar = cursor.peek()
        guard isDecimal(scalar) else { return .period }
        let after = skipDigits(from: scalar)
        skipExponent(from: after)
        return .float
    }

    private mutating func scanHexadecimal() -> TokenKind {
        var scalar = cursor.next()
        var hasDigits = false
        while digitValue(scalar) < 16 {
            scalar = cursor.next()
            hasDigits = true
        }
        if !hasDigits {
            cursor.report("illegal hexadecimal number", "Write at least one hexadecimal digit after 0x.")
        }
        if scalar != 0 { cursor.stepBack() }
        return .number
    }

    /// `scalar` has been read and is the first after the digits.
    private mutating func finishNumber(at scalar: UInt32, hasIllegalOctalDigit: Bool) -> TokenKind {
        if isExponentMark(scalar) {
            skipExponent(from: scalar)
            return .float
        }
        if scalar == 0x2E {
            let after = skipDigits(from: cursor.peek())
            if isExponentMark(after) { skipExponent(from: cursor.next()) }
            return .float
        }
        if hasIllegalOctalDigit {
            cursor.report(
                "illegal octal number", "A number that starts with 0 is octal: use digits 0 to 7, or drop the zero.")
        }
        if scalar != 0 { cursor.stepBack() }
        return .number
    }

    /// Skips decimal digits. `first` is the character before them or the first of them; the character after the
    /// last one is put back and returned. Without a digit nothing is put back.
    @discardableResult
    private mutating func skipDigits(from first: UInt32) -> UInt32 {
        var scalar = first
        var hasDigits = false
        while isDecimal(scalar) {
            scalar = cursor.next()
            hasDigits = true
        }
        if hasDigits, scalar != 0 { cursor.stepBack() }
        return scalar
    }

    /// Skips sign and digits of an exponent. One character is taken even if it is neither; the number then has no
    /// value.
    private mutating func skipExponent(from mark: UInt32) {
        guard isExponentMark(mark) else { return }
        var scalar = cursor.next()
        if scalar == 0x2D || scalar == 0x2B { scalar = cursor.next() }
        skipDigits(from: scalar)
    }

    private func isExponentMark(_ scalar: UInt32) -> Bool {
        scalar == 0x65 || scalar == 0x45
    }
}
