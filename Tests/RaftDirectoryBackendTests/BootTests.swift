import RaftDirectoryBackend
import Storage
import TestSupport
import Testing

/// A node of hashicorp/raft starts on what was built.
@Suite struct BootTests {
    @Test(arguments: [0, 3_000])
    func aRealNodeElectsItselfAndWritesBehindTheData(count: Int) throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/raft"
            try build(destination(path), sampleEntries(count, seed: 30))
            let last = count + 2
            #expect(
                try GoProgram.raftcheck.run("boot", path, "node1") == """
                    local voter
                    entries \(count)
                    snapshot \(last) term 1
                    configuration 1 Voter node1 10.0.0.11:8201
                    log term 1 first 0 last 0
                    existing state true
                    committed \(last + 2)
                    before it \(last + 1) type 1 term 2
                    applied [\(last + 2)]

                    """)
            // The node's own entry now stands behind the data, and a look at the directory says so.
            let store = try RaftDirectoryBackend(path: path)
            let finding = try #require(try store.sourceFindings().first)
            #expect(finding.message.contains("2 entries behind the data, \(last + 1) to \(last + 2); 1 of them"))
            #expect(try entries(of: store) == sampleEntries(count, seed: 30))
        }
    }
}
