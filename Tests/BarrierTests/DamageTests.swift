import Foundation
import Storage
import TestSupport
import Testing

@testable import Barrier

/// Values that went through the wrong hands are named with what that did to them.
@Suite struct DamageTests {
    /// How a value changed, what it is to be called, and how long the plaintext must be for that to show.
    private struct Way: CustomTestStringConvertible, Sendable {
        let name: String
        let damage: Damage
        var sizes = 0...600
        let change: @Sendable ([UInt8]) -> [UInt8]

        var testDescription: String { name }
    }

    private static let ways: [Way] = [
        Way(name: "NULL", damage: .empty) { _ in [] },
        Way(name: "base64", damage: .base64) { base64($0) },
        Way(name: "base64 in lines", damage: .base64) {
            Array(
                Data($0).base64EncodedString(options: [
                    .lineLength64Characters, .endLineWithCarriageReturn, .endLineWithLineFeed,
                ]).utf8)
        },
        Way(name: "base64 for URLs", damage: .base64) {
            base64($0).map {
                $0 == UInt8(ascii: "+") ? UInt8(ascii: "-") : $0 == UInt8(ascii: "/") ? UInt8(ascii: "_") : $0
            }
        },
        Way(name: "base64 twice", damage: .base64) { base64(base64($0)) },
        Way(name: "hexadecimal", damage: .hexadecimal) { Array(hexadecimal($0).utf8) },
        Way(name: "hexadecimal of PostgreSQL", damage: .hexadecimal) { Array("\\x\(hexadecimal($0))".utf8) },
        Way(name: "hexadecimal of MySQL", damage: .hexadecimal) { Array("0x\(hexadecimal($0).uppercased())\n".utf8) },
        Way(name: "escapes of PostgreSQL", damage: .escaped) { value in
            value.flatMap { byte -> [UInt8] in
                (0x20...0x7e).contains(byte) ? [byte] : Array(String(format: "\\%03o", Int(byte)).utf8)
            }
        },
        Way(name: "escapes of JSON", damage: .escaped) {
            $0.flatMap { Array(String(format: "\\u%04x", Int($0)).utf8) }
        },
        Way(name: "JSON in quotes", damage: .json) { Array("\"".utf8) + base64($0) + Array("\"\n".utf8) },
        Way(name: "JSON of the file storage", damage: .json) {
            Array("{\"Value\":\"".utf8) + base64($0) + Array("\"}\n".utf8)
        },
        Way(name: "UTF-16", damage: .utf16) { $0.flatMap { [$0, 0] } },
        Way(name: "UTF-16, high byte first", damage: .utf16) { $0.flatMap { [0, $0] } },
        Way(name: "UTF-16 with its mark", damage: .utf16) { [0xff, 0xfe] + $0.flatMap { [$0, 0] } },
        Way(name: "Latin-1 to UTF-8", damage: .characterSet, sizes: 20...600) { value in
            Array(String(String.UnicodeScalarView(value.map { Unicode.Scalar($0) })).utf8)
        },
        Way(name: "bytes above 127 replaced", damage: .characterSet, sizes: 20...600) {
            Array(String(decoding: $0, as: UTF8.self).utf8)
        },
        Way(name: "bytes above 127 made question marks", damage: .characterSet, sizes: 20...600) { value in
            value.map { $0 > 0x7f ? UInt8(ascii: "?") : $0 }
        },
        Way(name: "seven bits", damage: .characterSet, sizes: 40...600) { $0.map { $0 & 0x7f } },
        Way(name: "LF to CR LF", damage: .newlines, sizes: 6000...9000) { withCarriageReturns($0) },
        Way(name: "the zero bytes gone", damage: .zeroBytes) { Array($0.drop { $0 == 0 }) },
        Way(name: "cut off", damage: .truncated) { Array($0.prefix(32)) },
        Way(name: "cut off in the header", damage: .truncated) { Array($0.prefix(3)) },
        Way(name: "a hole at the end", damage: .filled, sizes: 100...600) {
            $0.prefix(60) + [UInt8](repeating: 0, count: $0.count - 60)
        },
        Way(name: "a hole at the beginning of the random part", damage: .filled) {
            $0.prefix(5) + [UInt8](repeating: 0xff, count: 28) + $0.dropFirst(33)
        },
        Way(name: "a hole in the middle", damage: .filled, sizes: 20_000...30_000) {
            $0.prefix(8000) + [UInt8](repeating: 0, count: 8192) + $0.dropFirst(16_192)
        },
        Way(name: "padded", damage: .filled) { $0 + [UInt8](repeating: 0x20, count: 40) },
        Way(name: "plaintext behind a header", damage: .text, sizes: 100...600) { value in
            value.prefix(5)
                + Array(String(repeating: "{\"password\":\"correct horse\"} ", count: 30).utf8.prefix(value.count - 5))
        },
        Way(name: "plaintext", damage: .text) { _ in Array(String(repeating: "an error page ", count: 8).utf8) },
        Way(name: "other bytes", damage: .noEnvelope) { [0x9c, 0x41, 0xfe] + $0.dropFirst(3) },
        Way(name: "another version", damage: .noEnvelope) { $0.prefix(4) + [3] + $0.dropFirst(5) },
    ]

