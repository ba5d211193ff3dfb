/// Tells an answer that trickles. Waiting for its first byte is no part of it: a service may think for long, and the request's
/// time-out ends that.
struct AnswerPace {
    /// 0 for any pace.
    var leastBytesPerSecond = 0
    /// How long the answer may be slower.
    var seconds = 0
    private(set) var isTooSlow = false
    private var bytes = 0
    /// When the bytes began to be counted; `nil` before the first one.
    private var start: ContinuousClock.Instant?

    var complaint: String { "it is too slow, less than \(leastBytesPerSecond) bytes a second in \(seconds) s" }

    mutating func begin() {
        isTooSlow = false
        bytes = 0
        start = nil
    }

    mutating func received(_ count: Int) {
        if start == nil { start = .now }
        bytes += count
    }

    /// To be asked about once a second or more often.
    ///
    /// - Returns: Whether the answer is to be given up.
    mutating func check() -> Bool {
        guard leastBytesPerSecond > 0, seconds > 0, let start else { return false }
        let now = ContinuousClock.now
        guard now - start >= .seconds(seconds) else { return false }
        isTooSlow = Double(bytes) < Double(leastBytesPerSecond) * ((now - start) / .seconds(1))
        bytes = 0
        self.start = now
        return isTooSlow
    }
}
