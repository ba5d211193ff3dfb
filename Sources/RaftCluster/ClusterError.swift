import LMDB
import RaftFormat
import Storage

/// A node of the Raft log store, or what one asks of it, failed.
package struct ClusterError: Error, Sendable, CustomStringConvertible {
    /// What a caller can do differently.
    package enum Code: Sendable, Equatable {
        /// Somebody else leads; the address of its API, if known.
        case notLeader(String?)
        /// Not now: no leader, leadership lost on the way, a change of membership under way. It may have taken effect.
        case unavailable
        /// What was to be written is not what can be.
        case refused
        /// The settings are wrong.
        case configuration
        /// What is on disk contradicts itself.
        case damaged
        /// No room left on the device.
        case noSpace
        case inUse
        case io
    }

    package let code: Code
    package let description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    init(_ error: LMDBError) {
        let code: Code =
            error.isFull ? .noSpace : error.isDamage ? .damaged : error.isInUse ? .inUse : .io
        let advice =
            switch code {
            case .noSpace: "Make room on the device and start the node again."
            case .damaged: "Remove this node's folder and let it join anew: the others hold its entries."
            case .inUse: "Another process has the node; stop it first."
            default: "Look at the device, then start the node again."
            }
        self.init(code, "\(error). \(advice)")
    }

    init(_ error: StorageError) {
        self.init(error.code == .noSpace ? .noSpace : .io, error.message)
    }

    static func damaged(_ path: String, _ what: String) -> ClusterError {
        ClusterError(
            .damaged,
            "\(path): \(what). Remove this node's folder and let it join anew: the others hold its entries.")
    }
}

/// Turns the library's errors into the node's.
func lmdb<Result>(_ body: () throws(LMDBError) -> Result) throws(ClusterError) -> Result {
    do throws(LMDBError) {
        return try body()
    } catch {
        throw ClusterError(error)
    }
}
