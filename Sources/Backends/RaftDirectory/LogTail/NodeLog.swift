import Bolt
import Glibc
import RaftFormat
import Storage

/// The log of a node's directory: the one that a server would take.
enum NodeLog {
    case open(any StoredLog)
    /// None can be read; says why, and what that means.
    case closed(String)

    /// - Throws: `.inUse` if a server has the log open.
    init(in path: String) throws(StorageError) {
        let folder = "\(path)/raft"
        let file = "\(folder)/raft.db"
        // A server takes raft.db if it is there, whatever lies beside it.
        if access(file, F_OK) == 0 {
            self = try Self.opening(file) { () throws -> NodeLog in
                guard let log = try LogDatabase(path: file) else {
                    return .closed(
                        "\(Self.unreadable): \(file) has no bucket \"logs\". Take an intact copy of the directory.")
                }
                return .open(log)
            }
            return
        }
        let number = errno
        guard number == ENOENT || number == ENOTDIR else {
            self = .closed(
                "\(file) cannot be looked at (\(systemMessage(number))): it is unknown whether the log holds "
                    + "writes that the data lacks. Run as a user who may.")
            return
        }
        let wal = "\(folder)/wal"
        if access(wal, F_OK) == 0 {
            self = try Self.opening(wal) { () throws -> NodeLog in
                guard let log = try WriteAheadLog(folder: wal) else { return .closed(Self.missing(file)) }
                return .open(log)
            }
            return
        }
        self = .closed(Self.missing(file))
    }

    private static let unreadable =
        "The log cannot be read, so it is unknown whether it holds writes that the data lacks"

    private static func missing(_ file: String) -> String {
        "\(file) is missing: writes that the node had logged and not applied yet, if any, are lost from the copy. "
            + "Copy the whole directory of the stopped node, raft/ included."
    }

    private static func opening(
        _ place: String, _ body: () throws -> NodeLog
    ) throws(StorageError) -> NodeLog {
        do {
            return try body()
        } catch let error as BoltError where error.code == .inUse {
            throw StorageError(.inUse, "\(error.path) is locked: a server runs on this directory. Stop that node.")
        } catch {
            return .closed("\(unreadable): \(error)")
        }
    }
}

/// Runs `body` and turns what the log's readers throw into errors of the storage model.
func logErrors<Result>(_ body: () throws -> Result) throws(StorageError) -> Result {
    do {
        return try body()
    } catch let error as RaftFormatError {
        throw StorageError(.damagedStore, "\(error). \(LogTailAdvice.otherwise)")
    } catch let error as BoltError {
        throw StorageError(error)
    } catch let error as StorageError {
        throw error
    } catch {
        throw StorageError(.io, "\(error)")
    }
}

/// What to do where a log's tail cannot be applied.
enum LogTailAdvice {
    static let otherwise =
        "To read the data as it stands, set apply_log = \"none\"; to have the server apply the log, start the node "
        + "once and stop it cleanly."
}
