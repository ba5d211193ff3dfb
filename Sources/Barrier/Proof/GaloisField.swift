/// Arithmetic in GF(2^8) with the polynomial x^8+x^4+x^3+x+1 that key shares are made in (Vault 1.14 `shamir/shamir.go`).
/// Addition is exclusive or. No tables and no branches: the time does not depend on the values.
enum GaloisField {
    static func product(_ left: UInt8, _ right: UInt8) -> UInt8 {
        var (power, result): (UInt8, UInt8) = (left, 0)
        for bit in 0..<UInt8(8) {
            result ^= power & (0 &- ((right >> bit) & 1))
            power = (power << 1) ^ (0x1b & (0 &- (power >> 7)))
        }
        return result
    }

    /// The number whose product with this one is 1; 0 for 0.
    static func inverse(_ number: UInt8) -> UInt8 {
        // The power of 254: its exponent's bits but the lowest are all set.
        var (power, result): (UInt8, UInt8) = (number, 1)
        for _ in 0..<7 {
            power = product(power, power)
            result = product(result, power)
        }
        return result
    }

    /// What each share's bytes are multiplied with, so that their sum is the polynomial's value at 0.
    ///
    /// - Parameter places: Where the shares lie on the polynomial: distinct, none of them 0.
    static func factors(_ places: [UInt8]) -> [UInt8] {
        places.enumerated().map { index, place in
            var factor: UInt8 = 1
            for (other, otherPlace) in places.enumerated() where other != index {
                factor = product(factor, product(otherPlace, inverse(otherPlace ^ place)))
            }
            return factor
        }
    }
}
