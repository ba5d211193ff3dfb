import RaftFormat
import TestSupport
import Testing

/// hashicorp/raft's messages as its own encoder wrote them, and hostile ones.
@Suite struct WireTests {
    private static let sender = WireHeader(id: Array("node1".utf8), address: Array("127.0.0.1:8201".utf8))
    private static let configuration =
        "81a75365727665727391" + "83a741646472657373ae3132372e302e302e313a38323031a24944a56e6f646531"
        + "a8537566667261676500"

    private static func bytes(_ hexadecimal: String) -> [UInt8] {
        let digits = Array(hexadecimal.utf8).map { $0 >= 0x61 ? $0 - 0x57 : $0 - 0x30 }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    private static let requests: [(String, WireRequest)] = [
        (
            "0089a441646472ae3132372e302e302e313a38323031a7456e7472696573c0a24944a56e6f646531"
                + "a64c6561646572ae3132372e302e302e313a38323031b14c6561646572436f6d6d6974496e64657800"
                + "ac507265764c6f67456e74727900ab507265764c6f675465726d00af50726f746f636f6c56657273696f6e03a45465726d02",
            .append(sender, term: 2, previousIndex: 0, previousTerm: 0, entries: [], commit: 0)
        ),
        (
            "0089a441646472ae3132372e302e302e313a38323031a7456e74726965739186aa417070656e6465644174a800005dc065"
                + "937d25a444617461c0aa457874656e73696f6e73c0a5496e64657802a45465726d02a45479706501a24944a56e6f6465"
                + "31a64c6561646572ae3132372e302e302e313a38323031b14c6561646572436f6d6d6974496e64657801ac507265764c"
                + "6f67456e74727901ab507265764c6f675465726d01af50726f746f636f6c56657273696f6e03a45465726d02",
            .append(
                sender, term: 2, previousIndex: 1, previousTerm: 1,
                entries: [WireEntry(type: 1, index: 2, term: 2, appendedAt: bytes("00005dc065937d25"))], commit: 1)
        ),
        (
            "0188a441646472ae3132372e302e302e313a38323031a943616e646964617465ae3132372e302e302e313a38323031a249"
                + "44a56e6f646531ac4c6173744c6f67496e64657805ab4c6173744c6f675465726d02b24c656164657273686970547261"
                + "6e73666572c2af50726f746f636f6c56657273696f6e03a45465726d03",
            .vote(sender, term: 3, lastIndex: 5, lastTerm: 2, isTransfer: false)
        ),
        (
            "0486a441646472ae3132372e302e302e313a38323031a24944a56e6f646531ac4c6173744c6f67496e64657805ab4c6173"
                + "744c6f675465726d02af50726f746f636f6c56657273696f6e03a45465726d03",
            .preVote(sender, term: 3, lastIndex: 5, lastTerm: 2)
        ),
        (
            "028ca441646472ae3132372e302e302e313a38323031ad436f6e66696775726174696f6eda0035" + configuration
                + "b2436f6e66696775726174696f6e496e64657801a24944a56e6f646531ac4c6173744c6f67496e64657809"
                + "ab4c6173744c6f675465726d02a64c6561646572ae3132372e302e302e313a38323031a55065657273c0"
                + "af50726f746f636f6c56657273696f6e03a453697a65d20012d687af536e617073686f7456657273696f6e01a45465726d03",
            .snapshot(
                sender, term: 3, lastIndex: 9, lastTerm: 2, configuration: bytes(configuration), configurationIndex: 1,
                size: 1_234_567)
        ),
        (
            "0383a441646472ae3132372e302e302e313a38323031a24944a56e6f646531af50726f746f636f6c56657273696f6e03",
            .timeoutNow(sender)
        ),
    ]

    private static let responses: [(String, WireResponse.Kind, WireResponse)] = [
        (
            "a087a441646472ae3132372e302e302e313a38323031a24944a56e6f646531a74c6173744c6f6705ae4e6f526574727942"
                + "61636b6f6666c2af50726f746f636f6c56657273696f6e03a753756363657373c3a45465726d02", .append,
            .append(sender, term: 2, last: 5, isSuccess: true, skipsBackoff: false)
        ),
        (
            "a086a441646472ae3132372e302e302e313a38323031a74772616e746564c3a24944a56e6f646531a55065657273c0af50"
                + "726f746f636f6c56657273696f6e03a45465726d03", .vote, .vote(sender, term: 3, isGranted: true)
        ),
        (
            "a085a441646472ae3132372e302e302e313a38323031a74772616e746564c3a24944a56e6f646531af50726f746f636f6c"
                + "56657273696f6e03a45465726d03", .preVote, .preVote(sender, term: 3, isGranted: true)
        ),
        ("a083a441646472c0a24944c0af50726f746f636f6c56657273696f6e00", .timeoutNow, .timeoutNow),
        (
            "a085a441646472c0a24944c0af50726f746f636f6c56657273696f6e00a753756363657373c3a45465726d06", .snapshot,
            .snapshot(term: 6, isSuccess: true)
        ),
    ]

    @Test func callsAreWrittenAsTheStockEncoderDoes() throws {
        for (hexadecimal, request) in Self.requests {
            let wanted = Self.bytes(hexadecimal)
            #expect(request.encoded == wanted, "\(request)")
            // What follows is the next call's.
            let read = try #require(try WireRequest.decode((wanted + [0, 1, 2])[...]))
            #expect(read.0 == request && read.count == wanted.count)
            for end in 0..<wanted.count { #expect(try WireRequest.decode(wanted[..<end]) == nil, "\(end) bytes") }
        }
        #expect(Self.requests.map(\.1.isHeartbeat) == [true, false, false, false, false, false])
    }

    @Test func answersAreWrittenAsTheStockEncoderDoes() throws {
        for (hexadecimal, kind, response) in Self.responses {
            let wanted = Self.bytes(hexadecimal)
            #expect(response.encoded == wanted, "\(response)")
            let read = try #require(try WireResponse.decode((wanted + [7])[...], to: kind))
            #expect(read.0 == response && read.count == wanted.count)
            for end in 0..<wanted.count { #expect(try WireResponse.decode(wanted[..<end], to: kind) == nil) }
        }
        let failure = WireResponse.failure("node is not the leader")
        #expect(
            failure.encoded == Array("\u{b6}node is not the leader".unicodeScalars.map { UInt8($0.value) }) + [0xc0])
        #expect(try WireResponse.decode(failure.encoded[...], to: .vote)?.0 == failure)
        let long = WireResponse.failure(String(repeating: "x", count: 300))
        #expect(long.encoded.prefix(3) == [0xda, 0x01, 0x2c])
        #expect(try WireResponse.decode(long.encoded[...], to: .append)?.0 == long)
    }

    /// Any order, unknown and missing fields, new string forms, other integers, a list in the order of declaration.
    @Test func otherEncodersAreUnderstood() throws {
        let swapped = Self.bytes("0482a45465726dcf0000000000000003d9024944c4056e6f646531")
        guard case .preVote(let header, 3, 0, 0)? = try WireRequest.decode(swapped[...])?.0 else {
            Issue.record("not understood")
            return
        }
        #expect(header.id == Array("node1".utf8) && header.address.isEmpty && header.version == 0)
        let list = Self.bytes("049603a56e6f646531a1780305cc02")
        #expect(
            try WireRequest.decode(list[...])?.0
                == .preVote(
                    WireHeader(id: Array("node1".utf8), address: [0x78]), term: 3, lastIndex: 5, lastTerm: 2))
        let unknown = Self.bytes("0382a15891c0a24944a178")
        #expect(
            try WireRequest.decode(unknown[...])?.0 == .timeoutNow(WireHeader(version: 0, id: [0x78], address: [])))
        // The older fields name the sender where the header does not.
        let old = Self.bytes("0182a943616e646964617465a178a45465726d04")
        #expect(
            try WireRequest.decode(old[...])?.0
                == .vote(
                    WireHeader(version: 0, id: [], address: [0x78]), term: 4, lastIndex: 0, lastTerm: 0,
                    isTransfer: false))
    }

    @Test func configurationsAreWrittenAsTheStockEncoderDoes() throws {
        let one = ClusterConfiguration(index: 7, servers: [ClusterServer(id: "node1", address: "127.0.0.1:8201")])
        #expect(one.packedServers == Self.bytes(Self.configuration))
        #expect(try ClusterConfiguration(packedServers: one.packedServers, index: 7) == one)
        let two = ClusterConfiguration(
            index: 9, servers: one.servers + [ClusterServer(suffrage: .nonvoter, id: "b", address: "[::1]:8201")])
        #expect(try ClusterConfiguration(packedServers: two.packedServers, index: 9) == two)
        let none = ClusterConfiguration(index: 0, servers: [])
        #expect(none.packedServers == Self.bytes("81a753657276657273c0"))
        #expect(try ClusterConfiguration(packedServers: none.packedServers, index: 0) == none)
        for bytes in [Self.bytes(Self.configuration).dropLast(), Self.bytes(Self.configuration) + [0]] {
            #expect(throws: RaftFormatError.self) { try ClusterConfiguration(packedServers: Array(bytes), index: 1) }
        }
        let unknown = Self.bytes("81a75365727665727391" + "81a8537566667261676509")
        #expect(throws: RaftFormatError.self) { try ClusterConfiguration(packedServers: unknown, index: 1) }
    }

    @Test func entriesKeepWhatTellsThemApart() throws {
        var random = SeededRandom(fuzz: 6)
        for _ in 0..<Effort.rounds(200) {
            let numbers: [UInt64] = [0, 1, 127, 128, 255, 256, 65_535, 65_536, 1 << 32, .max]
            func number() -> UInt64 { numbers[random.below(numbers.count)] }
            func some(_ count: Int) -> [UInt8]? { random.below(3) == 0 ? nil : random.bytes(count) }
            let entries = (0..<(1 + random.below(40))).map { _ in
                WireEntry(
                    type: number(), index: number(), term: number(),
                    data: some([0, 1, 31, 32, 300, 70_000][random.below(6)]), extensions: some(random.below(3)),
                    appendedAt: some([4, 8, 12, 15][random.below(4)]))
            }
            let request = WireRequest.append(
                Self.sender, term: number(), previousIndex: number(), previousTerm: number(), entries: entries,
                commit: number())
            let bytes = request.encoded
            #expect(try WireRequest.decode(bytes[...])?.0 == request)
        }
    }

    @Test func hostileBytesEndInAnErrorOrAMessage() throws {
        var random = SeededRandom(fuzz: 7)
        var refused = 0
        for _ in 0..<Effort.rounds(8_000) {
            let (request, answer) = (
                Self.bytes(Self.requests[random.below(Self.requests.count)].0),
                Self.responses[random.below(Self.responses.count)]
            )
            do { _ = try WireRequest.decode(random.mutated(request)[...]) } catch {
                refused += error.description.isEmpty ? 0 : 1
            }
            do { _ = try WireResponse.decode(random.mutated(Self.bytes(answer.0))[...], to: answer.1) } catch {
                refused += error.description.isEmpty ? 0 : 1
            }
        }
        #expect(refused > 1_000)
        // Sizes beyond all reason are refused at once, not waited for.
        let sizes = [
            "0081a45465726ddbffffffff", "0081a7456e7472696573ddffffffff", "00de0100", "05", "ff",
            "0081a7456e7472696573919191919191",
        ]
        for text in sizes {
            #expect(throws: RaftFormatError.self, "\(text)") { try WireRequest.decode(Self.bytes(text)[...]) }
        }
    }
}
