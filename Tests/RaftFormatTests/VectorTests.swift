import RaftFormat
import TestSupport
import Testing

/// Bytes that Vault and hashicorp/raft write.
@Suite struct VectorTests {
    static let server = ClusterServer(id: "n1", address: "127.0.0.1:8201")

    @Test func recordsAreWrittenAsTheServerWritesThem() throws {
        #expect(try LogPosition(term: 2, index: 6).encoded == bytes("08 02 10 06"))
        #expect(try LogPosition(term: 1, index: 5002).encoded == bytes("08 01 10 8a 27"))
        #expect(LogPosition(term: 0, index: 0).encoded == [])
        #expect(
            try ClusterConfiguration(index: 1, servers: [Self.server]).encoded
                == bytes("08 01 12 14 12 02 6e 31 1a 0e 31 32 37 2e 30 2e 30 2e 31 3a 38 32 30 31"))
        #expect(
            try ClusterConfiguration(index: 0, servers: [ClusterServer(suffrage: .staging, id: "", address: "")])
                .encoded == bytes("12 02 08 02"))
        #expect(try LocalNodeConfiguration.voter.encoded == bytes("0a 05 76 6f 74 65 72"))
    }

    @Test func recordsAreReadBackAsTheyWere() throws {
        var random = SeededRandom(1)
        let suffrages: [ClusterServer.Suffrage] = [.voter, .nonvoter, .staging]
        for _ in 0..<500 {
            let position = LogPosition(
                term: random.next() >> UInt64(random.below(64)), index: random.next() >> UInt64(random.below(64)))
            #expect(try LogPosition(decoding: position.encoded) == position)
            let servers = (0..<random.below(6)).map { _ in
                ClusterServer(
                    suffrage: suffrages[random.below(3)], id: String(repeating: "é", count: random.below(90)),
                    address: random.below(3) == 0 ? "" : "10.0.0.\(random.below(256)):8201")
            }
            let configuration = ClusterConfiguration(index: position.index, servers: servers)
            #expect(try ClusterConfiguration(decoding: configuration.encoded) == configuration)
        }
    }

    @Test func unknownFieldsOfRecordsArePassedOver() throws {
        // Field 15 in every wire type, then index 6.
        let unknown = try bytes("7801 790102030405060708 7a0161 7d01020304 1006")
        #expect(try LogPosition(decoding: unknown) == LogPosition(term: 0, index: 6))
        #expect(try ClusterConfiguration(decoding: unknown) == ClusterConfiguration(index: 0, servers: []))
    }

    @Test(arguments: LogVector.allCases)
    func logEntriesAreRead(_ vector: LogVector) throws {
        let found = try header(bytes(vector.rawValue))
        #expect(found.index == vector.meaning.index)
        #expect(found.term == vector.meaning.term)
        #expect(found.kind == vector.meaning.kind)
    }
}
