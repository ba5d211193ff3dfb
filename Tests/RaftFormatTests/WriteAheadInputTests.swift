import Foundation
import RaftFormat
import TestSupport
import Testing

/// Logs as the library leaves them in odd moments, and hostile ones.
@Suite struct WriteAheadInputTests {
    /// The data of all entries by index, and what is said of the log.
    private struct Outcome: Equatable {
        var entries: [UInt64: [UInt8]] = [:]
        var failure: String?
    }

    private static func read(_ folder: String) -> Outcome {
        var outcome = Outcome()
        do {
            guard let log = try WriteAheadLog(folder: folder) else { return Outcome(failure: "nothing") }
            defer { log.close() }
            try log.visit(from: 0) { found in
                let entry = try found.get()
                outcome.entries[entry.index] = Array(entry.data)
                return true
            }
        } catch let error as DamagedEntry {
            outcome.failure = error.reason
        } catch {
            outcome.failure = "\(error)"
        }
        return outcome
    }

    private static func outcome(_ segments: [TestSegment], _ list: String?) throws -> Outcome {
        try Scratch.withFolder { folder in
            try TestLogFolder.write("\(folder)/wal", segments, list: list)
            return read("\(folder)/wal")
        }
    }

    /// The outcome of one open segment.
    private static func tail(_ fill: (inout TestSegment) -> Void) throws -> Outcome {
        var segment = TestSegment(base: 7, id: 3)
        fill(&segment)
        return try outcome([segment], TestLogFolder.list([segment.listed()]))
    }

    @Test func theChecksumIsTheOneOfTheStandard() {
        var checksum = CRC32C()
        Array("123456789".utf8).withUnsafeBytes { checksum.update($0) }
        #expect(checksum.value == 0xe306_9283)
        // RFC 3720, B.4: 32 bytes of zeros, of ones, ascending.
        for (bytes, value) in [
            ([UInt8](repeating: 0, count: 32), 0x8a91_36aa), ([UInt8](repeating: 0xff, count: 32), 0x62a8_ab43),
            ([UInt8](0..<32), 0x46dd_794e),
        ] as [([UInt8], UInt32)] {
            var whole = CRC32C()
            bytes.withUnsafeBytes { whole.update($0) }
            #expect(whole.value == value)
            var parts = CRC32C()
            for part in [bytes[..<3], bytes[3..<20], bytes[20...]] { part.withUnsafeBytes { parts.update($0) } }
            #expect(parts.value == value)
        }
    }

    @Test func logsWithoutEntriesAreEmpty() throws {
        try Scratch.withFolder { folder in #expect(Self.read(folder).failure == "nothing") }
        for list in [nil, "{\"Segments\":[]}", "{\"Segments\":null}"] {
            #expect(try Self.outcome([], list) == Outcome())
        }
        #expect(try Self.tail { _ in } == Outcome())
        #expect(try Self.tail { $0.commit() } == Outcome())
        for list in ["", "{}", "[]", "{\"Segments\":7}", "{\"Segments\":[7]}", "{\"Segments\":[{\"ID\":-1}]}"] {
            #expect(
                try Self.outcome([], list).failure?.contains("the list of segments is unreadable") == true, "\(list)")
        }
    }

    @Test func aTailCountsUpToItsLastGoodBatch() throws {
        let two: [UInt64: [UInt8]] = [7: [1], 8: [2, 2]]
        func begin(_ segment: inout TestSegment) {
            segment.entry([1])
            segment.entry([2, 2])
            segment.commit()
        }
        let ends: [(String, (inout TestSegment) -> Void)] = [
            ("nothing", { _ in }), ("zeros", { $0.raw([UInt8](repeating: 0, count: 5000)) }),
            ("no multiple of eight", { $0.raw([0, 0, 0]) }), ("a cut header", { $0.raw([1, 0, 0]) }),
            ("another commit", { $0.commit() }), ("an entry without commit", { $0.entry([3]) }),
            ("an unknown type", { $0.raw([9, 9, 9, 9, 9, 9, 9, 9]) }),
            ("a huge length", { $0.raw([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]) }),
            ("a length to the end", { $0.raw([1, 0, 0, 0, 8, 0, 0, 0] + [UInt8](repeating: 5, count: 8)) }),
            (
                "a wrong checksum",
                {
                    $0.entry([3])
                    $0.commit(isRight: false)
                }
            ), ("an array without commit", { $0.array() }),
        ]
        for (name, end) in ends {
            let outcome = try Self.tail {
                begin(&$0)
                end(&$0)
            }
            #expect(outcome == Outcome(entries: two), "\(name): \(outcome)")
        }
        let full = try Self.tail {
            begin(&$0)
            $0.array()
            $0.commit()
        }
        #expect(full == Outcome(entries: two))
        // An array amid the entries means nothing.
        let amid = try Self.tail {
            begin(&$0)
            $0.array()
            $0.entry([3])
            $0.commit()
        }
        #expect(amid == Outcome(entries: [7: [1], 8: [2, 2], 9: [3]]))
        let damaged = try Self.tail {
            begin(&$0)
            $0.entry([3])
            $0.commit(isRight: false)
            $0.entry([4])
            $0.commit()
        }
        #expect(damaged.failure?.contains("damaged, not torn") == true && damaged.entries.isEmpty)
        let torn = try Self.tail {
            $0.entry([1])
            $0.commit(isRight: false)
        }
        #expect(torn == Outcome())
    }

