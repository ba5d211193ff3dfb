import CSystem
import Synchronization

/// Has the system forget what it holds in memory of files, one by one, right before each is read; whether it does is looked
/// at with some of them.
final class CacheDropping: Sendable {
    /// One file in this many is looked at: that takes four calls, and the forgetting one.
    private static let filesBetweenLooks = 64

    private let files = Atomic(0)
    private let isHeld = Atomic(false)

    /// Whether something was held in memory all the same.
    var hasFailed: Bool { isHeld.load(ordering: .relaxed) }

    func drop(_ descriptor: Int32) {
        let result = cs_drop_cached(descriptor)
        let number = files.wrappingAdd(1, ordering: .relaxed).oldValue
        guard result == 0 else { return isHeld.store(true, ordering: .relaxed) }
        guard number % Self.filesBetweenLooks == 0 else { return }
        if cs_cached_pages(descriptor) != 0 { isHeld.store(true, ordering: .relaxed) }
    }
}
