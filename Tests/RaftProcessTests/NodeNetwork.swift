import Foundation
import OpenBaoTestKit
import RaftFormat
import Sockets
import Synchronization

/// What lies between the nodes of a cluster: everything that one sends to another goes through here and can be held up, each
/// direction for itself. What was held up goes on its way later, as with a network that comes back.
final class NodeNetwork: Sendable {
    private struct Way: Hashable {
        let from: String
        let to: String
    }

    private struct State {
        var held: Set<Way> = []
        /// Milliseconds that everything takes, at most.
        var delay: UInt32 = 0
        var connections: [Connection] = []
    }

    private let state = Mutex(State())
    private let listeners: [Listener]

    init(between places: [LogStoreCluster.Place]) throws {
        listeners = try places.map { try Listener(HostAddress(host: "127.0.0.1", port: UInt16($0.clusterPort))) }
        for (listener, place) in zip(listeners, places) {
            Thread.detachNewThread { [self] in
                while let pending = listener.accept() {
                    Thread.detachNewThread { [self] in
                        guard let dialler = try? pending.begin(tls: nil, timeout: .seconds(5)) else { return }
                        carry(dialler, to: place)
                    }
                }
            }
        }
    }

    deinit { for listener in listeners { listener.stop() } }

    /// Holds up what goes from each of some nodes to each of others.
    func hold(from senders: [String], to receivers: [String]) {
        state.withLock { state in
            for from in senders { for to in receivers { state.held.insert(Way(from: from, to: to)) } }
        }
    }

    /// Holds up what goes between a node and others, both ways.
    func cut(_ one: String, from others: [String]) {
        hold(from: [one], to: others)
        hold(from: others, to: [one])
    }

    /// Lets everything pass, also what was held up.
    func heal() {
        state.withLock { state in
            state.held = []
            state.delay = 0
        }
    }

    /// Breaks every connection there is, whatever is on its way.
    func breakConnections() {
        let broken = state.withLock { state in
            defer { state.connections = [] }
            return state.connections
        }
        for connection in broken { connection.shutDown() }
    }

    func slow(by milliseconds: UInt32) { state.withLock { $0.delay = milliseconds } }

    private func carry(_ dialler: Connection, to place: LogStoreCluster.Place) {
        let node = HostAddress(host: "127.0.0.1", port: UInt16(place.heardPort))
        defer { dialler.shutDown() }
        // Who calls stands in the first call.
        guard let (first, id) = (try? beginning(of: dialler)) ?? nil,
            let target = try? Connection.connect(to: node, tls: nil, timeout: .seconds(5))
        else { return }
        state.withLock { $0.connections += [dialler, target] }
        defer { state.withLock { $0.connections.removeAll { $0 === dialler || $0 === target } } }
        Thread.detachNewThread { [self] in pump(target, dialler, Way(from: place.id, to: id)) }
        pump(dialler, target, Way(from: id, to: place.id), first)
    }

    private func beginning(of dialler: Connection) throws -> (bytes: [UInt8], id: String)? {
        var held: [UInt8] = []
        while let bytes = read(dialler) {
            held += bytes
            if let (request, _) = try WireRequest.decode(held[...]) {
                return (held, String(decoding: request.header.id, as: UTF8.self))
            }
        }
        return nil
    }

    private func read(_ connection: Connection) -> [UInt8]? {
        let bytes = [UInt8](unsafeUninitializedCapacity: 64 << 10) { room, count in
            count = (try? connection.read(into: UnsafeMutableRawBufferPointer(room))) ?? 0
        }
        return bytes.isEmpty ? nil : bytes
    }

    private func pump(_ source: Connection, _ target: Connection, _ way: Way, _ first: [UInt8] = []) {
        var next: [UInt8]? = first.isEmpty ? read(source) : first
        while let bytes = next {
            let delay = state.withLock { $0.delay }
            if delay > 0 { usleep(UInt32.random(in: 0...delay) * 1000) }
            while state.withLock({ $0.held.contains(way) }) { usleep(5000) }
            guard (try? target.write(bytes)) != nil else { break }
            next = read(source)
        }
        source.shutDown()
        target.shutDown()
    }
}