    private static func base64(_ bytes: [UInt8]) -> [UInt8] { Array(Data(bytes).base64EncodedString().utf8) }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func withCarriageReturns(_ bytes: [UInt8]) -> [UInt8] {
        bytes.flatMap { $0 == 0x0a ? [0x0d, 0x0a] : [$0] }
    }

    @Test(arguments: ways, [1, 2, 3])
    private func eachKindIsNamed(_ way: Way, _ seed: Int) {
        var store = SoundStore(seed: seed, secrets: 300, sizes: way.sizes)
        var random = SeededRandom(seed * 31)
        var damaged: [StorageKey] = []
        let count = store.entries.count
        for _ in 0..<12 {
            let key = store.entries[count - 1 - random.below(250)].key
            guard !damaged.contains(key) else { continue }
            damaged.append(key)
            store.change(key, way.change)
        }
        let found = report(store.entries)
        #expect(
            found.suspicions == [.init(damage: way.damage, entries: damaged.count, first: damaged.sorted())],
            "\(found.lines)")
        #expect(!found.isSound && found.lines.contains { $0.contains(way.damage.meaning) })
    }

    /// A store all of which went through the wrong hands.
    @Test(arguments: ways.filter { $0.damage != .newlines })
    private func wholeStoresAreNamed(_ way: Way) {
        var store = SoundStore(seed: 4, secrets: 300, sizes: way.sizes)
        let secrets = store.entries.map(\.key).filter { $0.hasPrefix("logical/") }
        for key in secrets { store.change(key, way.change) }
        let found = report(store.entries)
        let named = found.suspicions.first { $0.damage == way.damage }
        #expect((named?.entries ?? 0) >= secrets.count * 95 / 100, "\(found.lines)")
    }

    @Test(arguments: [
        "core/seal-config", "core/hsm/barrier-unseal-keys", "core/shamir-kek",
    ])
    func entriesInClearAsWell(_ name: String) {
        var store = SoundStore(seed: 4)
        store.change(StorageKey(name)) { Self.base64($0) }
        let found = report(store.entries)
        #expect(found.suspicions == [.init(damage: .base64, entries: 1, first: [StorageKey(name)])], "\(found.lines)")
    }

    @Test func anEntryOfFixedLengthHasIt() {
        var store = SoundStore(seed: 4)
        store.change("core/shamir-kek") { $0 + [7] }
        #expect(report(store.entries).suspicions.map(\.first) == [["core/shamir-kek"]])
        #expect(report(store.entries).suspicions.map(\.damage) == [.wrongLength])
    }

    // MARK: What only many values tell

    @Test func lineEndsOfShortValuesTellTogether() {
        var store = SoundStore(seed: 8, secrets: 500)
        for key in store.entries.map(\.key) where key.hasPrefix("logical/") {
            store.change(key) { Self.withCarriageReturns($0) }
        }
        let found = report(store.entries)
        #expect(found.suspicions.map(\.damage) == [.newlines] && found.suspicious > 100, "\(found.lines)")
    }

    @Test(arguments: [(20_000, true), (2_000, false)])
    func lineEndsThatLostTheirCR(_ count: Int, _ isTold: Bool) {
        var store = SoundStore(seed: 8, secrets: count, sizes: 200...300)
        #expect(report(store.entries).isSound)
        for index in store.entries.indices {
            var kept: [UInt8] = []
            for byte in store.entries[index].value {
                if byte == 0x0a, kept.last == 0x0d { kept.removeLast() }
                kept.append(byte)
            }
            store.entries[index].value = kept
        }
        let found = report(store.entries)
        #expect(
            found.signs.count == (isTold ? 1 : 0) && found.signs.allSatisfy { $0.contains("CR LF was made a LF") },
            "\(found.lines)")
    }

    @Test func whatWasTrimmedOrAdded() {
        let store = SoundStore(seed: 8, secrets: 9_000, sizes: 20...60)
        func changed(_ change: ([UInt8]) -> [UInt8]) -> [String] {
            report(store.entries.map { $0.key.hasPrefix("core/") ? $0 : Entry($0.key, change($0.value)) }).signs
        }
        #expect(changed { $0 }.isEmpty)
        #expect(changed { $0 + [0x0a] }.first?.contains("end in the byte 0x0a") == true)
        let trimmed = changed { value in
            Array(value.prefix((value.lastIndex { $0 != 0x20 } ?? 0) + 1))
        }
        #expect(trimmed.count == 1 && trimmed[0].contains("No value ends in a space"), "\(trimmed)")
    }

    @Test(arguments: [(255, 3, true), (255, 2, false), (65535, 1, true), (254, 9, false)])
    func valuesCutAtTheWidthOfAColumn(_ width: Int, _ count: Int, _ isTold: Bool) {
        var store = SoundStore(seed: 8, term: 1, secrets: 100, sizes: 0...150)
        // A keyring has no room for a key in less.
        for index in store.entries.indices where store.entries[index].value.count > 220 {
            store.entries[index].value.removeLast(store.entries[index].value.count - 220)
        }
        for number in 0..<count { store.add("logical/a/\(number)", Array(store.envelope(1, 70_000).prefix(width))) }
        let found = report(store.entries)
        #expect(found.suspicions.map(\.damage) == (isTold ? [.columnSize] : []), "\(found.lines)")
        #expect(found.suspicious == (isTold ? count : 0))
        // A longer one says that there is no such column.
        store.add("logical/a/long", store.envelope(1, 80_000))
        #expect(report(store.entries).isSound)
    }

    // MARK: Anything at all

    /// Whatever the bytes are, they are looked at without harm, and counted once.
    @Test func anyBytesAreLookedAt() {
        var random = SeededRandom(fuzz: 12)
        let starts: [[UInt8]] = [
            [], header(1), header(2, 1), [0x0a], Array("multiwrapvalue:1".utf8), Array("{\"Value\":\"".utf8),
            Array("\"".utf8),
            Array("AAAAAQI".utf8), Array("\\x0000000102".utf8), [0xef, 0xbb, 0xbf], [0xff, 0xfe],
            [0, 0, 0, 0x0d, 0x0a],
        ]
        let keys: [StorageKey] = [
            "core/keyring", "core/seal-config", "core/hsm/barrier-unseal-keys", "core/upgrade/",
            "core/upgrade/99999999999", "core/",
            "namespaces/", "namespaces//core/", "namespaces/a/core/keyring", "logical//", "", "/", "wal/",
            "core/versions/",
            "barrier/init", "core/master",
        ]
        for _ in 0..<Effort.rounds(3_000) {
            var tally = StructureTally()
            for _ in 0..<3 {
                let key =
                    random.below(4) == 0 ? StorageKey(random.bytes(random.below(30))) : keys[random.below(keys.count)]
                let value = random.mutated(starts[random.below(starts.count)] + random.bytes(random.below(90)))
                tally.count([Entry(key, value)])
            }
            let found = tally.finish()
            #expect(found.entries == 3 && found.places.map(\.entries).reduce(0, +) == 3)
            #expect(!found.lines.isEmpty && !found.members.isEmpty)
        }
    }
}