    @Test func largeEntriesAndBatchesAreRead() throws {
        var random = SeededRandom(3)
        let large = random.bytes(300_000)
        let outcome = try Self.tail { segment in
            for number in 0..<65 { segment.entry([UInt8(number)]) }
            segment.commit()
            segment.entry(large)
            segment.commit()
        }
        #expect(outcome.failure == nil && outcome.entries.count == 66 && outcome.entries[72] == large)
    }

    /// Entries with right checksums that are none.
    @Test func entriesThatContradictTheirFormAreRefused() throws {
        let good = TestSegment.content(7, 1, [1, 2, 3])
        var shortTime = good
        shortTime.removeLast()
        var version = good
        version[version.count - 15] = 3
        var tooLong = good
        tooLong[3] = 100
        let cases: [(String, [UInt8])] = [
            ("nothing", []), ("another index", TestSegment.content(8, 1, [1])), ("a short time", shortTime),
            ("another version", version), ("a long field", tooLong),
            ("a number without end", [UInt8](repeating: 0x80, count: 40)),
            ("a number too large", [UInt8](repeating: 0xff, count: 9) + [2] + [UInt8](repeating: 0, count: 30)),
            ("a type of 300", [7, 1, 0xac, 2, 0, 0] + good.suffix(15)),
        ]
        for (name, payload) in cases {
            let outcome = try Self.tail { segment in
                segment.rawEntry(payload)
                segment.commit()
            }
            #expect(outcome.failure?.contains("entry 7 is damaged") == true, "\(name): \(outcome)")
        }
    }

