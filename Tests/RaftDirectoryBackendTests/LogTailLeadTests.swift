import RaftDirectoryBackend
import Storage
import TestSupport
import Testing

/// Data that a killed OpenBao left ahead of the position that stands beside it.
@Suite struct LogTailLeadTests {
    /// A value as the barrier encrypts it: no two are the same.
    private static func sealed(_ number: UInt8) -> [UInt8] { [0, 0, 0, 1, 2] + [UInt8](repeating: number, count: 40) }

    /// What is read of a directory with several voters whose data has these entries and stands at 12.
    private static func committed(
        _ data: [Entry], membershipIndex: UInt64 = 1, _ fill: (inout TestLog) throws -> Void
    ) throws -> (entries: [Entry], said: String) {
        try Scratch.withFolder { folder in
            var log = TestLog(from: 13)
            try fill(&log)
            try TestNode.write(folder, data, at: 12, voters: 3, membershipIndex: membershipIndex, log)
            let store = try RaftDirectoryBackend(path: folder, applyLog: .committed)
            defer { store.close() }
            return (try entries(of: store), store.remarks.joined(separator: "\n"))
        }
    }

    /// Entries 13 and 14 are known to be committed.
    private static func fill(_ log: inout TestLog) {
        log.put("x", sealed(1))
        log.put("y", sealed(2))
        log.add(TestLog.transaction(14, TestLog.put("z", sealed(3))))
        log.put("x", sealed(4))
        log.put("y", sealed(5))
    }

