import RaftFormat
import TestSupport
import Testing

/// Headers of tar archives, as Python's reader understands them.
@Suite struct TarHeaderTests {
    @Test(arguments: [0, 1, 1 << 20, (1 << 33) - 1, 1 << 33, 1 << 40])
    func anotherReaderTakesThem(_ size: Int) throws {
        var header = TarHeader("raft/raft.db")
        (header.size, header.mode, header.time) = (size, 0o640, 1_700_000_000)
        (header.user, header.group) = (1_234, 1 << 22)
        let hex = header.bytes.map { String(UInt16($0) + 256, radix: 16).suffix(2) }.joined()
        let program = """
            t = __import__('tarfile').TarInfo.frombuf(bytes.fromhex('\(hex)'), 'utf-8', 'strict')
            print(t.name, t.size, oct(t.mode), t.uid, t.gid, t.mtime, t.isreg())
            """
        let shown = try runProgram("/usr/bin/env", ["python3", "-c", program], [:])
        #expect(shown == "raft/raft.db \(size) 0o640 1234 0 1700000000 True\n")
    }

    @Test func contentsArePaddedToBlocks() {
        #expect([0, 1, 511, 512, 513].map { TarHeader.padding($0) } == [0, 511, 1, 0, 511])
    }
}