    @Test func listsAreHeldAgainstTheirRules() throws {
        var segment = TestSegment(base: 7, id: .max)
        segment.entry([1])
        segment.entry([2])
        segment.commit()
        let start = segment.array()
        segment.commit()
        func outcome(_ lines: String...) throws -> Outcome {
            try Self.outcome([segment], TestLogFolder.list(lines))
        }
        let both = Outcome(entries: [7: [1], 8: [2]])
        #expect(try outcome(segment.listed(last: 8, start: start)) == both)
        // Cut off at its end, without an array, at its front, unsealed in another zone.
        #expect(try outcome(segment.listed(last: 7, start: start)) == Outcome(entries: [7: [1]]))
        #expect(try outcome(segment.listed(last: 8)) == both)
        #expect(try outcome(segment.listed(min: 8, last: 8, start: start)) == Outcome(entries: [8: [2]]))
        for time in ["0001-01-01T00:00:00Z", "0001-01-01T01:00:00+01:00", "0000-12-31T19:00:00.000-05:00"] {
            #expect(try outcome(segment.listed(sealTime: time)) == both, "\(time)")
        }
        let refusals: [(String, String)] = [
            (segment.listed(sealTime: "0001-01-01T00:00:00.5Z"), "impossible bounds"),
            (segment.listed(sealTime: "yesterday"), "unreadable"),
            (segment.listed(last: 9, start: start), "2 entries are in it, 3 are expected"),
            (segment.listed(last: 9), "2 entries are in it, 3 are expected"),
            (segment.listed(last: 8, start: start + 8), "index array"),
            (segment.listed(last: 8, start: Int.max), "index array"), (segment.listed(last: 6), "impossible bounds"),
            (segment.listed(min: 6, last: 8), "impossible bounds"),
            (segment.listed(last: .max, start: start), "impossible bounds"),
            (segment.listed(last: 8).replacing("\"Codec\":1", with: "\"Codec\":2"), "codec 2 is unknown"),
            (segment.listed(last: 8).replacing("\"BaseIndex\":7", with: "\"BaseIndex\":0"), "impossible bounds"),
            (
                segment.listed(last: 8).replacing("\"BaseIndex\":7", with: "\"BaseIndex\":18446744073709551615"),
                "impossible bounds"
            ), (segment.listed(last: 8) + "," + segment.listed(last: 8), "it begins at 7, 9 is expected"),
            (segment.listed() + "," + segment.listed(), "more than one open segment"),
        ]
        for (line, says) in refusals {
            let found = try outcome(line)
            #expect(found.failure?.contains(says) == true && found.entries.isEmpty, "\(line): \(found)")
        }
        let tail = try outcome(segment.listed(min: 100))
        #expect(tail == Outcome())
        // An open one has no MaxIndex, whatever stands there.
        for last in [1, 7, .max - 1, .max] as [UInt64] {
            let line = segment.listed(last: last, sealTime: "0001-01-01T00:00:00Z")
            #expect(try outcome(line) == both, "\(last)")
        }
        // Any number in any field: entries or an error.
        for field in ["ID", "BaseIndex", "MinIndex", "MaxIndex", "Codec", "IndexStart", "SizeLimit"] {
            for number in ["0", "1", "9223372036854775807", "9223372036854775808", "18446744073709551615", "1e3", "-1"]
            {
                for last in [nil, 8] as [UInt64?] {
                    let line = segment.listed(last: last, start: last == nil ? 0 : start)
                    let end = try #require(line.range(of: "\"\(field)\":")?.upperBound)
                    let rest = line[end...].drop { $0 != "," && $0 != "}" }
                    let found = try outcome(line[..<end] + number + rest)
                    #expect(found.failure != nil || found.entries.allSatisfy { both.entries[$0.key] == $0.value })
                }
            }
        }
    }

    /// A process may have a thousand files open, and a list can name more.
    @Test func fewSegmentsAreOpenAtATime() throws {
        try Scratch.withFolder { folder in
            var segments: [TestSegment] = []
            for number in 1...40 as ClosedRange<UInt64> {
                var segment = TestSegment(base: number, id: number)
                segment.entry([UInt8(number)])
                segment.commit()
                segments.append(segment)
            }
            let lines = segments.enumerated().map { place, segment in
                segment.listed(last: place == 39 ? nil : segment.base)
            }
            try TestLogFolder.write("\(folder)/wal", segments, list: TestLogFolder.list(lines))
            func openFiles() -> Int {
                let numbers = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
                return numbers.count {
                    let place = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")
                    return place?.hasSuffix(".wal") == true && place?.contains(folder) == true
                }
            }
            let log = try #require(try WriteAheadLog(folder: "\(folder)/wal"))
            defer { log.close() }
            for _ in 0..<2 {
                var found: [UInt64] = []
                try log.visit(from: 1) { entry in
                    found.append(try entry.get().index)
                    return true
                }
                #expect(found == Array(1...40))
                #expect((1...8).contains(openFiles()), "\(openFiles())")
                for index in (1...40 as ClosedRange<UInt64>).reversed() {
                    #expect(try log.withEntry(index) { Array($0.data) } == [UInt8(index)])
                }
                #expect((1...8).contains(openFiles()), "\(openFiles())")
            }
            // One that is another file by now.
            try Scratch.write(segments[39 - 1].bytes + [0], to: "\(folder)/wal/\(segments[38].name)")
            let error = #expect(throws: RaftFormatError.self) { try log.withEntry(39) { _ in } }
            #expect(error?.description.contains("has changed since") == true, "\(error.debugDescription)")
        }
    }

    /// One is not spoken of as several.
    @Test func aSingleEntryIsSpokenOfAsOne() throws {
        var first = TestSegment(base: 7, id: 1)
        first.entry([1])
        first.commit()
        var second = TestSegment(base: 9, id: 2)
        second.entry([1])
        second.commit()
        let short = try Self.outcome([first], TestLogFolder.list([first.listed(last: 8)]))
        #expect(short.failure?.contains("1 entry is in it, 2 are expected") == true, "\(short)")
        let hole = try Self.outcome([first, second], TestLogFolder.list([first.listed(last: 7), second.listed()]))
        #expect(hole.failure?.contains("entry 8 is missing in front of it") == true, "\(hole)")
    }

