import Bolt
import RaftFormat
import TestSupport
import Testing

@Suite struct LogFileTests {
    @Test func aNewLogIsEmptyAndKeepsItsTerm() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/raft.db"
            try RaftLogFile.create(path: path, term: 1)
            try GoProgram.boltcheck.run("check", path)
            let reader = try BoltReader(path: path)
            defer { reader.close() }
            #expect(try reader.bucketNames() == [Array("conf".utf8), Array("logs".utf8)])
            #expect(try RaftLogFile.currentTerm(of: reader) == 1)
            #expect(try RaftLogFile.tail(of: reader, behind: 0) == RaftLogFile.Tail())
            #expect(reader.freeListIsPersisted)
            #expect(throws: BoltError.self) { try RaftLogFile.create(path: path, term: 1) }
        }
    }

    @Test(arguments: [(0, 7, 2, 1), (4, 7, 2, 1), (5, 6, 1, 1), (8, 3, 1, 1), (9, 2, 0, 1), (11, 0, 0, 0)])
    func theTailIsCountedBehindAnIndex(behind: Int, entries: Int, commands: Int, undecodable: Int) throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/raft.db"
            // Indexes 5 to 11.
            try GoProgram.raftcheck.run("log", path, "5", "cnbfcxn")
            let reader = try BoltReader(path: path)
            defer { reader.close() }
            let tail = try RaftLogFile.tail(of: reader, behind: UInt64(behind))
            #expect(tail.entries == entries)
            #expect(tail.commands == commands)
            #expect(tail.undecodable == undecodable)
            #expect(tail.lastIndex == (entries > 0 ? 11 : 0))
            #expect(try RaftLogFile.tail(of: reader, behind: .max) == RaftLogFile.Tail())
            #expect(try RaftLogFile.currentTerm(of: reader) == 3)
        }
    }
}
