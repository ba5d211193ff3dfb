/// What a leader knows of the others, and what it owes.
struct Leadership: Hashable, Sendable {
    /// Where a follower stands.
    struct Progress: Hashable, Sendable {
        struct Request: Hashable, Sendable {
            let sequence: UInt64
            /// The entry behind the one that it takes for known.
            let first: UInt64
            /// The last entry that it covers.
            var last: UInt64
            let sentAt: UInt64
        }

        /// The next entry to send.
        var next: UInt64
        /// Held for certain up to here.
        var match: UInt64 = 0
        /// Appends on their way, oldest first.
        var inFlight: [Request] = []
        /// Whether it is not known yet where the logs meet: then one append goes at a time.
        var isProbing = true
        /// The snapshot on its way, if one is.
        var snapshot: Request?
        /// When it last answered anything.
        var answeredAt: UInt64
        /// The newest request that it has answered.
        var answered: UInt64 = 0
        var heartbeatAt: UInt64
        /// Nothing but heartbeats before this tick: what was sent last did not arrive.
        var pausedUntil: UInt64 = 0
    }

    struct Read: Hashable, Sendable {
        let token: UInt64
        let index: UInt64
        /// Answers to later requests than this one prove that the leader still leads.
        let after: UInt64
    }

    struct Transfer: Hashable, Sendable {
        let target: NodeID
        let deadline: UInt64
        var isAsked = false
    }

    var peers: [NodeID: Progress] = [:]
    /// The entry appended on election; nothing before it is committed by counting.
    let first: UInt64
    var reads: [Read] = []
    var transfer: Transfer?
}
