import Files
import Foundation
import Glibc
import TestSupport
import Testing

@Suite struct CachedFileTests {
    /// What is mapped and was touched stays in memory, on every file system; what is nobody's goes, where there is a disk.
    @Test(arguments: [1, 4096, 3 << 20])
    func saysWhetherAFileIsForgotten(_ size: Int) throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/file"
            try createFile(path, [UInt8](repeating: 7, count: size))
            let descriptor = open(path, O_RDONLY | O_CLOEXEC)
            defer { close(descriptor) }
            let map = try #require(mmap(nil, size, PROT_READ, MAP_SHARED, descriptor, 0))
            #expect(map.load(as: UInt8.self) == 7)
            #expect(!dropCache(ofFileAt: path))
            munmap(map, size)
            let system = try runProgram("/usr/bin/stat", ["-f", "-c", "%T", path])
            let isMemory = ["tmpfs\n", "ramfs\n"].contains(system)
            #expect(dropCache(ofFileAt: path) == !isMemory)
            #expect(try Data(contentsOf: URL(filePath: path)) == Data(repeating: 7, count: size))
        }
    }

    @Test func whatIsNotThereIsNotForgotten() throws {
        try Scratch.withFolder { folder in #expect(!dropCache(ofFileAt: "\(folder)/none")) }
    }
}
