import Foundation
import Migration
import Storage
import TestSupport
import Testing

@Suite struct CheckResumptionTests {
    private struct CutOff: Error {}

    private static func file(_ path: String, _ comparison: String = "a", stores: String = "s") throws
        -> CheckProgressFile
    {
        try CheckProgressFile(path, comparison: [comparison], stores: [stores])
    }

    /// Runs a comparison until it is done or `keys` keys were told.
    private static func run(
        _ sides: [any StorageSource], _ file: CheckProgressFile, _ scope: KeyScope, cutAt keys: Int = .max
    ) throws -> (report: [String], result: StoreCheck.Result) {
        let earlier: CheckProgress? = if case .progress(let progress) = try file.load() { progress } else { nil }
        let check = StoreCheck(
            sides[1], against: .store(sides[0]), scope: scope, context: context(),
            resumption: CheckResumption(file, earlier: earlier, interval: .zero))
        var report: [String] = []
        var told = 0
        let result = try check.run { verdict, key in
            guard told < keys else { throw CutOff() }
            told += 1
            if verdict != .same { report.append("\(verdict.sign)\(escapedKey(key))") }
        }
        return (report, result)
    }

    private static func sides(seed: Int, count: Int = 400) throws -> [any StorageSource] {
        let entries = sampleEntries(count, seed: seed)
        var random = SeededRandom(seed)
        let own = entries.filter { _ in random.below(20) != 0 }
        var other = entries.filter { _ in random.below(20) != 0 }
        for index in other.indices where random.below(20) == 0 { other[index].value.append(1) }
        return [try memory(own), try memory(other)]
    }

    /// Cut off again and again, each time somewhere else, and the last run tells what one run tells.
    @Test(arguments: 1...8)
    func goesOnWhereItWasCutOff(seed: Int) throws {
        try Scratch.withFolder { folder in
            let sides = try Self.sides(seed: seed)
            let scope = seed % 2 == 0 ? KeyScope() : KeyScope(excluded: [StorageKey("logical/1")])
            let whole = try Self.run(sides, try Self.file("\(folder)/whole"), scope)
            #expect(whole.result.counts.different > 0 && whole.result.counts.missing > 0 && whole.result.earlier == nil)
            let file = try Self.file("\(folder)/progress")
            var random = SeededRandom(seed + 100)
            var cuts = 0
            var last: (report: [String], result: StoreCheck.Result)?
            while last == nil {
                do {
                    last = try Self.run(sides, file, scope, cutAt: cuts < 8 ? 1 + random.below(45) : .max)
                } catch is CutOff {
                    cuts += 1
                }
            }
            let found = try #require(last)
            #expect(cuts == 8 && found.report == whole.report && found.result.counts == whole.result.counts)
            #expect(try #require(found.result.earlier).counts.total > 0)
            let attributes = try FileManager.default.attributesOfItem(atPath: file.path)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            file.remove()
            #expect(Scratch.names(in: folder) == ["whole"])
        }
    }

    /// What cannot be read is judged at the end, so that nothing is written down behind it.
    @Test func whatCannotBeReadIsToldByTheNextRunAsWell() throws {
        try Scratch.withFolder { folder in
            let entries = sampleEntries(400, seed: 3)
            let bad = Set([entries[100].key])
            let sides = (0..<2).map { _ in ScriptedStore([entries], unreadable: bad) }
            let file = try Self.file("\(folder)/progress")
            #expect(throws: CutOff.self) { try Self.run(sides, file, KeyScope(), cutAt: 300) }
            let found = try Self.run(sides, file, KeyScope())
            #expect(found.report == ["!\(entries[100].key)"] && found.result.counts.same == 399)
        }
    }

    @Test(arguments: 1...60)
    func aChangedFileIsRefused(seed: Int) throws {
        try Scratch.withFolder { folder in
            let file = try Self.file("\(folder)/progress")
            var counts = ComparisonCounts()
            counts.same = 149
            let difference = CheckProgress.Difference(verdict: .missing, key: StorageKey("logical/a b/7"))
            try file.save(CheckProgress(key: StorageKey("sys/x"), counts: counts, differences: [difference]))
            let bytes = try Scratch.bytes(file.path)
            var changed = bytes
            var random = SeededRandom(seed)
            switch seed % 4 {
            case 0: changed.removeLast(1 + random.below(bytes.count - 1))
            case 1: changed[random.below(bytes.count)] ^= UInt8(1 << random.below(8))
            case 2: changed.insert(UInt8(random.below(256)), at: random.below(bytes.count))
            default: changed.remove(at: random.below(bytes.count))
            }
            try Scratch.write(changed, to: file.path)
            let failure = #expect(throws: MigrationFailure.self) { try file.load() }
            #expect(failure?.kind == .configuration)
            #expect(try Scratch.bytes(file.path) == changed)
        }
    }

    @Test func anotherComparisonAndForeignFilesAreRefused() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/progress"
            #expect(try Self.file(path).load() == .nothing)
            let progress = CheckProgress(key: StorageKey([0, 10, 0x5c, 0xff]))
            try Self.file(path).save(progress)
            #expect(try Self.file(path).load() == .progress(progress))
            #expect(try Self.file(path, stores: "written to").load() == .storesChanged)
            #expect(throws: MigrationFailure.self) { try Self.file(path, "b").load() }
            // What a save that was cut off has left is nobody else's.
            try Scratch.write(try Scratch.bytes(path).prefix(10), to: "\(path).new")
            chmod("\(path).new", 0o600)
            #expect(try Self.file(path).load() == .progress(progress))
            try Scratch.write(Array("mine".utf8), to: "\(path).new")
            #expect(throws: MigrationFailure.self) { try Self.file(path).load() }
            for name in ["empty", "text"] {
                try Scratch.write(Array((name == "empty" ? "" : "a\nb\n").utf8), to: "\(folder)/\(name)")
                chmod("\(folder)/\(name)", 0o600)
                #expect(throws: MigrationFailure.self) { try Self.file("\(folder)/\(name)").load() }
            }
            symlink(path, "\(folder)/link")
            #expect(throws: MigrationFailure.self) { try Self.file("\(folder)/link").load() }
            #expect(throws: MigrationFailure.self) { try Self.file(folder).load() }
        }
    }
}
