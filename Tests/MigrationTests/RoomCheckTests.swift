import Storage
import TestSupport
import Testing

@testable import Migration

/// The arithmetic of room: figures of file systems are whatever they like.
@Suite struct RoomCheckTests {
    @Test(
        arguments: [
            (10, 4096, 100, 7, 40_960, 7), (10, 4096, 0, 0, 40_960, nil), (.max, .max, .max, .max, .max, .max),
            (1 << 62, 4, 1, 0, .max, 0), (0, 0, 5, 5, 0, 5),
        ] as [(UInt64, UInt64, UInt64, UInt64, Int, Int?)])
    func figuresAreClamped(
        blocks: UInt64, block: UInt64, all: UInt64, freeFiles: UInt64, bytes: Int, files: Int?
    ) {
        let room = FreeRoom(freeBlocks: blocks, blockBytes: block, allFiles: all, freeFiles: freeFiles)
        #expect(room.bytes == bytes)
        #expect(room.files == files)
    }

    @Test func bytesAndInodesAreBothAsked() {
        func problem(_ bytes: Int, _ files: Int?) -> String? {
            let free = FreeRoom(
                freeBlocks: UInt64(bytes), blockBytes: 1, allFiles: files == nil ? 0 : 1000,
                freeFiles: UInt64(files ?? 0))
            return RoomCheck.problem(RoomNeeded(folder: "/f", bytes: 1 << 20, files: 50), free)
        }
        #expect(problem(1 << 20, 50) == nil && problem(1 << 20, nil) == nil)
        #expect(problem(100, 50)?.contains("free, the copy needs about") == true)
        #expect(problem(1 << 20, 49)?.contains("49 inodes free") == true)
        #expect(problem(100, 49)?.contains("; and 49 inodes") == true)
        #expect(problem(100, nil)?.contains("inodes") == false)
    }

    @Test func directoriesAreCountedOnce() {
        var count = SizeCount()
        for key in ["a", "a/b", "a/b/c", "a/b/d", "a/bc/d", "b/x/y/z", "b/x/z", "c"] {
            StorageKey(key).bytes.withUnsafeBytes { count.add($0) }
        }
        // a, a/b, a/bc, b, b/x, b/x/y.
        #expect(count.size == StoreSize(entries: 8, directories: 6))
    }
}
