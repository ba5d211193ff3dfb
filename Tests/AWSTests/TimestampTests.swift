import AWS
import Foundation
import TestSupport
import Testing

@Suite struct TimestampTests {
    @Test func agreesWithTheSystem() throws {
        var random = SeededRandom(fuzz: 3)
        for _ in 0..<Effort.rounds(5_000) {
            let seconds = random.below(253_402_300_800 + 62_135_596_800) - 62_135_596_800
            var time = time_t(seconds)
            var fields = tm()
            gmtime_r(&time, &fields)
            func text(_ format: String) -> String {
                var buffer = [CChar](repeating: 0, count: 64)
                strftime(&buffer, 64, format, &fields)
                return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            }
            let stamp = Timestamp(seconds: seconds)
            // The C library does not fill years up to four digits.
            if fields.tm_year + 1900 >= 1000 {
                #expect(stamp.basic == text("%Y%m%dT%H%M%SZ"))
                #expect(stamp.description == text("%Y-%m-%dT%H:%M:%SZ"))
                #expect(Timestamp(http: text("%a, %d %b %Y %H:%M:%S GMT")) == stamp)
            }
            #expect(Timestamp(basic: stamp.basic) == stamp)
            #expect(Timestamp(extended: stamp.description) == stamp)
        }
        #expect(Timestamp(extended: "2025-01-02T03:04:05.678Z") == Timestamp(extended: "2025-01-02T03:04:05Z"))
    }

    @Test(arguments: [
        "", "2015", "20150830T123600", "20150830X123600Z", "20151330T123600Z", "20150830T243600Z",
        "2015-08-30T12:36:00", "2015-08-30T12:36:00.1x2Z", "2015-08-30 12:36:00Z", "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "2015-08-30T12:36:00+01:00",
        "１0150830T123600Z", "+0150830T123600Z",
    ])
    func refuses(_ text: String) {
        #expect(Timestamp(basic: text) == nil)
        #expect(Timestamp(extended: text) == nil)
        #expect(Timestamp(http: text) == nil)
    }
}
