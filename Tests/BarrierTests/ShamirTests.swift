import BarrierTestKit
import Digest
import TestSupport
import Testing

@testable import Barrier

/// Key shares: the field they are made in, what is taken for one, and what they make up.
@Suite struct ShamirTests {
    /// FIPS 197 section 4.2 and the inverse of section 5.1.1.
    @Test(arguments: [
        (UInt8(0x53), UInt8(0xca), UInt8(0x01)), (0x57, 0x83, 0xc1), (0x57, 0x13, 0xfe), (0, 9, 0), (1, 0xfe, 0xfe),
    ])
    func theFieldIsThatOfAES(_ left: UInt8, _ right: UInt8, _ product: UInt8) {
        #expect(GaloisField.product(left, right) == product && GaloisField.product(right, left) == product)
    }

    @Test func everyNumberHasItsInverse() {
        #expect(GaloisField.inverse(0x53) == 0xca && GaloisField.inverse(2) == 0x8d && GaloisField.inverse(0) == 0)
        for number in UInt8(1)...255 { #expect(GaloisField.product(number, GaloisField.inverse(number)) == 1) }
    }

    @Test func factorsDependOnPlacesAlone() {
        #expect(GaloisField.factors([1, 2]) == [0xf7, 0xf6])
        #expect(GaloisField.factors([0x11, 0xc3, 0xff]) == [0x31, 0x9e, 0xae])
    }

    @Test(arguments: [[0, 2, 4], [4, 1, 0], [1, 2, 3], [0, 1, 2, 3], [4, 3, 2, 1, 0]])
    func anySharesMakeUpTheKey(_ places: [Int]) throws {
        let shares = try keyShares(places.map { WorkedStore.shares[$0] })
        #expect(try shares.key(threshold: 3).isEqual(to: secretBytes(bytes(hexadecimal: WorkedStore.unsealKey))))
    }

    @Test func tooFewMakeUpAnotherKey() throws {
        let shares = try keyShares(Array(WorkedStore.shares.prefix(2)))
        #expect(try !shares.key(threshold: 2).isEqual(to: secretBytes(bytes(hexadecimal: WorkedStore.unsealKey))))
        #expect(throws: ProofFailure.self) { try shares.key(threshold: 3) }
    }

    @Test func bothSpellingsAndWhiteSpaceAreTaken() throws {
        let first = "CG9TnXEv7tK1zPIP7mzRXIaIvWQsnkEEU3bczEyxQ7sR"
        let text = "\r\n  \(first)\t\r\n\n\(WorkedStore.shares[2].uppercased())\n\(WorkedStore.shares[4])"
        let shares = try keyShares([text])
        #expect(shares.count == 3)
        #expect(try shares.key(threshold: 3).isEqual(to: secretBytes(bytes(hexadecimal: WorkedStore.unsealKey))))
    }

    @Test func anUnsplitKeyIsItsOwnShare() throws {
        let key = try keyShares([WorkedStore.unsealKey]).key(threshold: 1)
        #expect(key.isEqual(to: try secretBytes(bytes(hexadecimal: WorkedStore.unsealKey))))
        #expect(throws: ProofFailure.self) { try keyShares([WorkedStore.shares[0]]).key(threshold: 1) }
        #expect(throws: ProofFailure.self) { try keyShares(Array(WorkedStore.shares.prefix(2))).key(threshold: 1) }
    }

    /// What was given, and a word of the refusal.
    private static let refused: [(texts: [String], words: String)] = {
        let shares = WorkedStore.shares
        let zero = String(repeating: "00", count: 33)
        let samePlace = String(repeating: "ab", count: 32) + "11"
        let short = shares.map { String($0.dropLast(6)) }
        return [
            ([], "No key share"), (["", "  "], "No key share"), (["hvs.CAESIJ"], "Line 1"),
            ([shares[0], "x"], "Line 2"), (["\n\nab"], "Line 3"), ([shares[0], zero], "last byte is 0"),
            ([shares[0], shares[1], shares[0]], "the same as 1"), ([shares[0], samePlace], "same place"),
            ([shares[0], WorkedStore.unsealKey], "different lengths"), ([short[0], short[1]], "another length"),
            (["CG9TnXEv7tK1zPIP7mzRXIaIvWQsnkEEU3bczEyxQ7s"], "Line 1"),
            (["CG9TnXEv7tK1zPIP7mzRXIaIvWQsnkEEU3bczEyxQ7t="], "Line 1"),
            (["CG9TnXEv7tK1zPIP7mzRXIaIvWQsnkEEU3bczEyxQ7sR===="], "Line 1"),
        ]
    }()

    @Test(arguments: refused)
    func whatIsNoShareIsRefusedInWords(_ texts: [String], _ words: String) throws {
        let error = #expect(throws: ProofFailure.self) { _ = try keyShares(texts).key(threshold: 2) }
        #expect(error?.code == .shares && error?.message.contains(words) == true, "\(String(describing: error))")
        // Nothing of what was given is told.
        for text in texts where text.count > 4 { #expect(error?.message.contains(text.prefix(8)) == false) }
    }

    @Test func hostileTextsNeverTrap() throws {
        var random = SeededRandom(fuzz: 15)
        let text = Array(WorkedStore.shares.joined(separator: "\n").utf8)
        for _ in 0..<Effort.rounds(2000) {
            let mutated = random.mutated(text)
            do { _ = try KeyShares(text: secretBytes(mutated)).key(threshold: 3) } catch is ProofFailure {}
        }
    }
}
