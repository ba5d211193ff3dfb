import Migration
import Storage
import TestSupport
import Testing

@Suite struct ComparisonTests {
    /// Every key with its sign, in the order of the report, and the counts.
    private static func compare(
        _ left: any StorageSource, _ right: any StorageSource,
        amend: (Verdict, UnsafeRawBufferPointer) -> Verdict = { verdict, _ in verdict }
    ) throws -> (report: [String], counts: ComparisonCounts) {
        let source = DigestedScan(left, DigestedScan.Options())
        let destination = DigestedScan(right, DigestedScan.Options())
        defer {
            source.stop()
            destination.stop()
        }
        var report: [String] = []
        let counts = try Comparison(source: source, destination: destination).run(amend: amend) { verdict, key in
            report.append("\(verdict.sign) \(escapedKey(key))")
        }
        return (report, counts)
    }

    private static func entries(_ text: String) -> [Entry] {
        text.split(separator: " ").map { Entry(StorageKey("\($0.prefix(1))"), Array($0.dropFirst().utf8)) }
    }

    /// Stores as words of a letter for the key and the rest for the value.
    @Test(arguments: [
        ("", "", ""), ("a b", "a b", "=a =b"), ("a b", "", "-a -b"), ("", "a b", "+a +b"), ("a1", "a2", "*a"),
        ("a b c d", "b1 c e", "-a *b =c -d +e"), ("c", "a b c d", "+a +b =c +d"), ("a x", "b y", "-a +b -x +y"),
        ("z", "a", "+a -z"),
    ])
    func everyKeyGetsItsVerdict(source: String, destination: String, report: String) throws {
        let wanted = report.split(separator: " ").map { "\($0.prefix(1)) \($0.dropFirst())" }
        let found = try Self.compare(memory(Self.entries(source)), memory(Self.entries(destination)))
        #expect(found.report == wanted)
        #expect(found.counts.isAllSame == wanted.allSatisfy { $0.hasPrefix("=") })
        let total = found.counts.same + found.counts.extra + found.counts.missing + found.counts.different
        #expect(total == wanted.count && found.counts.unreadable == 0)
    }

    @Test func verdictsOtherThanSameCanBeAmended() throws {
        let found = try Self.compare(memory(Self.entries("a b1 c")), memory(Self.entries("a b2 d"))) { verdict, key in
            #expect(verdict != .same)
            return key.first == UInt8(ascii: "d") ? verdict : .unreadable
        }
        #expect(found.report == ["= a", "! b", "! c", "+ d"])
        #expect(found.counts.unreadable == 2 && !found.counts.isAllSame)
        #expect(Verdict.allCases.map(\.sign).joined() == "=+-*!")
    }

    @Test(arguments: 1...8)
    func randomPairsAgreeWithTheModel(seed: Int) throws {
        var random = SeededRandom(seed)
        let all = sampleEntries(2_500, seed: seed)
        var (left, right, wanted): ([Entry], [Entry], [String]) = ([], [], [])
        for entry in all {
            let sign = ["=", "=", "=", "+", "-", "*"][random.below(6)]
            wanted.append("\(sign) \(entry.key)")
            if sign != "+" { left.append(entry) }
            if sign != "-" { right.append(sign == "*" ? Entry(entry.key, entry.value + [0]) : entry) }
        }
        let found = try Self.compare(memory(left), memory(right))
        #expect(found.report == wanted)
        #expect(found.counts.different == wanted.count { $0.hasPrefix("*") })
        #expect(try Self.compare(memory(left), memory(left)).counts.isAllSame)
    }

    @Test func anErrorOfOneSideEndsTheComparison() throws {
        let broken = ScriptedStore([Self.entries("a")], failure: StorageError(.io, "gone"))
        #expect(throws: StorageError(.io, "gone")) { try Self.compare(broken, memory(Self.entries("a b"))) }
        #expect(throws: StorageError(.io, "gone")) { try Self.compare(memory(Self.entries("a b")), broken) }
    }
}
