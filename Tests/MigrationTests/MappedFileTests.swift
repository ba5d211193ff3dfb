import Files
import Glibc
import Storage
import TestSupport
import Testing

@Suite struct MappedFileTests {
    @Test func givesTheBytesOfTheFile() throws {
        try Scratch.withFolder { folder in
            for count in [0, 1, 4096, 100_000] {
                let bytes = SeededRandom(count).firstBytes(count)
                try Scratch.write(bytes, to: "\(folder)/a")
                #expect(try withMappedFile("\(folder)/a") { (map) throws(StorageError) in Array(map) } == bytes)
            }
            for name in ["", "missing"] {
                #expect(throws: StorageError.self) {
                    try withMappedFile("\(folder)/\(name)") { (_) throws(StorageError) in }
                }
            }
        }
    }

    /// Cut below what is read, below nothing that is read, and written to in its middle.
    @Test(arguments: ["cut", "cut a little", "grow", "write"])
    func whatChangesMeanwhileDoesNotCount(_ change: String) throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/a"
            try Scratch.write(SeededRandom(1).firstBytes(1_000_000), to: path)
            // A clock of the file system that stands still would hide a write.
            usleep(20_000)
            let error = #expect(throws: StorageError.self) {
                try withMappedFile(path) { (map) throws(StorageError) in
                    _ = map[0]
                    let descriptor = open(path, O_WRONLY)
                    defer { close(descriptor) }
                    switch change {
                    case "cut": #expect(ftruncate(descriptor, 5_000) == 0)
                    case "cut a little": #expect(ftruncate(descriptor, 999_999) == 0)
                    case "grow": #expect(pwrite(descriptor, "x", 1, 1_000_000) == 1)
                    default: #expect(pwrite(descriptor, "x", 1, 500) == 1)
                    }
                    _ = map.reduce(into: 0) { $0 &+= Int($1) }
                }
            }
            #expect(
                error?.message.contains(change == "write" ? "was written to" : "was cut") == true || change == "grow")
        }
    }
}

extension SeededRandom {
    fileprivate func firstBytes(_ count: Int) -> [UInt8] {
        var random = self
        return random.bytes(count)
    }
}
