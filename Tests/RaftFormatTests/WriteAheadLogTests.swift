import Digest
import Foundation
import RaftFormat
import TestSupport
import Testing

/// Logs that the library of newer Vaults wrote: read as it reads them, refused where it or reason refuses.
@Suite struct WriteAheadLogTests {
    /// What the library found in a log when it opened it again.
    private struct Facts: Decodable {
        let first: UInt64
        let last: UInt64
        let count: Int
        let CurrentTerm: UInt64
        let LastVoteTerm: UInt64
        let LastVoteCand: String
    }

    private struct Line: Decodable, Equatable {
        let index: UInt64
        let term: UInt64
        let type: UInt64
        let size: Int
        let data: String
        let extensions: String
        let appended_at: String
    }

    static let stores = [
        "tiny", "empty", "tail", "segments", "late-start", "truncated-front", "truncated-front-in-tail",
        "truncated-all",
        "truncated-back", "verifier",
    ]

    @Test(arguments: stores)
    func aLogIsReadAsTheLibraryReadsIt(_ name: String) throws {
        try Scratch.withFolder { folder in
            let fixture = Fixture("raft-wal/\(name)")
            try fixture.unpack(into: folder)
            try Self.check("\(folder)/wal", fixture.path("expected.json"), fixture.path("expected.jsonl"))
        }
    }

    /// What library 0.4.0 cut off at its end has no array of offsets: the process that wrote it reads
    /// it, no later one does.
    @Test func aLogThatTheOldLibraryCutIsReadWhole() throws {
        try Scratch.withFolder { folder in
            let fixture = Fixture("raft-wal/truncated-back-v040")
            try fixture.unpack(into: folder)
            let log = try #require(try WriteAheadLog(folder: "\(folder)/wal"))
            let lines = try Self.lines(fixture.path("expected.jsonl"))
            let found = try Self.read(log)
            #expect(found == lines && lines.count == 140)
        }
    }

    @Test func tornWritesEndALogWhereTheLibraryEndsIt() throws {
        try Scratch.withFolder { folder in
            try Fixture("raft-wal/torn").unpack(into: folder)
            let cases = Scratch.names(in: "\(folder)/torn").filter { !$0.contains("/") }
            #expect(cases.count == 25)
            for name in cases {
                let place = "\(folder)/torn/\(name)"
                try Self.check("\(place)/wal", "\(place)/expected.json", "\(place)/expected.jsonl")
            }
        }
    }

    @Test(arguments: ["vault-pair", "chunk-pair"])
    func theLogsBesideDataAreRead(_ name: String) throws {
        try Scratch.withFolder { folder in
            let fixture = Fixture("raft-wal/\(name)")
            try fixture.unpack(into: folder)
            for part in name == "vault-pair" ? ["data"] : ["at-4", "at-5", "at-6"] {
                try Self.check(
                    "\(folder)/\(part)/raft/wal", fixture.path("expected.json"), fixture.path("expected.jsonl"))
            }
        }
    }

    private static func check(_ wal: String, _ facts: String, _ entries: String) throws {
        let expected = try JSONDecoder().decode(Facts.self, from: Data(Scratch.bytes(facts)))
        let log = try #require(try WriteAheadLog(folder: wal), "\(wal)")
        defer { log.close() }
        #expect(log.firstIndex == expected.first && log.lastIndex == expected.last, "\(wal)")
        #expect(try log.currentTerm() == expected.CurrentTerm && log.lastVoteTerm() == expected.LastVoteTerm, "\(wal)")
        #expect(try log.lastVoteCandidate() == Array(expected.LastVoteCand.utf8), "\(wal)")
        let lines = try lines(entries)
        let found = try read(log)
        #expect(found == lines && lines.count == expected.count, "\(wal)")
        // One by one, from the last on, and from the middle.
        for line in lines.reversed().prefix(20) {
            #expect(try log.withEntry(line.index) { try Self.line($0) } == line, "\(wal)")
        }
        guard lines.count > 2 else { return }
        let middle = lines.count / 2
        let again = try #require(try WriteAheadLog(folder: wal))
        #expect(try read(again, from: lines[middle].index) == Array(lines[middle...]), "\(wal)")
        #expect(try read(again) == lines, "\(wal)")
        #expect(try read(again, from: lines[lines.count - 1].index + 1).isEmpty)
    }

    private static func lines(_ path: String) throws -> [Line] {
        let decoder = JSONDecoder()
        return try Scratch.bytes(path).split(separator: 0x0a).map { try decoder.decode(Line.self, from: Data($0)) }
    }

    private static func read(_ log: WriteAheadLog, from index: UInt64 = 0) throws -> [Line] {
        var lines: [Line] = []
        try log.visit(from: index) { entry in
            lines.append(try line(entry.get()))
            return true
        }
        return lines
    }

    private static func line(_ entry: StoredEntry) throws -> Line {
        let kinds: [UInt64: LogEntryHeader.Kind] = [0: .command, 1: .noop, 4: .barrier, 5: .configuration]
        let type = kinds.first { $0.value == entry.kind }?.key
        let time = try #require(entry.appendedAt)
        var number: UInt64 = 99
        if let type { number = type } else if case .other(let other) = entry.kind { number = other }
        return Line(
            index: entry.index, term: entry.term, type: number, size: entry.data.count, data: try sha256(entry.data),
            extensions: try sha256(entry.extensions ?? UnsafeRawBufferPointer(start: nil, count: 0)),
            appended_at: text(time))
    }

