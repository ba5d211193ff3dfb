import Foundation
import OpenBaoTestKit
import RaftClusterBackend
import Storage
import StorageTestKit
import Synchronization
import TestSupport
import Testing

/// Three real processes keep every promise, while one of them after the other is killed and started again.
@Suite(.serialized) struct RaftClusterConformanceTests {
    @Test(arguments: Promise.all)
    func keeps(_ promise: Promise) throws {
        defer { KilledCluster.noteDone(of: Promise.all.count) }
        try promise.check(RaftClusterHarness(KilledCluster.shared()))
    }
}

/// A cluster for all promises, on which no node lives long.
final class KilledCluster: Sendable {
    private struct Shared {
        var cluster: KilledCluster?
        var done = 0
    }

    private static let common = Mutex(Shared())

    static func shared() throws -> KilledCluster {
        try common.withLock { common in
            if let cluster = common.cluster { return cluster }
            let made = try KilledCluster()
            common.cluster = made
            return made
        }
    }

    /// Ends the cluster with the last promise.
    static func noteDone(of count: Int) {
        let last = common.withLock { common -> KilledCluster? in
            common.done += 1
            guard common.done == count else { return nil }
            defer { common.cluster = nil }
            return common.cluster
        }
        last?.end()
    }

    let cluster: LogStoreCluster
    private let folder: TemporaryFolder
    private let state = Mutex((isEnded: false, kills: 0))

    private init() throws {
        folder = try TemporaryFolder()
        cluster = try LogStoreCluster(3, in: folder.path)
        try cluster.form()
        Thread.detachNewThread { [weak self] in
            var number = 0
            while let self, killAndStart(number) { number = (number + 1) % 3 }
        }
    }

    /// - Returns: `false` once it is over.
    private func killAndStart(_ number: Int) -> Bool {
        usleep(1_500_000)
        // Not between the end of one and the beginning of the other.
        return state.withLock { state in
            guard !state.isEnded else { return false }
            cluster.kill(number)
            usleep(300_000)
            do {
                try cluster.start(number)
            } catch {
                Issue.record("a node that was killed does not start again: \(error)\n\(cluster.lastWords(number))")
                return false
            }
            state.kills += 1
            return true
        }
    }

    private func end() {
        let kills = state.withLock { state in
            state.isEnded = true
            return state.kills
        }
        #expect(kills > 10, "nodes were killed \(kills) times only")
        for number in 0..<3 { cluster.kill(number) }
    }
}

final class RaftClusterHarness: StorageHarness {
    let name = "raft_cluster"
    let differences: [Difference: String] = [.noEmptyKey: "LMDB keeps no empty key, and bbolt does not either"]
    /// Every one of them is on three nodes that share two processors with their killer.
    let manyEntries = 20_000
    private let cluster: KilledCluster
    private let made = Mutex(0)
    /// A store beside the first one is on a cluster of its own, of one node that lives.
    private static let second = Result {
        let folder = try TemporaryFolder()
        let cluster = try LogStoreCluster(1, in: folder.path)
        try cluster.form()
        return (folder, cluster)
    }

    init(_ cluster: KilledCluster) {
        self.cluster = cluster
    }

    private func open(_ addresses: [String]) throws -> RaftClusterBackend {
        try RaftClusterBackend(ClusterClient.Settings(addresses: addresses))
    }

    func makeEmpty() throws -> any FullStore {
        let number = made.withLock { made in
            made += 1
            return made
        }
        let places = number == 1 ? cluster.cluster.places : try Self.second.get().1.places
        let store = try open(places.map(\.api))
        var request = ScanRequest(content: .keys)
        request.pageEntries = 10_000
        var keys: [StorageKey] = []
        try store.scanAll(request) { batch in
            for index in 0..<batch.count { keys.append(StorageKey(copying: batch.key(index))) }
            return true
        }
        for key in keys { try store.delete(key) }
        return store
    }

    func reopen(_ store: any FullStore) throws -> any FullStore {
        store.close()
        return try open(store.location.split(separator: ",").map { $0.filter { $0 != " " } })
    }
}
