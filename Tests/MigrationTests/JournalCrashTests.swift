import Foundation
import Storage
import TestSupport
import Testing
import Workers

@testable import Migration

/// Journals whose process was killed, whose disk is full, whose file is damaged.
@Suite struct JournalCrashTests {
    /// Goes on with the journal, and is killed some microseconds after so many batches were taken.
    private static func fillAndDie(_ path: String, seed: Int, batches: Int, microseconds: Int) throws {
        let source = JournalSource(seed: 8)
        let journal = try EntryJournal(durableAt: path)
        if journal.header == nil { try journal.begin(header: [8], partitions: JournalSource.partitions) }
        let taken = BoundedQueue<Void>(capacity: 1)
        let killer = try WorkerThread {
            for _ in 0..<batches where taken.pop() == nil { break }
            usleep(UInt32(microseconds))
            kill(getpid(), SIGKILL)
        }
        try withWorkers(JournalSource.partitions) { partition in
            try source.fill(journal, partition, seed: seed + partition) { taken.push(()) }
        }
        taken.close()
        try journal.drain()
        killer.join()
    }

    @Test(arguments: [1, 2])
    func aKilledRunGoesOnWhereItsCursorsStand(seed: Int) async throws {
        let source = JournalSource(seed: 8)
        let folder = Scratch.root.appending(path: "killed-\(seed)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = "\(folder)/journal.lmdb"
        var random = SeededRandom(seed)
        var places = Set<[Int]>()
        for _ in 0..<15 {
            let batches = random.below(70)
            let moment = random.below(random.below(2) == 0 ? 500 : 10_000)
            let number = random.below(1_000_000)
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [path = path as String, number = number as Int, batches = batches as Int, moment = moment as Int] in
                try Self.fillAndDie(path, seed: number, batches: batches, microseconds: moment)
            }
            let journal = try EntryJournal(durableAt: path)
            guard journal.header != nil else { continue }
            #expect(journal.header == [8])
            let positions = (0..<JournalSource.partitions).map { source.position(of: $0, in: journal) }
            places.insert(positions)
            let wanted = source.entries(before: positions)
            #expect(journal.entryCount == wanted.count)
            let isExact = try contents(of: journal) == wanted
            #expect(isExact)
            for (partition, position) in positions.enumerated() where position > 0 {
                #expect(journal.note("position/\(partition)") == Array("\(position)".utf8))
            }
            if positions.allSatisfy({ $0 == 1_500 }) { journal.remove() }
        }
        #expect(places.count > 1)
    }

