import Foundation
import RaftClusterBackend
import RaftHistory
import Storage
import StorageTestKit
import Synchronization
import TestSupport
import Testing

/// Clients on threads of their own that read and write a few keys and note what they saw, and leave entries that nobody
/// touches again.
final class ClientLoad: Sendable {
    private struct State {
        var isEnding = false
        var running = 0
        var clients = 0
        /// Entries that were acknowledged and that nobody writes again.
        var kept: [StorageKey: [UInt8]] = [:]
        var acknowledged = 0
    }

    private let name: String
    private let recorder = HistoryRecorder()
    private let state = Mutex(State())

    /// - Parameter name: The folder of the keys; another one for each history.
    init(_ name: String) { self.name = name }

    /// How long a client waits for an answer before it takes the outcome for unknown.
    private static let patience = Duration.seconds(4)
    private static let keys = 3

    static func store(_ addresses: [String], patience: Duration = patience) throws -> RaftClusterBackend {
        var settings = ClusterClient.Settings(addresses: addresses)
        settings.patience = patience
        return try RaftClusterBackend(settings)
    }

    /// Begins clients that know some of the nodes, each another one first.
    func begin(_ count: Int, on addresses: [String]) throws {
        for turn in 0..<count {
            let from = turn % addresses.count
            let store = try Self.store(Array(addresses[from...] + addresses[..<from]))
            let number = state.withLock { state in
                state.clients += 1
                state.running += 1
                return state.clients
            }
            Thread.detachNewThread { [self] in
                run(number, store)
                state.withLock { $0.running -= 1 }
            }
        }
    }

    /// Waits until as many writes more were acknowledged.
    func go(on writes: Int) throws {
        let goal = state.withLock { $0.acknowledged } + writes
        try waitUntil("\(writes) more writes acknowledged") { state.withLock { $0.acknowledged } >= goal }
    }

    private func run(_ client: Int, _ store: RaftClusterBackend) {
        var random = SeededRandom(client)
        var seen: [StorageKey: [UInt8]] = [:]
        var number = 0
        while !state.withLock({ $0.isEnding }) {
            number += 1
            let key = StorageKey("\(name)/key/\(random.below(Self.keys))")
            let value = Array("\(client)/\(number)".utf8)
            switch random.below(8) {
            case 0...2: seen[key] = read(key, client, store) ?? seen[key]
            case 3: if write(key, value, client, store) { seen[key] = value }
            case 4, 5: if replace(key, seen[key], value, client, store) { seen[key] = value }
            default: keep(StorageKey("\(name)/kept/\(client)/\(number)"), value, client, store)
            }
            usleep(3000)
        }
        store.close()
    }

    private func read(_ key: StorageKey, _ client: Int, _ store: RaftClusterBackend) -> [UInt8]? {
        (try? recorder.get(key.bytes, client: client) { try store.get(key) }) ?? nil
    }

    private func write(_ key: StorageKey, _ value: [UInt8], _ client: Int, _ store: RaftClusterBackend) -> Bool {
        let outcome = recorder.put(key.bytes, value, client: client) {
            (try? store.put(key, value)) == nil ? .unknown : .done
        }
        if case .done = outcome { state.withLock { $0.acknowledged += 1 } }
        return if case .done = outcome { true } else { false }
    }

    private func replace(
        _ key: StorageKey, _ expected: [UInt8]?, _ value: [UInt8], _ client: Int, _ store: RaftClusterBackend
    ) -> Bool {
        let isTaken = recorder.checkAndPut(key.bytes, expected: expected, new: value, client: client) {
            try? store.replace(key, expected, with: value)
        }
        if isTaken == true { state.withLock { $0.acknowledged += 1 } }
        return isTaken == true
    }

    private func keep(_ key: StorageKey, _ value: [UInt8], _ client: Int, _ store: RaftClusterBackend) {
        guard (try? store.put(key, value)) != nil else { return }
        state.withLock { state in
            state.kept[key] = value
            state.acknowledged += 1
        }
    }

    /// Ends the clients, looks at every key once more, and demands that the history could be that of one copy and that nothing
    /// acknowledged is missing.
    func end(on addresses: [String], sourceLocation: SourceLocation = #_sourceLocation) throws {
        state.withLock { $0.isEnding = true }
        try waitUntil("all clients end") { state.withLock { $0.running } == 0 }
        let store = try Self.store(addresses, patience: .seconds(60))
        for number in 0..<Self.keys {
            let key = StorageKey("\(name)/key/\(number)")
            _ = try recorder.get(key.bytes, client: 0) { try store.get(key) }
        }
        #expect(HistoryChecker().check(recorder.history) == .ordered, sourceLocation: sourceLocation)
        var found: [StorageKey: [UInt8]] = [:]
        for entry in try entries(of: store) { found[entry.key] = entry.value }
        let lost = state.withLock { $0.kept }.filter { found[$0.key] != $0.value }
        #expect(lost.isEmpty, "acknowledged and lost: \(lost.keys.sorted().prefix(9))", sourceLocation: sourceLocation)
        store.close()
    }
}
