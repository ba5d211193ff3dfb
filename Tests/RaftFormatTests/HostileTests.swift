import RaftFormat
import TestSupport
import Testing

/// Damaged input gives an error or a value, and never ends the process.
@Suite struct HostileTests {
    private static let records: [[UInt8]] = [
        LogPosition(term: 300, index: .max).encoded,
        ClusterConfiguration(
            index: 1 << 40,
            servers: [
                VectorTests.server, ClusterServer(suffrage: .nonvoter, id: "second", address: "[::1]:8201"),
            ]
        ).encoded,
        LocalNodeConfiguration.voter.encoded,
    ]

    /// Feeds every reader; the errors' texts are made too.
    private static func read(_ bytes: [UInt8]) -> Int {
        var refusals = 0
        do { _ = try LogPosition(decoding: bytes) } catch { refusals += error.description.isEmpty ? 0 : 1 }
        do { _ = try ClusterConfiguration(decoding: bytes) } catch { refusals += error.description.isEmpty ? 0 : 1 }
        do { _ = try header(bytes) } catch { refusals += error.description.isEmpty ? 0 : 1 }
        return refusals
    }

    private static func inputs() throws -> [[UInt8]] {
        try records + LogVector.allCases.map { try bytes($0.rawValue) }
    }

    @Test func truncatedInputIsRefusedOrRead() throws {
        for input in try Self.inputs() {
            for count in 0..<input.count { _ = Self.read(Array(input[..<count])) }
        }
        // Entries end with their last field, so that every shorter one lacks something it announced.
        for vector in LogVector.allCases where vector != .array {
            let whole = try bytes(vector.rawValue)
            for count in 0..<whole.count {
                #expect(throws: RaftFormatError.self) { try header(Array(whole[..<count])) }
            }
        }
        for cut in [1, 2, 4] {
            let record = Self.records[1]
            #expect(throws: RaftFormatError.self) { try ClusterConfiguration(decoding: record.dropLast(cut)) }
        }
    }

    @Test func everySingleByteChangeIsRefusedOrRead() throws {
        for input in try Self.inputs() {
            for place in input.indices {
                for byte in UInt8.min...UInt8.max {
                    var changed = input
                    changed[place] = byte
                    _ = Self.read(changed)
                }
            }
        }
    }

    @Test func mutationsAreRefusedOrRead() throws {
        let inputs = try Self.inputs()
        var random = SeededRandom(fuzz: 7)
        var refusals = 0
        for round in 0..<Effort.rounds(20_000) { refusals += Self.read(random.mutated(inputs[round % inputs.count])) }
        for _ in 0..<Effort.rounds(5_000) { refusals += Self.read(random.bytes(random.below(40))) }
        #expect(refusals > 20_000)
    }

    @Test(arguments: [
        // Numbers of 11 bytes; field number 0; group wire types; lengths beyond the end and beyond any integer.
        "08 ff ff ff ff ff ff ff ff ff ff 01", "00 01", "0b", "12 05 61", "12 ff ff ff ff ff ff ff ff ff 01", "09 01",
        "0d 01", "08", "80",
    ])
    func recordsThatContradictTheirFormatAreRefused(_ digits: String) throws {
        let input = try bytes(digits)
        #expect(throws: RaftFormatError.self) { try LogPosition(decoding: input) }
        #expect(throws: RaftFormatError.self) { try ClusterConfiguration(decoding: input) }
    }

    @Test(arguments: [
        // Nothing; a number; too deep; too wide; strings and extensions beyond the end; too few fields; a text as index.
        "", "01", "81a16191919191919191919191919191919191919100", "deffff", "81a161ddffffffff", "81dbffffffff",
        "81a161c9ffffffff", "920102", "81a5496e646578a131", "81c0",
    ])
    func logEntriesThatContradictTheirFormatAreRefused(_ digits: String) throws {
        let input = try bytes(digits)
        #expect(throws: RaftFormatError.self) { try header(input) }
    }

    @Test func unknownSuffragesAreRefused() throws {
        let input = try bytes("12 02 08 03")
        #expect(throws: RaftFormatError.self) { try ClusterConfiguration(decoding: input) }
        let huge = try bytes("12 0b 08 ff ff ff ff ff ff ff ff ff 01")
        #expect(throws: RaftFormatError.self) { try ClusterConfiguration(decoding: huge) }
    }
}
