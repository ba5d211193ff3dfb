import Foundation
import LMDB
import TestSupport
import Testing

@Suite struct EnvironmentTests {
    @Test(arguments: [false, true])
    func whatIsWrittenIsFoundAlsoAfterReopening(isDurable: Bool) throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/pairs.lmdb"
            var model = Model(seed: isDurable ? 1 : 2)
            var environment = try LMDBEnvironment(path: path, maximumBytes: 1 << 30, isDurable: isDurable)
            #expect(environment.path == path)
            for round in 0..<60 {
                try environment.write { transaction throws(LMDBError) in try model.write(to: transaction) }
                if round.isMultiple(of: 7) {
                    #expect(try contents(environment.descriptor, path) == model.pairs)
                    environment.close()
                    environment.close()
                    #expect(try contents(of: path) == model.pairs)
                    environment = try LMDBEnvironment(path: path, maximumBytes: 1 << 30, isDurable: isDurable)
                }
            }
            #expect(try contents(environment.descriptor, path) == model.pairs)
            #expect(Scratch.names(in: folder) == ["pairs.lmdb"])
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o600)
        }
    }

    /// The library maps the file: a hole in it is an error that names file and place, never a signal.
    @Test(arguments: [8192, 8292, 200_000])
    func aFileThatIsCutWhileItIsInUseIsAnError(size: Int) throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/cut.lmdb"
            let environment = try LMDBEnvironment(path: path, maximumBytes: 1 << 30, isDurable: false)
            var random = SeededRandom(6)
            func write(_ count: Int) throws(LMDBError) {
                try environment.write { transaction throws(LMDBError) in
                    for _ in 0..<count { try transaction.put(random.bytes(40), random.bytes(300)) }
                }
            }
            try write(5_000)
            #expect(truncate(path, off_t(size)) == 0)
            let error = #expect(throws: LMDBError.self) { try write(5_000) }
            #expect(error?.code == EIO && error?.path == path, "\(String(describing: error))")
            #expect(error?.reason.contains("cannot be read at byte ") == true)
            #expect(throws: LMDBError.self) { try write(1) }
        }
    }

    @Test func manyPairsMakeTreesOfSeveralLevels() throws {
        try Scratch.withFolder { folder in
            let environment = try LMDBEnvironment(
                path: "\(folder)/deep.lmdb", maximumBytes: 1 << 30, isDurable: false)
            var random = SeededRandom(4)
            var wanted: [[UInt8]: [UInt8]] = [:]
            for _ in 0..<4 {
                try environment.write { transaction throws(LMDBError) in
                    for _ in 0..<4_000 {
                        let key = random.bytes(1 + random.below(510))
                        let value = random.bytes(random.below(64))
                        wanted[key] = value
                        try transaction.put(key, value)
                    }
                }
            }
            #expect(try contents(environment.descriptor, environment.path) == wanted)
        }
    }

    @Test func whatCannotBeWrittenChangesNothing() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/full.lmdb"
            let environment = try LMDBEnvironment(path: path, maximumBytes: 1 << 20, isDurable: false)
            try environment.write { transaction throws(LMDBError) in try transaction.put([5], [1]) }
            let refused: [(key: [UInt8], count: Int, isFull: Bool)] = [
                ([4], 1, false), ([5], 1, false), ([], 1, false), ([UInt8](repeating: 7, count: 512), 0, false),
                ([7], 2 << 20, true),
            ]
            for (key, count, isFull) in refused {
                let error = #expect(throws: LMDBError.self) {
                    try environment.write { transaction throws(LMDBError) in
                        try transaction.put([1], [2])
                        try transaction.append(key, count: count) { _ in Issue.record("room for a refused pair") }
                    }
                }
                #expect(error?.isFull == isFull && error?.isInUse == false)
                #expect(error?.description.hasPrefix("\(path): mdb_put: ") == true)
                #expect(try contents(environment.descriptor, path) == [[5]: [1]])
            }
            try environment.write { transaction throws(LMDBError) in try transaction.append([6], count: 0) { _ in } }
            #expect(try contents(environment.descriptor, path) == [[5]: [1], [6]: []])
            let second = #expect(throws: LMDBError.self) {
                try LMDBEnvironment(path: path, maximumBytes: 1 << 20, isDurable: false)
            }
            #expect(second?.isInUse == true)
            #expect(throws: LMDBError.self) {
                try LMDBEnvironment(path: "\(folder)/no/such.lmdb", maximumBytes: 1 << 20, isDurable: false)
            }
            environment.close()
            #expect(throws: LMDBError.self) {
                try environment.write { transaction throws(LMDBError) in try transaction.put([9], []) }
            }
        }
    }
}

/// Pairs written in small portions: new ones, others replaced by larger and smaller ones, some appended.
struct Model {
    private(set) var pairs: [[UInt8]: [UInt8]] = [:]
    private var random: SeededRandom
    private var appended: UInt32 = 0

    init(seed: Int) { random = SeededRandom(seed) }

    mutating func write(to transaction: LMDBTransaction) throws(LMDBError) {
        for _ in 0..<(1 + random.below(12)) {
            if random.below(3) == 0 {
                appended += 1
                let key = [0xff] + withUnsafeBytes(of: appended.bigEndian) { Array($0) }
                let value = random.bytes(random.below(random.below(4) == 0 ? 60_000 : 3_000))
                try transaction.append(key, count: value.count) { $0.copyBytes(from: value) }
                pairs[key] = value
            } else {
                let key = Array("key \(random.below(60))".utf8)
                let value = random.bytes(random.below(random.below(5) == 0 ? 20_000 : 300))
                try transaction.put(key, value)
                pairs[key] = value
            }
        }
    }
}

/// All pairs of an LMDB file, found without the library.
func contents(of path: String) throws -> [[UInt8]: [UInt8]] {
    let descriptor = open(path, O_RDONLY)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    return try contents(descriptor, path)
}

func contents(_ descriptor: Int32, _ path: String) throws -> [[UInt8]: [UInt8]] {
    let pairs = try LMDBContents(descriptor: descriptor, path: path).pairs
    return try Dictionary(
        uniqueKeysWithValues: pairs.map { pair in
            var value = [UInt8](repeating: 0, count: pair.value.count)
            let outcome = value.withUnsafeMutableBytes { readFully(descriptor, at: pair.value.lowerBound, into: $0) }
            try #require(outcome == .complete)
            return (pair.key, value)
        })
}
