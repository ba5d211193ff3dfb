import Foundation
import OpenBaoTestKit
import RaftFormat
import Synchronization
import TestSupport
import Testing

extension RaftProcessTests {
    @Test func mutatedCallsOfOtherNodesChangeNothing() throws {
        let cluster = try ProcessCluster.three.get()
        try raiseTerm(in: cluster)
        let target = try cluster.follower()
        let leader = try cluster.leader()
        let before = try standing(of: cluster)
        let rejected = try metric("sealift_raft_rejected_connections_total", target, cluster)
        let port = cluster.nodes.places[target].heardPort
        let bad = Atomic<Int>(0)
        let messages = Effort.rounds(Effort.isThorough ? 200_000 : 20_000)
        DispatchQueue.concurrentPerform(iterations: 4) { worker in
            var hostile = HostileCalls(
                seed: 700 + worker, term: before.term, leader: cluster.id(leader))
            var sent = 0
            while sent < messages / 4 {
                let (bytes, count, isRefused) = hostile.next()
                sent += count
                exchange(bytes, on: port)
                if isRefused { bad.add(1, ordering: .relaxed) }
            }
        }
        for bomb in HostileCalls.bombs { exchange(bomb, on: port) }
        #expect(cluster.nodes.isRunning(target), "\(cluster.nodes.lastWords(target))")
        let expected = bad.load(ordering: .relaxed) + HostileCalls.bombs.count
        #expect(try metric("sealift_raft_rejected_connections_total", target, cluster) >= rejected + expected)
        let process = try #require(cluster.nodes.process(target))
        let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        let peak = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }?.split(separator: " ")
        #expect(try #require(peak.flatMap { Int($0[1]) }) < 256 << 10, "\(status)")
        let after = try standing(of: cluster)
        #expect(after.entries == before.entries && after.digests == before.digests, "\(before), then \(after)")
        // On a busy machine nodes elect by themselves now and then; what a call could have made them believe is far from there.
        #expect((before.term...before.term + 8).contains(after.term), "\(before), then \(after)")
        try cluster.expectSame()
    }

    /// What no hostile call may change.
    private struct Standing: Equatable {
        var term = 0
        var entries: [Int?] = []
        var digests: Set<String> = []
    }

    private func standing(of cluster: ProcessCluster) throws -> Standing {
        var standing = Standing()
        try cluster.expectSame()
        let nodes = try cluster.prove().nodes
        standing.term = nodes.compactMap { $0["term"]?.integer }.max() ?? 0
        standing.digests = Set(nodes.compactMap { $0["digest"]?.text })
        standing.entries = nodes.map { $0["entries"]?.integer }
        return standing
    }

    /// Calls of older terms are refused whatever they say, so there must be some.
    private func raiseTerm(in cluster: ProcessCluster) throws {
        for _ in 0..<3 {
            let leader = try cluster.leader()
            _ = try cluster.nodes.api(leader).send("POST", "sys/storage/raft/transfer-leadership")
            _ = try cluster.leader()
        }
    }

    private func metric(_ name: String, _ node: Int, _ cluster: ProcessCluster) throws -> Int {
        let url = "\(cluster.nodes.places[node].api)/v1/sys/metrics"
        let text = try runProgram("/usr/bin/curl", ["-sS", url])
        let line = text.split(separator: "\n").first { $0.hasPrefix("\(name) ") }
        return try #require(line.flatMap { Int($0.dropFirst(name.count + 1)) })
    }
}

/// Calls that begin as valid ones of an older term and are changed at random. What is still a valid call that may rightly change
/// something, of the present term or a later one, is left out.
struct HostileCalls {
    private var random: SeededRandom
    private let term: UInt64
    private let leader: [UInt8]

    init(seed: Int, term: Int, leader: String) {
        random = SeededRandom(fuzz: seed)
        self.term = UInt64(term)
        self.leader = Array(leader.utf8)
    }

    /// The bytes of one connection, how many calls they began as, and whether the node must refuse something in them.
    mutating func next() -> (bytes: [UInt8], count: Int, isRefused: Bool) {
        while true {
            let count = 1 + random.below(6)
            var bytes: [UInt8] = []
            for _ in 0..<count {
                bytes += random.below(12) == 0 ? random.bytes(1 + random.below(300)) : changed(valid().encoded)
            }
            if let isRefused = judge(bytes) { return (bytes, count, isRefused) }
        }
    }

    private mutating func changed(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = random.mutated(bytes)
        // Lengths of strings, lists and maps.
        if random.below(3) == 0, let place = bytes.indices.filter({ bytes[$0] >= 0x80 }).randomElement(using: &random) {
            bytes[place] = [0x8f, 0x9f, 0xbf, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xc6][random.below(10)]
        }
        return bytes
    }

    private mutating func valid() -> WireRequest {
        let header = WireHeader(
            id: random.below(3) == 0 ? random.bytes(random.below(30)) : Array("stranger".utf8),
            address: Array("127.0.0.1:1".utf8))
        let index = UInt64(random.below(50))
        switch random.below(7) {
        case 0:
            let entries = (0..<random.below(4)).map { place in
                WireEntry(index: index + 1 + UInt64(place), term: 1, data: random.bytes(random.below(200)))
            }
            return .append(header, term: 1, previousIndex: index, previousTerm: 1, entries: entries, commit: index + 9)
        case 1:
            return .append(header, term: 1, previousIndex: 0, previousTerm: 0, entries: [], commit: 0)
        case 2: return .vote(header, term: 1, lastIndex: 1 << 40, lastTerm: 1 << 30, isTransfer: random.below(2) == 0)
        case 3: return .preVote(header, term: 1, lastIndex: 1 << 40, lastTerm: 1 << 30)
        case 4: return .timeoutNow(header)
        case 5: return .describe(header, quarantine: UInt64(random.below(60)))
        default:
            return .snapshot(
                header, term: 1, lastIndex: 1 << 40, lastTerm: 1, configuration: random.bytes(random.below(60)),
                configurationIndex: 1, size: Int64(random.below(500)))
        }
    }

    /// Whether the bytes hold something that is no call, as far as that can be told; `nil` if they may rightly change something.
    private func judge(_ bytes: [UInt8]) -> Bool? {
        var rest = bytes[...]
        do {
            while let (request, count) = try WireRequest.decode(rest) {
                rest = rest.dropFirst(count)
                switch request {
                case .append(_, let term, _, _, _, _), .vote(_, let term, _, _, _): if term >= self.term { return nil }
                case .snapshot(_, let term, _, _, _, _, let size):
                    if term >= self.term { return nil }
                    guard size >= 0, size <= rest.count else { return size < 0 }
                    rest = rest.dropFirst(Int(size))
                case .timeoutNow(let header): if header.id == leader { return nil }
                case .preVote, .describe: break
                }
            }
            return false
        } catch {
            return true
        }
    }

    /// Calls that are small on the wire and would be large in memory.
    static let bombs: [[UInt8]] = [
        bomb(levels: [1024, 1024, 24]), bomb(levels: [15, 1024, 1024]),
    ]

    private static func bomb(levels: [Int]) -> [UInt8] {
        func list(_ levels: ArraySlice<Int>) -> [UInt8] {
            guard let count = levels.first else { return [7] }
            let element = list(levels.dropFirst())
            return [0xdc, UInt8(count >> 8), UInt8(count & 255)]
                + [[UInt8]](repeating: element, count: count).joined()
        }
        return [0, 0x81, 0xa7] + Array("Entries".utf8) + list(levels[...])
    }
}
