import DynamoDBFormat
import Synchronization

/// What requests consumed of one table, in capacity units.
struct Consumption: Equatable {
    var read = 0.0
    var write = 0.0

    /// One read of so many bytes in all; reading nothing costs as much as the smallest item.
    static func read(bytes: Int, consistent: Bool) -> Consumption {
        let units = Double(max(CapacityRules.roundedUp(bytes, CapacityRules.bytesPerReadUnit), 1))
        return Consumption(read: consistent ? units : units / 2)
    }

    /// One write; the larger of the item before and after counts.
    static func write(bytes: Int) -> Consumption {
        Consumption(write: Double(max(CapacityRules.roundedUp(bytes, CapacityRules.bytesPerWriteUnit), 1)))
    }

    static func += (left: inout Consumption, right: Consumption) {
        left.read += right.read
        left.write += right.write
    }
}

/// Throttles tables with provisioned capacity: a token bucket for reads and one for writes each.
///
/// A request is let through while its bucket is not empty, and what it then consumed is taken out, into debt if need
/// be: what a read consumes is known only afterwards.
final class CapacityMeter: Sendable {
    /// Seconds of unused capacity that DynamoDB keeps for bursts (Developer Guide, "Burst capacity").
    private static let burstSeconds = 300.0

    private struct Bucket {
        var tokens: Double
        var updated: Double
    }

    private struct Buckets {
        var read: Bucket?
        var write: Bucket?
    }

    private let buckets = Mutex<[Int: Buckets]>([:])
    private let keptSeconds: Double
    private let clock: @Sendable () -> Double

    /// - Parameters:
    ///   - allowsBursts: Whether unused capacity is kept for five minutes, else for one second.
    ///   - clock: Seconds from any start that never go back.
    init(allowsBursts: Bool, clock: @escaping @Sendable () -> Double) {
        keptSeconds = allowsBursts ? Self.burstSeconds : 1
        self.clock = clock
    }

    /// Whether a read may start.
    func mayRead(_ table: TableDefinition) -> Bool {
        guard case .provisioned(let rate, _) = table.billing else { return true }
        return buckets.withLock { refilled(&$0[table.number, default: Buckets()].read, Double(rate)) > 0 }
    }

    /// Whether a write may start.
    func mayWrite(_ table: TableDefinition) -> Bool {
        guard case .provisioned(_, let rate) = table.billing else { return true }
        return buckets.withLock { refilled(&$0[table.number, default: Buckets()].write, Double(rate)) > 0 }
    }

    /// Takes out what was consumed.
    func take(_ consumption: Consumption, from table: TableDefinition) {
        guard case .provisioned(let read, let write) = table.billing else { return }
        buckets.withLock { buckets in
            _ = refilled(&buckets[table.number, default: Buckets()].read, Double(read))
            _ = refilled(&buckets[table.number, default: Buckets()].write, Double(write))
            buckets[table.number]?.read?.tokens -= consumption.read
            buckets[table.number]?.write?.tokens -= consumption.write
        }
    }

    /// Forgets a table that is gone or was changed.
    func forget(_ table: TableDefinition) {
        buckets.withLock { $0[table.number] = nil }
    }

    private func refilled(_ bucket: inout Bucket?, _ rate: Double) -> Double {
        let now = clock()
        // A table that nobody has used yet has all its burst capacity.
        let before = bucket ?? Bucket(tokens: rate * keptSeconds, updated: now)
        let tokens = min(before.tokens + (now - before.updated) * rate, rate * keptSeconds)
        bucket = Bucket(tokens: tokens, updated: now)
        return tokens
    }
}
