import RaftDirectoryBackend
import Storage
import TestSupport
import Testing

/// What a directory proves to be committed, and transactions of OpenBao.
@Suite struct LogTailCommitTests {
    /// The keys that are read with the data, in a cluster of so many voters.
    private static func committed(voters: Int?, _ fill: (inout TestLog) throws -> Void) throws -> [StorageKey] {
        try Scratch.withFolder { folder in
            var log = TestLog(from: 13)
            try fill(&log)
            try TestNode.write(folder, [], at: 12, voters: voters, log)
            let store = try RaftDirectoryBackend(path: folder, applyLog: .committed)
            defer { store.close() }
            let keys = try entries(of: store).map(\.key)
            // What is left out is said.
            let isWhole = keys.count == log.items.count { $0.type == 0 }
            #expect(store.remarks.contains { $0.contains("were left out: nothing in the directory tells") } == !isWhole)
            return keys
        }
    }

    @Test func whatOneVoterLogsIsCommitted() throws {
        #expect(
            try Self.committed(voters: 1) { log in
                log.put("13", [])
                log.noop()
                log.put("15", [])
            } == ["13", "15"])
        // Unless others got a say.
        #expect(
            try Self.committed(voters: 1) { log in
                log.put("13", [])
                log.membership(2)
                log.put("15", [])
            } == ["13"])
        #expect(
            try Self.committed(voters: 1) { log in
                log.membership(2)
                log.membership(1)
                log.put("15", [])
            } == [])
    }

    @Test func ofSeveralVotersOnlyEvidenceCounts() throws {
        for voters in [3, nil] {
            #expect(
                try Self.committed(voters: voters) { log in
                    log.put("13", [])
                    log.put("14", [])
                } == [])
            // The leader had applied entry 14 when the transaction began.
            #expect(
                try Self.committed(voters: voters) { log in
                    log.put("13", [])
                    log.put("14", [])
                    log.put("15", [])
                    log.add(TestLog.transaction(14, TestLog.put("16", [])))
                } == ["13", "14"])
            // A membership follows only on one that is committed, in a term whose first entry is.
            #expect(
                try Self.committed(voters: voters) { log in
                    log.put("13", [])
                    log.membership(3)
                    log.put("15", [])
                    log.membership(4)
                    log.put("17", [])
                } == ["13"])
            #expect(
                try Self.committed(voters: voters) { log in
                    log.put("13", [])
                    log.term = 2
                    log.noop()
                    log.put("15", [])
                    log.membership(4)
                } == ["13"])
            // Where the term began is not in this log.
            #expect(
                try Self.committed(voters: voters) { log in
                    log.put("13", [])
                    log.membership(3)
                } == [])
            // No leader has applied what comes later.
            #expect(
                try Self.committed(voters: voters) { log in
                    log.put("13", [])
                    log.add(TestLog.transaction(500, TestLog.put("14", [])))
                } == [])
        }
    }

    /// What the data is after the log is applied to `a` = 1, `d/1` and `d/2`.
    private static func applied(
        from first: UInt64 = 13, at index: UInt64 = 12, _ fill: (inout TestLog) throws -> Void
    ) throws -> (entries: [Entry], conflicts: Bool) {
        try Scratch.withFolder { folder in
            var log = TestLog(from: first)
            try fill(&log)
            let data = [Entry("a", [1]), Entry("d/1", []), Entry("d/2", []), Entry("d/x/y", [])]
            try TestNode.write(folder, data, at: index, log)
            let store = try RaftDirectoryBackend(path: folder, applyLog: .all)
            defer { store.close() }
            let isFolder = { (entry: Entry) in entry.key.hasPrefix("d/") }
            return (
                try entries(of: store).filter { !isFolder($0) || $0.value == [9] },
                store.remarks.contains { $0.contains("took no effect") }
            )
        }
    }

    private static func expect(
        _ takesEffect: Bool, _ name: String, _ fill: (inout TestLog) throws -> Void
    ) throws {
        let (found, conflicts) = try applied(fill)
        #expect(found.contains { $0.key == "w" } == takesEffect && conflicts == !takesEffect, "\(name): \(found)")
    }

    @Test func transactionsTakeEffectWholeOrNotAtAll() throws {
        let write = TestLog.put("w", [5]) + TestLog.put("v", [6]) + TestLog.delete("a")
        try Self.expect(true, "nothing read") { $0.add(TestLog.transaction(12, write)) }
        try Self.expect(true, "what it read is so") { log in
            log.add(TestLog.transaction(12, try TestLog.verifyRead("a", [1]), write))
        }
        try Self.expect(true, "what is not there") { log in
            log.add(TestLog.transaction(12, try TestLog.verifyRead("none", []), write))
        }
        // A server does not look at the digest of what nothing has written since the transaction began: where data that
        // is ahead of its position has another value, the transaction or a later entry wrote it.
        try Self.expect(true, "another value, untouched") { log in
            log.add(TestLog.transaction(12, try TestLog.verifyRead("a", [2]), write))
        }
        try Self.expect(false, "another value, written since") { log in
            log.put("a", [3])
            log.add(TestLog.transaction(12, try TestLog.verifyRead("a", [2]), write))
        }
        try Self.expect(true, "another value, written before") { log in
            log.put("a", [3])
            log.add(TestLog.transaction(13, try TestLog.verifyRead("a", [2]), write))
        }
        try Self.expect(false, "changed by the log") { log in
            log.put("a", [2])
            log.add(TestLog.transaction(12, try TestLog.verifyRead("a", [1]), write))
        }
        try Self.expect(true, "changed by the log before") { log in
            log.put("a", [2])
            log.add(TestLog.transaction(13, try TestLog.verifyRead("a", [2]), write))
        }
        try Self.expect(true, "changed and changed back") { log in
            log.put("a", [2])
            log.put("a", [1])
            log.add(TestLog.transaction(12, try TestLog.verifyRead("a", [1]), write))
        }
        try Self.expect(false, "deleted") { log in
            log.delete("a")
            log.add(TestLog.transaction(12, try TestLog.verifyRead("a", [1]), write))
        }
        try Self.expect(false, "no digest") { log in
            log.put("a", [1])
            log.add(TestLog.transaction(12, TestLog.operation(16, Array("a".utf8)), write))
        }
        try Self.expect(false, "another algorithm") { log in
            log.put("a", [1])
            log.add(TestLog.transaction(12, TestLog.operation(16, Array("a".utf8), [2, 3, 4]), write))
        }
        try Self.expect(false, "no end") { log in
            log.add(TestLog.operation(64, [], Array("{\"i\":12}".utf8)) + write)
        }
        let (found, _) = try Self.applied { $0.add(TestLog.transaction(12, write)) }
        #expect(found == [Entry("v", [6]), Entry("w", [5])])
    }

    /// What was written before the data's position and after a transaction began stands in the log, or is not known.
    @Test func readsLookAtTheLogInFrontOfTheDataToo() throws {
        let write = TestLog.put("w", [5])
        func takesEffect(_ value: [UInt8], _ fill: (inout TestLog) throws -> Void) throws -> Bool {
            let (found, conflicts) = try Self.applied(from: 10) { log in
                try fill(&log)
                log.add(TestLog.transaction(9, try TestLog.verifyRead("a", value), write))
            }
            #expect(conflicts != found.contains { $0.key == "w" })
            return !conflicts
        }
        #expect(try takesEffect([77]) { log in for _ in 0..<3 { log.put("elsewhere", [1]) } })
        for (value, isSame) in [([5], true), ([1], false)] as [([UInt8], Bool)] {
            // The data is ahead: entry 14 has written `a` again.
            let found = try takesEffect(value) { log in
                log.put("a", [4])
                log.put("a", [5])
                log.noop()
            }
            #expect(found == isSame)
        }
        #expect(
            try !takesEffect([1]) { log in
                log.delete("a")
                log.noop()
                log.noop()
            })
        // Whether a transaction took effect is not known; that the data has what was read is enough.
        for value in [[1], [2]] as [[UInt8]] {
            func fill(_ log: inout TestLog) {
                log.add(TestLog.transaction(9, TestLog.put("a", [2])))
                log.noop()
                log.noop()
            }
            if value == [1] {
                #expect(try takesEffect(value, fill))
            } else {
                let error = #expect(throws: StorageError.self) { try takesEffect(value, fill) }
                #expect(error?.message.contains("what entries 10 to 12 have written") == true)
            }
        }
        let error = #expect(throws: StorageError.self) {
            try Self.applied { $0.add(TestLog.transaction(11, try TestLog.verifyRead("a", [2]), write)) }
        }
        #expect(error?.message.contains("what entry 12 has written") == true, "\(error.debugDescription)")
    }

    /// A transaction whose own writes are in the data already took effect.
    @Test func transactionsOfDataThatIsAheadAreJudgedByWhatTheyHadRead() throws {
        let (found, conflicts) = try Self.applied { log in
            log.add(
                TestLog.transaction(12, try TestLog.verifyRead("a", [0]), TestLog.put("a", [1]), TestLog.put("w", [5])))
            log.add(TestLog.transaction(13, try TestLog.verifyRead("a", [1]), TestLog.put("v", [6])))
        }
        #expect(!conflicts && found.map(\.key) == ["a", "v", "w"])
    }

    /// A transaction that took no effect is not seen by the next; one that did is.
    @Test func transactionsSeeWhatWentBefore() throws {
        let (found, conflicts) = try Self.applied { log in
            log.add(TestLog.transaction(12, try TestLog.verifyRead("a", [1]), TestLog.put("a", [2])))
            log.add(TestLog.transaction(12, try TestLog.verifyRead("a", [1]), TestLog.put("a", [3])))
            log.add(TestLog.transaction(14, try TestLog.verifyRead("a", [2]), TestLog.put("a", [4])))
        }
        #expect(found == [Entry("a", [4])] && conflicts)
    }

    @Test func listingsAreJudgedAsAServerJudgesThem() throws {
        let write = TestLog.put("w", [5])
        func list(_ names: [String], after: String = "", limit: Int = -1, prefix: String = "d/") throws -> [UInt8] {
            try TestLog.verifyList(prefix, after: after, limit: limit, names)
        }
        // Nothing was written below it since: whatever was noted counts.
        try Self.expect(true, "untouched") { log in
            log.put("elsewhere", [1])
            log.add(TestLog.transaction(12, try list(["nonsense"]), write))
        }
        try Self.expect(true, "the same names") { log in
            log.put("d/2", [9])
            log.add(TestLog.transaction(12, try list(["1", "2", "x/"]), write))
        }
        try Self.expect(true, "a part of them") { log in
            log.put("d/2", [9])
            log.add(TestLog.transaction(12, try list(["1", "2"], limit: 2), write))
        }
        try Self.expect(true, "those behind one") { log in
            log.put("d/2", [9])
            log.add(TestLog.transaction(12, try list(["2", "x/"], after: "1"), write))
        }
        try Self.expect(true, "all names") { log in
            log.put("d/2", [9])
            log.add(TestLog.transaction(12, try list(["a", "d/"], prefix: ""), write))
        }
        try Self.expect(false, "one more") { log in
            log.put("d/3", [9])
            log.add(TestLog.transaction(12, try list(["1", "2", "x/"]), write))
        }
        try Self.expect(false, "one less") { log in
            log.delete("d/1")
            log.add(TestLog.transaction(12, try list(["1", "2", "x/"]), write))
        }
        // What comes later is not in the data yet.
        try Self.expect(false, "a later one") { log in
            log.put("d/1", [9])
            log.add(TestLog.transaction(12, try list(["1", "x/"]), write))
            log.put("d/2", [9])
        }
        // Nor if the data has the same by chance: it lacks what the first entry wrote.
        try Self.expect(false, "a later one, the same as before") { log in
            log.put("a", [9])
            log.put("d/1", [])
            log.add(TestLog.transaction(12, try list(["1", "x/"]), write))
            log.put("d/2", [])
        }
        // It may be, as far as can be seen.
        let error = #expect(throws: StorageError.self) {
            try Self.applied { log in
                log.put("d/1", [])
                log.add(TestLog.transaction(12, try list(["1", "x/"]), write))
                log.put("d/2", [])
            }
        }
        #expect(error?.message.contains("names that later entries write") == true, "\(error.debugDescription)")
    }

    /// What was written before the data's position and after a transaction began stands in the log, or is not known.
    @Test func listingsLookAtTheLogInFrontOfTheDataToo() throws {
        let write = TestLog.put("w", [5])
        let (elsewhere, _) = try Self.applied(from: 10) { log in
            for _ in 0..<3 { log.put("elsewhere", [1]) }
            log.add(TestLog.transaction(10, try TestLog.verifyList("d/", limit: -1, ["nonsense"]), write))
        }
        #expect(elsewhere.contains { $0.key == "w" })
        let (below, conflicts) = try Self.applied(from: 10) { log in
            for _ in 0..<3 { log.put("d/1", []) }
            log.add(TestLog.transaction(10, try TestLog.verifyList("d/", limit: -1, ["nonsense"]), write))
        }
        #expect(!below.contains { $0.key == "w" } && conflicts)
        let error = #expect(throws: StorageError.self) {
            _ = try Self.applied { log in
                log.add(TestLog.transaction(10, try TestLog.verifyList("d/", limit: -1, ["nonsense"]), write))
            }
        }
        #expect(error?.message.contains("the log does not tell any more") == true, "\(error.debugDescription)")
    }
}
