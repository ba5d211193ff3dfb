/// Time-outs, in ticks; the relations are hashicorp/raft's: both time-outs are drawn anew from [T, 2T).
package struct RaftTiming: Hashable, Sendable {
    /// A follower that hears nothing for so long stands for election.
    package var heartbeatTimeout: UInt64
    /// A candidate that is not elected within this begins again.
    package var electionTimeout: UInt64
    /// A leader that a majority has not answered within this steps down; at most the heartbeat time-out.
    package var leaseTimeout: UInt64
    /// Between two heartbeats.
    package var heartbeatInterval: UInt64
    /// An append without an answer for so long is taken for lost.
    package var retryTimeout: UInt64
    /// Entries in one message.
    package var mostEntries: Int
    /// Messages with entries that may be on their way to one follower.
    package var mostInFlight: Int

    package init(
        heartbeatTimeout: UInt64 = 100, electionTimeout: UInt64 = 100, leaseTimeout: UInt64 = 50,
        heartbeatInterval: UInt64 = 10, retryTimeout: UInt64 = 40, mostEntries: Int = 64, mostInFlight: Int = 2
    ) {
        self.heartbeatTimeout = heartbeatTimeout
        self.electionTimeout = electionTimeout
        self.leaseTimeout = leaseTimeout
        self.heartbeatInterval = heartbeatInterval
        self.retryTimeout = retryTimeout
        self.mostEntries = mostEntries
        self.mostInFlight = mostInFlight
    }
}

/// Numbers that follow from a seed (SplitMix64): all the chance there is in a node.
struct Draw: Hashable, Sendable {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    /// A number from [bound, 2 * bound).
    mutating func spread(_ bound: UInt64) -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        mixed ^= mixed >> 31
        return bound + mixed % max(bound, 1)
    }
}
