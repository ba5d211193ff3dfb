import RaftCore
package import Sockets

/// How a node of the Raft log store is set up.
package struct NodeOptions: Sendable {
    /// The node's folder.
    package var path: String
    /// The node's name; that of the folder's `node-id`, or a new one, if `nil`.
    package var id: String?
    /// Where others reach it.
    package var address: HostAddress
    /// Where it listens for them.
    package var listenAddress: HostAddress
    /// Where its API is, for others to name.
    package var apiAddress: String
    /// Stretches the time-outs of 1 s for heartbeats and elections and of 0.5 s for the leader's lease.
    package var multiplier = 5.0
    /// Entries kept in the log behind what the state machine holds.
    package var trailingLogs: UInt64 = 10_240
    /// Entries after which the log is looked at.
    package var snapshotThreshold: UInt64 = 8192
    /// Bytes of the log beyond which fewer entries are kept.
    package var mostLogBytes = 128 << 20
    /// Whether it is to get a vote once it has joined and caught up.
    package var wantsVote = true
    /// Whether an empty folder becomes a cluster of one.
    package var bootstraps = false
    /// Certificates for connections among nodes, asked for each one; `nil` for none.
    package var tls: @Sendable () -> TLSSettings? = { nil }
    /// The name in the other nodes' certificates; that of their addresses if `nil`.
    package var serverName: String?

    package init(path: String, address: HostAddress, listenAddress: HostAddress, apiAddress: String) {
        self.path = path
        self.address = address
        self.listenAddress = listenAddress
        self.apiAddress = apiAddress
    }

    /// Length of a tick of the core.
    static let tick = Duration.milliseconds(10)

    /// Time-outs as hashicorp/raft has them.
    var timing: RaftTiming {
        func ticks(_ seconds: Double) -> UInt64 { UInt64(max(1, (seconds * multiplier * 100).rounded())) }
        return RaftTiming(
            heartbeatTimeout: ticks(1), electionTimeout: ticks(1), leaseTimeout: ticks(0.5),
            heartbeatInterval: min(10, ticks(0.1)), retryTimeout: 1000, mostEntries: 16, mostInFlight: 4)
    }
}
