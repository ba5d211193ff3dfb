/// What is to go wrong, how often, and from which seed: the same seed and sequence of requests has the same faults.
package struct FaultPlan: Sendable, Equatable {
    /// Kinds of fault that strike requests at random.
    package enum Kind: String, CaseIterable, Sendable {
        /// The request is refused for lack of capacity.
        case throttle
        /// The request is answered with status 500.
        case http500
        /// The connection is closed without an answer; half of the requests were carried out nevertheless.
        case drop
        /// The answer comes late.
        case slow
        /// The connection is closed in the middle of the answer.
        case truncate
        /// The answer's checksum is wrong.
        case crc
        /// An item of a batch is left unprocessed.
        case unprocessed
    }

    /// Share of requests, 0 to 1, for `unprocessed` of items.
    var rates: [Kind: Double] = [:]
    /// Requests after which the credentials used so far have expired.
    var expiredAfter: Int?
    /// Requests after which the table that is asked for next is deleted.
    var deleteTableAfter: Int?
    /// Operations that the requester may not do.
    var denied: Set<String> = []
    /// How late a slow answer comes.
    var slowMilliseconds = 250
    var seed: UInt64 = 1

    package init() {}

    /// Whether anything is to go wrong.
    package var isEmpty: Bool {
        rates.values.allSatisfy { $0 == 0 } && expiredAfter == nil && deleteTableAfter == nil
            && denied.isEmpty
    }

    /// Whether a fault strikes.
    ///
    /// - Parameters:
    ///   - request: The request's number, from 1.
    ///   - item: Which item of a batch.
    func strikes(_ kind: Kind, request: Int, item: Int = 0) -> Bool {
        guard let rate = rates[kind], rate > 0 else { return false }
        return Double(random(kind.rawValue, request, item) >> 11) / Double(1 << 53) < rate
    }

    /// Whether a dropped request is carried out all the same.
    func isCarriedOut(request: Int) -> Bool { random("carried out", request, 0) & 1 == 1 }

    /// A number that depends on nothing but the seed and what is asked (the finaliser of MurmurHash3).
    private func random(_ purpose: String, _ request: Int, _ item: Int) -> UInt64 {
        var hash = seed &+ 0x9e37_79b9_7f4a_7c15
        func mix(_ value: UInt64) {
            hash = (hash ^ value) &* 0xff51_afd7_ed55_8ccd
            hash = (hash ^ (hash >> 33)) &* 0xc4ce_b9fe_1a85_ec53
            hash ^= hash >> 29
        }
        for byte in purpose.utf8 { mix(UInt64(byte)) }
        mix(UInt64(truncatingIfNeeded: request))
        mix(UInt64(truncatingIfNeeded: item))
        return hash
    }
}
