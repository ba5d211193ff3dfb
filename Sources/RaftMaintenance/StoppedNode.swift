import Bolt
import Files
import Glibc
import RaftDirectoryBackend
import RaftFormat
package import Storage

/// The directory of a node that does not run, held so that none starts on it.
///
/// Servers take the exclusive lock of `vault.db` before anything else: as long as the shared one is held here, a server
/// that is started gives up after a second.
package final class StoppedNode: Sendable {
    /// Where the node's log is.
    enum Log: Sendable {
        case file(NodeFile)
        /// The form of newer Vaults, a folder.
        case segments
        /// There is none; a server makes an empty one.
        case missing
    }

    /// The directory, links resolved.
    package let path: String
    let folder: NodeFolder
    let raftFolder: NodeFolder?
    let vault: NodeFile
    let log: Log
    /// Sentences about what is odd in the directory and harmless.
    package let remarks: [String]

    /// - Throws: `.missingStore`, `.inUse` if a server runs on it, `.unsupported` if a link in it leads elsewhere,
    ///   `.damagedStore`.
    package init(path given: String) throws(StorageError) {
        path = resolvedPath(given)
        guard let folder = try NodeFolder(path) else {
            throw StorageError(
                .missingStore, "\(path): there is no such directory. Name the one that holds vault.db.")
        }
        self.folder = folder
        vault = try NodeFile("vault.db", in: folder)
        raftFolder = try NodeFolder("\(path)/raft")
        let hasSegments = try raftFolder?.has("wal") ?? false
        var remarks: [String] = []
        if let raftFolder, try raftFolder.has("raft.db") {
            let file = try NodeFile("raft.db", in: raftFolder)
            log = .file(file)
            remarks += file.reader.notes
            if hasSegments {
                remarks.append("\(path)/raft/wal is left as it is: servers do not look at it beside a raft.db.")
            }
        } else {
            log = hasSegments ? .segments : .missing
        }
        self.remarks = vault.reader.notes + remarks
    }

    var logFile: NodeFile? {
        if case .file(let file) = log { file } else { nil }
    }

    /// Lets go of the files: servers may start.
    package func close() {
        vault.close()
        logFile?.close()
    }

    /// A record of `vault.db`'s bucket `config`; `nil` if there is none.
    func record(_ name: [UInt8]) throws(StorageError) -> [UInt8]? {
        try storageErrors {
            guard let config = try vault.reader.bucket(StateMachineNames.config) else { return nil }
            return try name.withUnsafeBytes { name in try config.withValue(forKey: name) { Array($0) } }
        }
    }

    /// The position that the data covers; index 0 if no server has applied an entry yet.
    func position() throws(StorageError) -> LogPosition {
        guard let bytes = try record(StateMachineNames.latestIndexes) else { return LogPosition(term: 0, index: 0) }
        do throws(RaftFormatError) {
            return try LogPosition(decoding: bytes)
        } catch {
            throw StorageError(
                .damagedStore, "\(vault.path): latest_indexes: \(error). Use an intact copy or a snapshot.")
        }
    }
}
