import LMDB
import TestSupport
import Testing

@Suite struct EnvironmentTests {
    @Test(arguments: [false, true])
    func appendedPairsAreFoundAlsoAfterReopening(isDurable: Bool) throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/pairs.lmdb"
            var random = SeededRandom(3)
            let pairs = (0..<500).map { index -> (key: [UInt8], value: [UInt8]) in
                let size = index % 100 == 0 ? 300_000 : random.below(900)
                return ([UInt8(index >> 8), UInt8(index & 255)], random.bytes(size))
            }
            let environment = try LMDBEnvironment(path: path, maximumBytes: 64 << 20, isDurable: isDurable)
            #expect(environment.path == path)
            try environment.append(Array(pairs[..<200]))
            try environment.append(Array(pairs[200...]))
            for pair in pairs { #expect(try environment.value(of: pair.key) == pair.value) }
            #expect(try environment.value(of: [9, 9]) == nil)
            environment.close()
            environment.close()
            let again = try LMDBEnvironment(path: path, maximumBytes: 64 << 20, isDurable: isDurable)
            for pair in pairs { #expect(try again.value(of: pair.key) == pair.value) }
        }
    }

    @Test func whatCannotBeAppendedChangesNothing() throws {
        try Scratch.withFolder { folder in
            let environment = try LMDBEnvironment(path: "\(folder)/full.lmdb", maximumBytes: 1 << 20, isDurable: false)
            try environment.append([([5], [1])])
            let refused: [(pairs: [(key: [UInt8], value: [UInt8])], isFull: Bool)] = [
                ([([6], [2]), ([4], [3])], false), ([([6], [2]), ([5], [3])], false), ([([], [3])], false),
                ([([6], [2]), ([UInt8](repeating: 7, count: 512), [])], false),
                ([([6], [2]), ([7], [UInt8](repeating: 0, count: 2 << 20))], true),
            ]
            for (pairs, isFull) in refused {
                let error = #expect(throws: LMDBError.self) { try environment.append(pairs) }
                #expect(error?.isFull == isFull)
                #expect(error?.description.hasPrefix("\(folder)/full.lmdb: mdb_put: ") == true)
                #expect(try environment.value(of: [6]) == nil)
            }
            #expect(try environment.value(of: [5]) == [1])
            try environment.append([([6], [])])
            #expect(try environment.value(of: [6]) == [])
            #expect(throws: LMDBError.self) {
                try LMDBEnvironment(path: "\(folder)/no/such.lmdb", maximumBytes: 1 << 20, isDurable: false)
            }
        }
    }
}
