import LMDB
import TestSupport
import Testing

/// Reads, cursors, deletes and named tables, held against a sorted array.
@Suite struct TableTests {
    private struct Pair: Equatable {
        var key: [UInt8]
        var value: [UInt8]
    }

    private static func withEnvironment(
        _ names: [String] = [], _ body: (LMDBEnvironment, String) throws -> Void
    ) throws {
        try Scratch.withFolder { folder in
            let environment = try LMDBEnvironment(
                path: "\(folder)/data.lmdb", maximumBytes: 64 << 20, isDurable: false, tables: names)
            try body(environment, folder)
            environment.close()
        }
    }

    private static func pairs(_ snapshot: LMDBSnapshot, _ table: LMDBTable? = nil) throws(LMDBError) -> [Pair] {
        var found: [Pair] = []
        try snapshot.forEach(in: table) { key, value in
            found.append(Pair(key: Array(key), value: Array(value)))
            return true
        }
        return found
    }

    /// The same changes made to a table and to a dictionary.
    @Test(arguments: 1...6)
    func anyChangesAreReadBack(seed: Int) throws {
        try Self.withEnvironment { environment, _ in
            var random = SeededRandom(seed)
            var model: [[UInt8]: [UInt8]] = [:]
            func key() -> [UInt8] { random.bytes(1 + random.below(3)).map { $0 % 8 } }
            for _ in 0..<40 {
                var expected = model
                try environment.write { transaction throws(LMDBError) in
                    for _ in 0..<random.below(30) {
                        switch random.below(6) {
                        case 0:
                            let key = key()
                            let wasThere = try transaction.delete(key)
                            #expect(wasThere == (expected.removeValue(forKey: key) != nil))
                        case 1:
                            let bounds = [key(), key()].sorted { $0.lexicographicallyPrecedes($1) }
                            let gone = expected.keys.filter {
                                !$0.lexicographicallyPrecedes(bounds[0]) && $0.lexicographicallyPrecedes(bounds[1])
                            }
                            let count = try transaction.delete(from: bounds[0], to: bounds[1])
                            #expect(count == gone.count)
                            for key in gone { expected[key] = nil }
                        default:
                            let (key, value) = (key(), random.bytes(random.below(random.below(9) == 0 ? 9000 : 40)))
                            try transaction.put(key, value)
                            expected[key] = value
                        }
                    }
                    // What the transaction has changed is seen in it.
                    let count = try transaction.snapshot.count()
                    #expect(count == expected.count)
                }
                model = expected
                let sorted = model.map { Pair(key: $0.key, value: $0.value) }
                    .sorted { $0.key.lexicographicallyPrecedes($1.key) }
                try environment.read { snapshot throws(LMDBError) in
                    let found = try Self.pairs(snapshot)
                    #expect(found == sorted)
                    let bound = key()
                    var ahead: [Pair] = []
                    try snapshot.forEach(from: bound) { key, value in
                        ahead.append(Pair(key: Array(key), value: Array(value)))
                        return ahead.count < 5
                    }
                    #expect(ahead == Array(sorted.filter { !$0.key.lexicographicallyPrecedes(bound) }.prefix(5)))
                    var behind: [Pair] = []
                    try snapshot.forEachDescending(before: bound) { key, value in
                        behind.append(Pair(key: Array(key), value: Array(value)))
                        return true
                    }
                    #expect(behind == sorted.filter { $0.key.lexicographicallyPrecedes(bound) }.reversed())
                    let one = try snapshot.value(of: bound)
                    #expect(one == model[bound])
                }
            }
        }
    }

    @Test func namedTablesAreApartAndThereAgain() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/data.lmdb"
            let names = ["log", "stable"]
            let environment = try LMDBEnvironment(path: path, maximumBytes: 1 << 20, isDurable: true, tables: names)
            let (log, stable) = (environment.tables[0], environment.tables[1])
            try environment.write { transaction throws(LMDBError) in
                for index in 0..<100 as Range<UInt8> { try transaction.put([index], [index, 1], in: log) }
                try transaction.put([7], [2], in: stable)
                try transaction.delete(from: [10], to: [90], in: log)
            }
            environment.close()
            let again = try LMDBEnvironment(path: path, maximumBytes: 1 << 20, isDurable: true, tables: names)
            defer { again.close() }
            try again.read { snapshot throws(LMDBError) in
                let kept = try Self.pairs(snapshot, again.tables[0]).map { $0.key[0] }
                #expect(kept == Array(0..<10) + Array(90..<100))
                let values = try [
                    snapshot.value(of: [7], in: again.tables[0]), snapshot.value(of: [7], in: again.tables[1]),
                    snapshot.value(of: [8], in: again.tables[1]),
                ]
                #expect(values == [[7, 1], [2], nil])
            }
        }
    }

    @Test func whatFailedIsNotKeptAndNothingIsReadAfterClosing() throws {
        try Self.withEnvironment { environment, _ in
            #expect(throws: LMDBError.self) {
                try environment.write { transaction throws(LMDBError) in
                    try transaction.put([1], [1])
                    try transaction.put([], [1])
                }
            }
            try environment.read { snapshot throws(LMDBError) in
                let (count, value) = (try snapshot.count(), try snapshot.value(of: [1]))
                #expect(count == 0 && value == nil)
            }
            environment.close()
            #expect(throws: LMDBError.self) {
                try environment.read { snapshot throws(LMDBError) in try snapshot.count() }
            }
        }
    }
}