    /// A limit of the process on the size of its files stands in for a full disk: the write is cut short just so.
    @Test(arguments: [300_000, 1_000_000, 3_000_001])
    func aFullDiskKeepsWhatWasWritten(limit: Int) async throws {
        let path = Scratch.root.appending(path: "full-\(limit).lmdb").path
        defer { EntryJournal.remove(at: path) }
        await #expect(processExitsWith: .success) { [path = path as String, limit = limit as Int] in
            let source = JournalSource(seed: 9)
            var journal = try EntryJournal(durableAt: path)
            try journal.begin(header: [], partitions: JournalSource.partitions)
            signal(SIGXFSZ, SIG_IGN)
            var limits = rlimit()
            getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limits)
            let most = limits.rlim_max
            limits.rlim_cur = rlim_t(limit)
            setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limits)
            let error = #expect(throws: StorageError.self) {
                for partition in 0..<JournalSource.partitions { try source.fill(journal, partition, seed: partition) }
                try journal.drain()
            }
            let met = try #require(error)
            try #require(met.code == .noSpace && met.message.contains("-state-dir"), "\(met)")
            // Whoever comes later gets the same answer and is not left waiting.
            #expect(throws: met) { try journal.finish(partition: 0) }
            journal.close()
            limits.rlim_cur = most
            setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limits)
            journal = try EntryJournal(durableAt: path)
            let positions = (0..<JournalSource.partitions).map { source.position(of: $0, in: journal) }
            try #require(try contents(of: journal) == source.entries(before: positions))
            for partition in 0..<JournalSource.partitions { try source.fill(journal, partition, seed: partition) }
            try #require(try contents(of: journal) == source.entries(before: [1_500, 1_500, 1_500, 1_500]))
        }
    }

    /// Journals 400 MB and merges them with little more memory than the process had before.
    @Test func memoryIsBounded() async throws {
        let folder = Scratch.root.path
        await #expect(processExitsWith: .success) { [folder = folder as String] in
            let journal = try EntryJournal(scratchIn: folder)
            try journal.begin(header: [], partitions: 2)
            var limits = rlimit()
            getrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &limits)
            limits.rlim_cur = rlim_t(dataBytes() + 190 << 20)
            setrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &limits)
            let pool = BatchPool()
            let value = [UInt8](repeating: 1, count: 100_000)
            try withWorkers(2) { partition in
                for number in 0..<2_000 {
                    let batch = pool.take()
                    batch.append(key: StorageKey("\((number * 7_919) % 2_000)/\(partition)"), value: value)
                    try journal.append(batch, partition: partition, pool: pool)
                }
            }
            var bytes = 0
            try journal.merge(pool: pool, isCancelled: { false }) { batch in
                bytes += batch.byteCount
                pool.recycle(batch)
                return true
            }
            try #require(bytes > 400_000_000)
        }
    }

    /// A limit on the address space leaves less to reserve than a journal would like.
    @Test func littleAddressSpaceIsEnough() async throws {
        let folder = Scratch.root.path
        await #expect(processExitsWith: .success) { [folder = folder as String] in
            var limits = rlimit()
            getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limits)
            limits.rlim_cur = 20 << 30
            setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limits)
            let journal = try EntryJournal(scratchIn: folder)
            try journal.begin(header: [], partitions: 1)
            try JournalSource(seed: 1, count: 100).fill(journal, 0, seed: 1)
            try #require(try contents(of: journal).count == 100)
        }
    }

    @Test(arguments: 1...3)
    func aDamagedFileIsRefusedOrAnsweredRightly(seed: Int) throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/journal.lmdb"
            let source = JournalSource(seed: 10, count: 60)
            var journal = try EntryJournal(durableAt: path)
            try journal.begin(header: [1], partitions: JournalSource.partitions)
            for partition in 0..<JournalSource.partitions { try source.fill(journal, partition, seed: partition) }
            journal.close()
            let whole = try Scratch.bytes(path)
            var random = SeededRandom(seed)
            var refused = 0
            for round in 0..<400 {
                var bytes = whole
                if round.isMultiple(of: 10) {
                    bytes.removeLast(1 + random.below(bytes.count - 1))
                } else {
                    let head = random.below(bytes.count / 4096) * 4096 + random.below(64)
                    bytes[round % 3 == 0 ? head : random.below(bytes.count)] ^= UInt8(1 + random.below(255))
                }
                try Scratch.write(bytes, to: path)
                do throws(StorageError) {
                    journal = try EntryJournal(durableAt: path)
                    let positions = (0..<JournalSource.partitions).map { source.position(of: $0, in: journal) }
                    let wanted = source.entries(before: positions)
                    var found: [Entry] = []
                    try journal.merge(pool: BatchPool(), isCancelled: { false }) { batch in
                        found += journaledEntries(of: batch).map { Entry($0.key, $0.value) }
                        return true
                    }
                    let isExact = found.sortedFully() == wanted
                    #expect(isExact, "round \(round)")
                } catch {
                    refused += 1
                    #expect(error.code == .damagedStore, "\(error)")
                    #expect(error.message.hasPrefix(path) && error.message.contains("Remove it and run again"))
                }
                journal.close()
            }
            #expect(refused > 100 && refused < 400)
        }
    }

    @Test func whatIsNoJournalIsRefusedAndLeftAlone() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/journal.lmdb"
            var random = SeededRandom(1)
            for bytes in [[], Array("a text\n".utf8), random.bytes(20_000)] {
                try Scratch.write(bytes, to: path)
                let error = #expect(throws: StorageError.self) { try EntryJournal(durableAt: path) }
                #expect(error?.code == .damagedStore && error?.message.contains("Remove it") == true)
                #expect(try Scratch.bytes(path) == bytes)
            }
            let error = #expect(throws: StorageError.self) { try EntryJournal(durableAt: folder) }
            #expect(error?.code == .damagedStore)
            // A run that was killed while it began leaves a file that is not looked at.
            try Scratch.write(random.bytes(100), to: "\(path).new")
            EntryJournal.remove(at: path)
            #expect(Scratch.names(in: folder).isEmpty)
        }
    }
}

/// Bytes of memory that count for the limit on a process's data.
private func dataBytes() -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmData:") } ?? ""
    return (Int(line.filter(\.isNumber)) ?? 0) << 10
}
