import JSON
import Synchronization

/// What the table was asked and what it did, since it was started.
final class RequestCounters: Sendable {
    /// Counts at one moment.
    struct Snapshot: Sendable, Equatable {
        /// By operation; what could not be told is under `unknown`.
        var requests: [String: Int] = [:]
        /// Requests answered with an error, by its name.
        var errors: [String: Int] = [:]
        /// Faults that were asked for and happened, by name.
        var faults: [String: Int] = [:]
        var readUnits = 0.0
        var writeUnits = 0.0
        /// Requests, and items in batches, turned away for lack of capacity or by a fault.
        var throttles = 0
        var bytesReceived = 0
        var bytesSent = 0
    }

    private let state = Mutex(Snapshot())

    var snapshot: Snapshot { state.withLock { $0 } }

    func change(_ body: (inout Snapshot) -> Void) {
        state.withLock { body(&$0) }
    }
}

extension RequestCounters.Snapshot {
    /// The form in which `GET /` answers.
    var json: [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        for (name, counts) in [("requests", requests), ("errors", errors), ("faults", faults)] {
            Array(name.utf8).withUnsafeBytes { json.name($0) }
            json.beginObject()
            for (name, count) in counts.sorted(by: { $0.key < $1.key }) {
                Array(name.utf8).withUnsafeBytes { json.name($0) }
                json.integer(count)
            }
            json.endObject()
        }
        json.name("readUnits")
        json.double(readUnits)
        json.name("writeUnits")
        json.double(writeUnits)
        json.name("throttles")
        json.integer(throttles)
        json.name("bytesReceived")
        json.integer(bytesReceived)
        json.name("bytesSent")
        json.integer(bytesSent)
        json.endObject()
        return json.bytes
    }
}
