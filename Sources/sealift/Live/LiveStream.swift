import HTTPServer

/// The events of one client: what has changed, until the run is over.
// Unchecked: only the thread of its connection calls it.
final class LiveStream: HTTPServerStream, @unchecked Sendable {
    /// After so long without an event a line without meaning is sent, which shows whether the client is still there.
    private static let longestSilence = Duration.seconds(10)

    private let state: LiveState
    private var versions: [String: Int] = [:]
    private var isAtEnd = false

    init(_ state: LiveState) { self.state = state }

    func next() -> [UInt8]? {
        guard !isAtEnd else { return nil }
        let begin = ContinuousClock.now
        while true {
            let (text, isOver) = state.events(since: &versions)
            isAtEnd = isOver
            if !text.isEmpty { return Array(text.utf8) }
            if ContinuousClock.now - begin >= Self.longestSilence { return Array(": \n\n".utf8) }
            state.wait()
        }
    }

    func close() { state.closeStream() }
}
