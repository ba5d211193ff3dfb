import Storage
import Synchronization

/// Entries that a scan could not read.
final class UnreadableEntries: Sendable {
    /// Beyond this the store as a whole is taken for damaged.
    private static let maximum = 100_000
    private static let maximumMessages = 100

    private struct State {
        var keys: [StorageKey: Bool] = [:]
        var messages: [String] = []
    }

    private let state = Mutex(State())

    /// Notes an entry; `false` if the scan should end with the error.
    func add(_ error: StorageError) -> Bool {
        guard let key = error.key else { return false }
        return state.withLock { state in
            guard state.keys.count < Self.maximum else { return false }
            state.keys[key] = state.keys[key] ?? false
            if state.messages.count < Self.maximumMessages { state.messages.append(error.message) }
            return true
        }
    }

    /// Whether the key is one of them; it is then taken for judged.
    func contains(_ key: UnsafeRawBufferPointer) -> Bool {
        state.withLock { state in
            guard !state.keys.isEmpty else { return false }
            let key = StorageKey(copying: key)
            guard state.keys[key] != nil else { return false }
            state.keys[key] = true
            return true
        }
    }

    /// All of them.
    var keys: [StorageKey] { state.withLock { Array($0.keys.keys) } }

    func notAmended() -> [StorageKey] {
        state.withLock { $0.keys.filter { !$0.value }.keys.sorted() }
    }

    var isEmpty: Bool { state.withLock { $0.keys.isEmpty } }

    var messages: [String] { state.withLock { $0.messages } }
}