    @Test func whatTheDataHoldsIsNotSetBack() throws {
        let ahead = [Entry("x", Self.sealed(4)), Entry("y", Self.sealed(2)), Entry("z", Self.sealed(3))]
        let (found, said) = try Self.committed(ahead, Self.fill)
        #expect(found == ahead)
        #expect(
            said.contains("Entries 13 to 16 of raft/raft.db were read with the data, whose writes it holds already"))
        #expect(said.contains("Entry 17 was left out"), "\(said)")
        // The batch ended before what is known to be committed, or with it.
        let after = [Entry("x", Self.sealed(1)), Entry("y", Self.sealed(2))]
        for data in [[], [Entry("x", Self.sealed(9))], [Entry("x", Self.sealed(1))], after] {
            let (found, said) = try Self.committed(data, Self.fill)
            #expect(found == after && said.contains("Entries 15 to 17 were left out"), "\(said)")
        }
        // Data that holds one write and not those in front of it is not ahead: a batch is there whole.
        let (other, _) = try Self.committed([Entry("y", Self.sealed(5))], Self.fill)
        #expect(other == after)
    }

    /// What was deleted again looks as if it had never been there.
    @Test func whatCannotBeToldIsRefused() throws {
        func fill(_ log: inout TestLog) {
            log.add(TestLog.put("x", Self.sealed(1)) + TestLog.put("y", Self.sealed(2)))
            log.add(TestLog.transaction(13, TestLog.put("w", [1])))
            log.add(TestLog.delete("x") + TestLog.delete("w") + TestLog.delete("y"))
        }
        let error = #expect(throws: StorageError.self) { _ = try Self.committed([], fill) }
        #expect(error?.code == .damagedStore)
        for part in [
            "entry 13 is known to be committed", "holds what entries 14 to 15 write", "apply_log = \"none\"",
        ] { #expect(error?.message.contains(part) == true, "\(error.debugDescription)") }
        // Another key tells that the data goes on.
        let (found, _) = try Self.committed([Entry("y", Self.sealed(2))]) { log in
            log.add(TestLog.put("x", Self.sealed(1)) + TestLog.put("y", Self.sealed(2)))
            log.add(TestLog.transaction(13, TestLog.put("w", [1])))
            log.add(TestLog.delete("x") + TestLog.delete("w"))
        }
        #expect(found == [Entry("y", Self.sealed(2))])
        // A value that anybody may write twice does not.
        #expect(throws: StorageError.self) {
            _ = try Self.committed([Entry("y", [2])]) { log in
                log.add(TestLog.put("x", Self.sealed(1)) + TestLog.put("y", [2]))
                log.add(TestLog.transaction(13, TestLog.put("w", [1])))
                log.add(TestLog.delete("x") + TestLog.delete("w"))
            }
        }
    }

    /// No batch is so large.
    @Test func onlyOneBatchCanBeAhead() throws {
        for (between, isAhead) in [(61, true), (62, false)] {
            var ahead = [Entry("x", Self.sealed(2)), Entry("z", [])]
            for number in 0..<between {
                ahead.append(Entry(StorageKey("k\(100 + number)"), Self.sealed(UInt8(number))))
            }
            let (found, _) = try Self.committed(ahead) { log in
                log.put("x", Self.sealed(1))
                log.add(TestLog.transaction(13, TestLog.put("z", [])))
                for number in 0..<between { log.put(StorageKey("k\(100 + number)"), Self.sealed(UInt8(number))) }
                log.put("x", Self.sealed(2))
            }
            #expect(found.first { $0.key == "x" }?.value == Self.sealed(isAhead ? 2 : 1))
        }
    }

    /// The membership is written with the data, in front of the position.
    @Test func aMembershipBehindThePositionProvesWhatWasApplied() throws {
        func fill(_ log: inout TestLog) {
            log.put("x", Self.sealed(1))
            log.membership(3)
            log.put("y", Self.sealed(2))
        }
        let (found, said) = try Self.committed([Entry("x", Self.sealed(1))], membershipIndex: 14, fill)
        #expect(found.map(\.key) == ["x"])
        #expect(said.contains("Entries 13 to 14 of raft/raft.db were read") && said.contains("Entry 15 was left out"))
        for (index, says) in [(13, "that is none"), (40, "ends before it"), (.max, "ends before it")]
            as [(UInt64, String)]
        {
            let error = #expect(throws: StorageError.self) { _ = try Self.committed([], membershipIndex: index, fill) }
            #expect(error?.message.contains("the membership in vault.db was set by entry \(index)") == true)
            #expect(error?.code == .damagedStore && error?.message.contains(says) == true, "\(error.debugDescription)")
        }
    }

    /// Random logs, applied up to any entry: what is committed is read, and nothing is set back.
    @Test func randomDataIsNeverSetBack() throws {
        var random = SeededRandom(fuzz: 79)
        var refusals = 0
        var leads = 0
        let rounds = Effort.rounds(300)
        for _ in 0..<rounds {
            var log = TestLog(from: 13)
            let keys = (0..<4).map { "k\($0)" }
            // What the data is after each entry, and which entry wrote a key last.
            var states: [[String: [UInt8]]] = [[:]]
            var written: [String: UInt64] = [:]
            var counter: UInt8 = 0
            var proven: UInt64 = 12
            for number in 0..<(3 + random.below(8)) {
                let index = UInt64(13 + number)
                let key = keys[random.below(keys.count)]
                var state = states[number]
                func value() -> [UInt8] {
                    counter += 1
                    return Self.sealed(counter)
                }
                switch random.below(4) {
                case 0:
                    log.delete(StorageKey(key))
                    state[key] = nil
                    written[key] = index
                case 1:
                    // A transaction that began some entries ago and had read a key.
                    let start = index - 1 - UInt64(random.below(min(number, 3) + 1))
                    let read = keys[random.below(keys.count)]
                    let seen = states[Int(start - 12)][read]
                    let new = value()
                    log.add(
                        TestLog.transaction(start, try TestLog.verifyRead(read, seen ?? []), TestLog.put(key, new)))
                    if start < index { proven = max(proven, start) }
                    if written[read, default: 0] <= start || state[read] == seen {
                        state[key] = new
                        written[key] = index
                    }
                default:
                    let new = value()
                    log.put(StorageKey(key), new)
                    state[key] = new
                    written[key] = index
                }
                states.append(state)
            }
            let reached = random.below(states.count)
            func listed(_ state: [String: [UInt8]]) -> [Entry] {
                state.map { Entry(StorageKey($0.key), $0.value) }.sorted()
            }
            try Scratch.withFolder { folder in
                try TestNode.write(folder, listed(states[reached]), at: 12, voters: 3, log)
                let all = try RaftDirectoryBackend(path: folder, applyLog: .all)
                #expect(try entries(of: all) == listed(states[states.count - 1]))
                all.close()
                do {
                    let store = try RaftDirectoryBackend(path: folder, applyLog: .committed)
                    let last = max(Int(proven - 12), proven > 12 ? reached : 0)
                    let expected = listed(states[proven > 12 ? last : reached])
                    #expect(
                        try entries(of: store) == expected, "\(reached) of \(states.count), \(proven): \(store.remarks)"
                    )
                    if store.remarks.contains(where: { $0.contains("holds already") }) { leads += 1 }
                    store.close()
                } catch {
                    #expect((error as? StorageError)?.message.contains("cannot be told") == true, "\(error)")
                    refusals += 1
                }
            }
        }
        #expect(leads > rounds / 20 && refusals < rounds / 5, "\(leads), \(refusals)")
    }
}
