import Foundation
import LMDB
import TestSupport
import Testing

/// Files that are not what the library wrote.
@Suite struct DamageTests {
    private static let pageSize = 4096

    /// A file with a free list, several leaves and large values.
    private static func sample(in folder: String) throws -> [UInt8] {
        let path = "\(folder)/sample.lmdb"
        let environment = try LMDBEnvironment(path: path, maximumBytes: 1 << 30, isDurable: false)
        var model = Model(seed: 9)
        for _ in 0..<14 {
            try environment.write { transaction throws(LMDBError) in try model.write(to: transaction) }
        }
        environment.close()
        return try Scratch.bytes(path)
    }

    /// Reads a file, and if it passes gives it to the library to write more: the file must still be whole then.
    private static func readsOrRefuses(_ bytes: [UInt8], _ path: String, _ note: String) throws -> Bool {
        try Scratch.write(bytes, to: path)
        do {
            _ = try contents(of: path)
        } catch let error as LMDBError {
            #expect(error.isDamage, "\(note): \(error)")
            #expect(countsOfOneInThePlural(in: error.description).isEmpty, "\(note): \(error)")
            #expect(error.description.hasPrefix(path))
            return false
        }
        let environment = try LMDBEnvironment(path: path, maximumBytes: 1 << 30, isDurable: false)
        for _ in 0..<3 {
            try environment.write { transaction throws(LMDBError) in
                try transaction.put([0xff, 0xff, 0xff], [UInt8](repeating: 1, count: 9_000))
                try transaction.put([1], [1])
                for index in 0..<20 { try transaction.put(Array("key \(index)".utf8), [2]) }
            }
        }
        _ = try contents(environment.descriptor, path)
        environment.close()
        try FileManager.default.removeItem(atPath: path)
        return true
    }

    /// Every byte of the meta pages, and of the heads and offsets of all pages, set to other values.
    @Test(arguments: [0x01, 0x80, 0xff] as [UInt8])
    func everyHeadOfAPageIsChecked(mask: UInt8) throws {
        try Scratch.withFolder { folder in
            let bytes = try Self.sample(in: folder)
            var refused = 0
            var tried = 0
            for page in 0..<(bytes.count / Self.pageSize) where isHead(page, of: bytes) {
                let step = page < 2 ? 1 : 3
                for offset in stride(from: page % step, to: page < 2 ? 152 : 40, by: step) {
                    var damaged = bytes
                    damaged[page * Self.pageSize + offset] ^= mask
                    tried += 1
                    let note = "page \(page), byte \(offset)"
                    if try !Self.readsOrRefuses(damaged, "\(folder)/damaged.lmdb", note) { refused += 1 }
                }
            }
            #expect(tried > 300 && refused > 50)
        }
    }

    /// Whether a page begins with its own number, as all do but those behind the first of a large value.
    private func isHead(_ page: Int, of bytes: [UInt8]) -> Bool {
        let start = page * Self.pageSize
        let number = bytes[start..<(start + 8)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        return number == page
    }

    @Test(arguments: 1...4)
    func anyBytesEndInAnErrorOrAWholeTable(seed: Int) throws {
        try Scratch.withFolder { folder in
            let bytes = try Self.sample(in: folder)
            var random = SeededRandom(fuzz: seed)
            for round in 0..<Effort.rounds(150) {
                var damaged = bytes
                switch round % 4 {
                case 0: damaged.removeLast(1 + random.below(damaged.count - 1))
                case 1:
                    // A page in the place of another.
                    let from = random.below(bytes.count / Self.pageSize) * Self.pageSize
                    let to = random.below(bytes.count / Self.pageSize) * Self.pageSize
                    damaged.replaceSubrange(to..<(to + Self.pageSize), with: bytes[from..<(from + Self.pageSize)])
                default:
                    for _ in 0...random.below(6) {
                        let page = random.below(bytes.count / Self.pageSize)
                        damaged[page * Self.pageSize + random.below(random.below(2) == 0 ? 200 : Self.pageSize)] =
                            UInt8(random.below(256))
                    }
                }
                _ = try Self.readsOrRefuses(damaged, "\(folder)/damaged.lmdb", "round \(round)")
            }
        }
    }

    @Test func whatIsNoFileOfTheLibraryIsRefused() throws {
        try Scratch.withFolder { folder in
            var random = SeededRandom(3)
            for bytes in [[], [1], random.bytes(1023), random.bytes(50_000), [UInt8](repeating: 0, count: 9_000)] {
                let isRead = try Self.readsOrRefuses(bytes, "\(folder)/foreign", "\(bytes.count) bytes")
                #expect(!isRead)
            }
            let error = #expect(throws: LMDBError.self) { try contents(of: folder) }
            #expect(error?.isDamage == true)
        }
    }
}
