import Foundation
import TestSupport
import Testing

@testable import Practice

@Suite struct DecimalNumberTests {
    @Test(arguments: [
        ("0", "0"), ("-0.00", "0"), ("1.50", "1.5"), ("+7", "7"), ("100e-2", "1"), ("1e3", "1000"), (".5", "0.5"),
        ("5.", "5"), ("-00012.3400", "-12.34"), ("1E-3", "0.001"), ("123456789012345678901234567890.12345678", nil),
        ("12345678901234567890123456789012345678", nil), ("9.9e125", "99" + String(repeating: "0", count: 124)),
    ])
    func hasOneForm(text: String, plain: String?) throws {
        #expect(try String(decoding: DecimalNumber(text).text, as: UTF8.self) == plain ?? text)
    }

    @Test(arguments: ["", "-", ".", "1e", "e5", "1 ", " 1", "1,5", "0x10", "NaN", "1e9999999999999999999", "--1"])
    func refuses(text: String) {
        #expect(throws: ServiceError.self) { try DecimalNumber(text) }
    }

    @Test func addsAndOrdersAsDecimalsDo() throws {
        var random = SeededRandom(3)
        for _ in 0..<3000 {
            func number() -> String {
                let digits = String(random.below(1_000_000_000))
                return (random.below(2) == 0 ? "-" : "") + digits + "e\(random.below(24) - 12)"
            }
            let (left, right) = (number(), number())
            let (one, two) = (try DecimalNumber(left), try DecimalNumber(right))
            let exact = (Decimal(string: left) ?? 0, Decimal(string: right) ?? 0)
            #expect((one < two) == (exact.0 < exact.1))
            #expect(try Decimal(string: String(decoding: one.adding(two).text, as: UTF8.self)) == exact.0 + exact.1)
            #expect(
                try Decimal(string: String(decoding: one.adding(two, subtracting: true).text, as: UTF8.self))
                    == exact.0 - exact.1)
        }
    }
}
