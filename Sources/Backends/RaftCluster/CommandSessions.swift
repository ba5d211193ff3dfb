import Digest
import RaftFormat
import Storage
import Synchronization

/// Numbers of commands, so that one that is sent again takes effect once. A session is for one command at a time.
final class CommandSessions: Sendable {
    struct Session: Sendable {
        let client: [UInt8]
        var sequence: UInt64 = 0

        mutating func next() -> LogCommand.Origin {
            sequence += 1
            return LogCommand.Origin(client: client, sequence: sequence)
        }
    }

    private let free = Mutex<[Session]>([])

    func take() throws(StorageError) -> Session {
        if let session = free.withLock({ $0.popLast() }) { return session }
        do throws(DigestError) {
            return Session(client: try randomBytes(LogCommand.Origin.clientBytes))
        } catch {
            throw StorageError(.io, "\(error)")
        }
    }

    /// For the next command; one whose outcome is not known is not given back.
    func put(_ session: Session) {
        free.withLock { $0.append(session) }
    }
}
