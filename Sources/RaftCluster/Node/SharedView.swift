import Files
import Glibc
import RaftCore
import RaftFormat
import Storage
import Synchronization
import Telemetry

/// How a node stands, as its core's thread last said; read from any thread.
final class SharedView: Sendable {
    struct View: Sendable {
        var term: UInt64 = 0
        var isLeader = false
        var isCandidate = false
        var leader: NodeID?
        var membership = Membership()
        var membershipIndex: UInt64 = 0
        var lastIndex: UInt64 = 0
        var baseIndex: UInt64 = 0
        var commitIndex: UInt64 = 0
        /// Why it takes no part any more.
        var problem: String?

        /// As servers name it.
        var state: String { isLeader ? "Leader" : isCandidate ? "Candidate" : "Follower" }
    }

    private let view: Mutex<View>

    init(_ view: View) {
        self.view = Mutex(view)
    }

    var value: View { view.withLock { $0 } }

    func set(_ new: View) {
        view.withLock { view in
            let problem = view.problem
            view = new
            view.problem = new.problem ?? problem
        }
    }

    func setProblem(_ problem: String) { view.withLock { $0.problem = $0.problem ?? problem } }
}

/// A node whose entries differ from those of the majority takes no part any more, also after a restart.
final class Quarantine: Sendable {
    private let path: String
    private let logger: Logger
    private let index: Mutex<UInt64?>

    /// The file in a node's folder that says so.
    static let fileName = "quarantined"

    init(_ folder: String, _ logger: Logger) {
        path = "\(folder)/\(Self.fileName)"
        self.logger = logger
        index = Mutex(Self.noted(in: folder))
    }

    /// The entry at which the node in a folder was found to differ; 0 if the file does not tell, `nil` if there is none.
    static func noted(in folder: String) -> UInt64? {
        guard let file = fopen("\(folder)/\(fileName)", "re") else { return errno == ENOENT ? nil : 0 }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = fread(&bytes, 1, bytes.count, file)
        return UInt64(String(decoding: bytes.prefix(count).prefix { $0 > 0x20 }, as: UTF8.self)) ?? 0
    }

    /// Why the node takes no part; `nil` if it does.
    var reason: String? {
        index.withLock { $0 }.map {
            "This node is quarantined: at entry \($0) it held other entries than the majority. Stop it, remove its folder and "
                + "let it join anew."
        }
    }

    /// Takes the node out, durably.
    func impose(_ at: UInt64) {
        let isNew = index.withLock { index in
            defer { index = index ?? at }
            return index == nil
        }
        guard isNew else { return }
        logger.error(
            "quarantined: the entries differ from those of the majority", ["index": .integer(Int(clamping: at))])
        do throws(StorageError) {
            try replaceFile(path, Array("\(at)\n".utf8))
        } catch {
            logger.error("the quarantine was not noted", ["error": .string("\(error)")])
        }
    }
}