    @Test func whatIsNoFileIsRefused() throws {
        var segment = TestSegment(base: 1, id: 0)
        segment.entry([1])
        segment.commit()
        let list = TestLogFolder.list([segment.listed()])
        for (kind, says) in [("link", "is a link"), ("folder", "is no file")] {
            try Scratch.withFolder { folder in
                try TestLogFolder.write("\(folder)/wal", [segment], list: list)
                let place = "\(folder)/wal/\(segment.name)"
                try FileManager.default.moveItem(atPath: place, toPath: "\(folder)/elsewhere")
                if kind == "link" {
                    try FileManager.default.createSymbolicLink(
                        atPath: place, withDestinationPath: "\(folder)/elsewhere")
                } else {
                    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
                }
                #expect(Self.read("\(folder)/wal").failure?.contains(says) == true)
            }
        }
    }

    @Test func aListOfManySegmentsIsRead() throws {
        var segments: [TestSegment] = []
        var lines: [String] = []
        for number in 1...2_000 {
            var segment = TestSegment(base: UInt64(number), id: UInt64(number))
            segment.entry([UInt8(truncatingIfNeeded: number)])
            segment.commit()
            lines.append(segment.listed(last: UInt64(number)))
            segments.append(segment)
        }
        let outcome = try Self.outcome(segments, TestLogFolder.list(lines))
        #expect(outcome.failure == nil && outcome.entries.count == 2_000)
        #expect(outcome.entries[1_999] == [UInt8(1_999 & 255)])
    }

    /// Whatever is changed in a file: what is read is what was written, or there is an error.
    @Test func changedSegmentsNeverGiveOtherEntries() throws {
        var random = SeededRandom(fuzz: 15)
        var sealed = TestSegment(base: 1, id: 0)
        var tail = TestSegment(base: 9, id: 1)
        var written: [UInt64: [UInt8]] = [:]
        for number in 1...16 as ClosedRange<UInt64> {
            let data = random.bytes(random.below(60))
            written[number] = data
            if number < 9 { sealed.entry(data) } else { tail.entry(data) }
            if number % 3 == 0 || number == 8 { if number < 9 { sealed.commit() } else { tail.commit() } }
        }
        let start = sealed.array()
        sealed.commit()
        tail.commit()
        let list = TestLogFolder.list([sealed.listed(last: 8, start: start), tail.listed()])
        var refusals = 0
        try Scratch.withFolder { folder in
            try TestLogFolder.write("\(folder)/wal", [sealed, tail], list: list)
            #expect(Self.read("\(folder)/wal") == Outcome(entries: written))
            for round in 0..<Effort.rounds(1_500) {
                let segment = round % 2 == 0 ? sealed : tail
                try Scratch.write(random.mutated(segment.bytes), to: "\(folder)/wal/\(segment.name)")
                let outcome = Self.read("\(folder)/wal")
                refusals += outcome.failure == nil ? 0 : 1
                for (index, data) in outcome.entries {
                    #expect(written[index] == data, "round \(round), entry \(index)")
                }
                if round % 2 == 0, outcome.failure == nil {
                    #expect(outcome.entries == written, "round \(round)")
                }
                try Scratch.write(segment.bytes, to: "\(folder)/wal/\(segment.name)")
            }
            let meta = try Scratch.bytes("\(folder)/wal/wal-meta.db")
            for _ in 0..<Effort.rounds(500) {
                try Scratch.write(random.mutated(meta), to: "\(folder)/wal/wal-meta.db")
                _ = Self.read("\(folder)/wal")
            }
            for round in 0..<Effort.rounds(500) {
                try? FileManager.default.removeItem(atPath: "\(folder)/wal/wal-meta.db")
                let changed = String(decoding: random.mutated(Array(list.utf8)), as: UTF8.self)
                try TestLogFolder.write("\(folder)/wal", [], list: changed)
                let outcome = Self.read("\(folder)/wal")
                for (index, data) in outcome.entries {
                    #expect(written[index] == data, "list \(round), entry \(index)")
                }
            }
        }
        #expect(refusals > 300)
    }
}