    private static func sha256(_ bytes: UnsafeRawBufferPointer) throws -> String {
        try SHA256Digest.of(bytes).hexadecimal
    }

    /// RFC 3339 in UTC, without zeros at the end of the fraction.
    private static func text(_ time: LogTime) -> String {
        let days = Int(time.seconds) / 86_400
        let rest = Int(time.seconds) % 86_400
        // The civil calendar of a day since 1 January of year 1: eras of 400 years that begin in March.
        let shifted = days + 306
        let era = shifted / 146_097
        let day = shifted % 146_097
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365
        let ofYear = day - (365 * year + year / 4 - year / 100)
        let month = (5 * ofYear + 2) / 153
        let ofMonth = ofYear - (153 * month + 2) / 5 + 1
        let name = month < 10 ? month + 3 : month - 9
        let civil = era * 400 + year + (name <= 2 ? 1 : 0)
        func padded(_ number: Int, _ count: Int) -> String {
            String(repeating: "0", count: max(count - String(number).count, 0)) + String(number)
        }
        var fraction = time.nanoseconds == 0 ? "" : ".\(padded(Int(time.nanoseconds), 9))"
        while fraction.hasSuffix("0") { fraction.removeLast() }
        return "\(padded(civil, 4))-\(padded(name, 2))-\(padded(ofMonth, 2))T\(padded(rest / 3600, 2))"
            + ":\(padded(rest / 60 % 60, 2)):\(padded(rest % 60, 2))\(fraction)Z"
    }
}

extension WriteAheadLogTests {
    /// What is said of each damaged log that is refused.
    static let damages: [(name: String, says: String)] = [
        ("01-unknown-codec", "codec 65541 is unknown"),
        ("02-sealed-segment-missing", "0000000000000002.wal is missing"),
        ("03-gap-between-segments", "entries 126 to 188 are missing"),
        ("04-unsealed-not-last", "more than one open segment"),
        ("05-sealed-header-wrong-id", "2.wal: the header does not match wal-meta.db"),
        ("06-tail-header-wrong", "3.wal: the header does not match wal-meta.db"),
        ("07-header-of-version-1", "the header does not match wal-meta.db"),
        ("08-index-array-wrong", "2.wal: the batch that ends at byte 72688 has a wrong checksum"),
        ("09-index-start-past-the-end", "the index array is damaged"),
        ("10-sealed-file-cut", "19 entries are in it, 63 are expected: the file is cut or damaged"),
        ("11-misnamed-segment", "has no segment's name"),
        ("12-segment-list-not-json", "the list of segments is unreadable"), ("13-meta-file-cut", "It was cut off"),
        ("15-entry-with-another-index", "damaged, not torn"), ("16-entry-time-of-version-3", "damaged, not torn"),
        ("17-data-longer-than-entry", "damaged, not torn"),
        ("18-bit-flipped-in-committed-entry", "damaged, not torn"),
        ("19-no-meta-file", "has no wal-meta.db: the list of segments is lost"),
        ("20-entry-of-70-MB", "the file is cut or damaged"), ("21-impossible-bounds", "impossible bounds"),
        ("23-bit-flipped-in-earlier-batch-of-tail", "3.wal: the batch that ends at byte 64 has a wrong checksum"),
        ("24-no-segment-list", "the list of segments is unreadable"),
    ]

    @Test func damagedLogsAreRefusedInClearWords() throws {
        try Scratch.withFolder { folder in
            try Fixture("raft-wal/damaged").unpack(into: folder)
            for (name, says) in Self.damages {
                let error = #expect(throws: (any Error).self, "\(name)") {
                    let log = try #require(try WriteAheadLog(folder: "\(folder)/damaged/\(name)/wal"))
                    try log.visit(from: 0) { entry in
                        _ = try entry.get()
                        return true
                    }
                }
                let said = (error as? DamagedEntry)?.reason ?? "\(error.map { "\($0)" } ?? "")"
                #expect(said.contains(says) && said.contains("/wal"), "\(name): \(said)")
            }
            // Raft does not start on the one, and finds nothing in the other: both can be read.
            let termless = try #require(try WriteAheadLog(folder: "\(folder)/damaged/14-current-term-of-4-bytes/wal"))
            #expect(try Self.read(termless).count == 103 && termless.notes.count == 1)
            #expect(throws: RaftFormatError.self) { try termless.currentTerm() }
            let past = try #require(try WriteAheadLog(folder: "\(folder)/damaged/22-first-index-past-the-tail/wal"))
            #expect(past.firstIndex == 0 && past.lastIndex == 0 && past.notes.count == 3)
            #expect(past.notes.last?.contains("ends before its first index 500") == true)
        }
    }

    @Test func whatIsOddAndHarmlessIsSaid() throws {
        try Scratch.withFolder { folder in
            try Fixture("raft-wal/torn").unpack(into: folder)
            let notes = [
                ("09-wrong-commit-checksum", "was torn"), ("16-first-batch-wrong-checksum", "its only write was torn"),
                ("20-file-missing", "is not there: it counts as empty"),
                ("22-not-listed-segment", "is not in wal-meta.db"),
                ("24-full-not-recorded", "is full and wal-meta.db does not say so"),
            ]
            for (name, says) in notes {
                let log = try #require(try WriteAheadLog(folder: "\(folder)/torn/\(name)/wal"))
                #expect(log.notes.contains { $0.contains(says) }, "\(name): \(log.notes)")
            }
        }
    }
}
