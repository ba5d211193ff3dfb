import Dispatch
import RaftHistory
import Synchronization
import TestSupport
import Testing

@Suite struct RecorderTests {
    private static let key: [UInt8] = [0x78]

    /// A register behind a lock, and clients on several threads.
    private static func history(forgetful: Bool) -> [HistoryOperation] {
        let recorder = HistoryRecorder()
        let register = Mutex<[UInt8]?>(nil)
        DispatchQueue.concurrentPerform(iterations: 4) { client in
            var random = SeededRandom(client)
            for number in 0..<200 {
                let value = Array("\(client) \(number)".utf8)
                switch random.below(3) {
                case 0: recorder.get(key, client: client) { register.withLock { $0 } }
                case 1:
                    recorder.put(key, value, client: client) {
                        register.withLock { if !(forgetful && number % 10 == 9) { $0 = value } }
                        return .done
                    }
                    recorder.get(key, client: client) { register.withLock { $0 } }
                default:
                    let expected = recorder.get(key, client: client) { register.withLock { $0 } }
                    recorder.checkAndPut(key, expected: expected, new: value, client: client) {
                        register.withLock { held in
                            guard held == expected else { return false }
                            held = value
                            return true
                        }
                    }
                }
            }
        }
        return recorder.history
    }

    @Test func whatThreadsDoToALockedValueHasAnOrder() {
        #expect(HistoryChecker().check(Self.history(forgetful: false)) == .ordered)
    }

    @Test func aValueThatForgetsWritesHasNone() {
        guard case .violated = HistoryChecker().check(Self.history(forgetful: true)) else {
            Issue.record("accepted")
            return
        }
    }

    @Test func notesWhatIsKnownOfAWrite() {
        let recorder = HistoryRecorder()
        recorder.put(Self.key, [1], client: 1) { .notDone }
        recorder.put(Self.key, [2], client: 2) { .unknown }
        recorder.put(Self.key, nil, client: 3) { .done }
        recorder.checkAndPut(Self.key, expected: nil, new: [4], client: 4) { nil }
        recorder.checkAndPut(Self.key, expected: nil, new: [5], client: 5) { true }
        #expect(recorder.history.map(\.client) == [2, 3, 4, 5])
        #expect(recorder.history.map { $0.returned == nil } == [true, false, true, false])
        #expect(
            recorder.history.map(\.kind) == [
                .put([2]), .put(nil), .checkAndPut(expected: nil, new: [4], taken: false),
                .checkAndPut(expected: nil, new: [5], taken: true),
            ])
    }
}
