import Testing
import Zlib

@Suite struct ZlibTests {
    /// `printf 'hello hello hello\n' | gzip -n`.
    private static let hello: [UInt8] = [
        0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xc8, 0x40, 0x90, 0x5c, 0, 0x3b,
        0x7c, 0x8a, 0xdf, 0x12, 0, 0, 0,
    ]

    private func inflated(_ input: [UInt8], piece: Int) throws -> (bytes: [UInt8], isWhole: Bool) {
        let inflater = try GzipInflater()
        var output: [UInt8] = []
        for start in stride(from: 0, to: input.count, by: piece) {
            try input[start..<min(start + piece, input.count)].withUnsafeBytes { part in
                try inflater.inflate(part) { output += $0 }
            }
        }
        return (output, inflater.isAtMemberEnd)
    }

    @Test func crcIsThatOfGzip() {
        let check = Array("123456789".utf8)
        #expect(check.withUnsafeBytes { crc32($0) } == 0xcbf4_3926)
        let first = check[..<4].withUnsafeBytes { crc32($0) }
        #expect(check[4...].withUnsafeBytes { crc32($0, continuing: first) } == 0xcbf4_3926)
        #expect(crc32(UnsafeRawBufferPointer(start: nil, count: 0)) == 0)
    }

    @Test(arguments: [1, 3, 1000])
    func membersAreInflatedOneBehindTheOther(_ piece: Int) throws {
        let (bytes, isWhole) = try inflated(Self.hello + Self.hello, piece: piece)
        #expect(String(decoding: bytes, as: UTF8.self) == "hello hello hello\nhello hello hello\n")
        #expect(isWhole)
    }

    @Test func everyTruncationIsNoticed() throws {
        for count in 0..<Self.hello.count {
            #expect(try !inflated(Array(Self.hello[..<count]), piece: 7).isWhole)
        }
    }

    @Test func damageIsAnErrorOrHarmless() {
        for index in 0..<Self.hello.count {
            for bit in 0..<8 {
                var changed = Self.hello
                changed[index] ^= 1 << bit
                guard let (bytes, isWhole) = try? inflated(changed, piece: 1000), isWhole else { continue }
                // Header fields such as time and system may change without harm.
                #expect(String(decoding: bytes, as: UTF8.self) == "hello hello hello\n")
            }
        }
    }
}
