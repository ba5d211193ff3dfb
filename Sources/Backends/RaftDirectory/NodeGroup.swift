import Storage
import Synchronization

/// Nodes of one cluster that one run fills: what is the same on all voters is built once, by the first of them that is filled, and
/// copied for the others.
package final class NodeGroup: Sendable {
    private let first = Mutex<RaftDirectoryLoader?>(nil)

    package init() {}

    /// The loader that builds, for one that may copy what it has built; `nil` for the first of them, which is to build.
    func original(for loader: RaftDirectoryLoader) -> RaftDirectoryLoader? {
        first.withLock { first in
            guard let first else {
                first = loader
                return nil
            }
            return first
        }
    }

    /// Forgets a loader that is done or given up.
    func leave(_ loader: RaftDirectoryLoader) {
        first.withLock { first in
            if first === loader { first = nil }
        }
    }
}
