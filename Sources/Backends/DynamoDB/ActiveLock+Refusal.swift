import AWS
import DynamoDBFormat

extension ActiveLock {
    /// Why a migration must not start.
    ///
    /// - Parameter isSource: Whether the table is read; what a server works on is never written to.
    func refusal(_ location: String, isSource: Bool) -> String {
        let until = expires.map { "\(Timestamp(seconds: $0 / 1_000_000_000))" } ?? "unknown"
        let advice =
            isSource
            ? "To read it all the same, add -source-in-use=allow: what the server writes meanwhile may be missing."
            : "Nothing is written beside a server: if it is to keep running, name another table as destination."
        return
            "\(location) is in use: node \(holder) holds the lock of the active node until \(until) and renews it as long "
            + "as it runs. Stop every server on it and wait 15 seconds. \(advice)"
    }
}
