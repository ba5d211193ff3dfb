package import Bolt
import Digest
import Glibc
import RaftDirectoryBackend
package import Storage
import Telemetry
import Wording

/// Writes the files of a stopped node anew, dense and in key order, and puts them in place of the old ones once they are
/// proven to hold the same.
///
/// `raft.db` comes first and `vault.db` last: the lock of the old `vault.db` keeps servers away until both are in place.
package struct Compaction {
    /// One file of the node, as it is and as it would be.
    package struct File: Sendable {
        /// From the directory on: `vault.db` or `raft/raft.db`.
        package let name: String
        package let shape: BoltShape
        /// Whether it would become smaller; else it is left as it is.
        package var isWorthwhile: Bool { shape.givenBackBytes > 0 }
    }

    /// What became of one file.
    package struct Result: Sendable {
        package let file: File
        /// Bytes of the file that stands there now.
        package let bytes: Int
        package let entries: Int
        /// SHA-256 of what the old and the new file both hold; `nil` if the file was left as it is.
        package let digest: String?
        /// Where the old file is; `nil` if it was removed, or left.
        package var oldPath: String?
        package var isReplaced: Bool { digest != nil }
    }

    /// Room for folders, the mark and the system's own needs.
    private static let spareBytes = 1 << 20
    /// Longer than any server waits for the lock of a file that it has opened: a second (`vault-raft` and OpenBao's
    /// `physical/raft/fsm.go`). Whoever opened the old file before it was replaced must not get its lock.
    static let graceMicroseconds: useconds_t = 2_000_000

    private let node: StoppedNode
    private let isCancelled: @Sendable () -> Bool
    private let stage: (MaintenanceStage) -> Void

    /// - Parameters:
    ///   - isCancelled: Asked now and then; `true` ends what goes on, with `.cancelled`.
    ///   - stage: Told of what begins.
    package init(
        _ node: StoppedNode, isCancelled: @escaping @Sendable () -> Bool, stage: @escaping (MaintenanceStage) -> Void
    ) {
        self.node = node
        self.isCancelled = isCancelled
        self.stage = stage
    }

    /// What is to be said of the directory.
    package var remarks: [String] {
        switch node.log {
        case .file: []
        case .segments:
            ["The log is kept in \(node.path)/raft/wal: it is left as it is, only vault.db is written anew."]
        case .missing:
            ["\(node.path)/raft/raft.db is not there: a server makes an empty one. Only vault.db is looked at."]
        }
    }

    private var nodeFiles: [NodeFile] { [node.logFile, node.vault].compactMap { $0 } }

    private func name(of file: NodeFile) -> String { file === node.vault ? file.name : "raft/\(file.name)" }

    /// Measures the files, changing nothing.
    ///
    /// - Throws: `.damagedStore`, `.cancelled`, `.io`.
    package func plan() throws(StorageError) -> [File] {
        var files: [File] = []
        for file in nodeFiles {
            stage(.measuring(file.path))
            let shape = try storageErrors { [isCancelled] in try file.reader.shape(isCancelled: isCancelled) }
            guard let shape else { throw StorageError.cancelled }
            files.append(File(name: name(of: file), shape: shape))
            file.reader.releaseResidentPages()
        }
        return files
    }

    /// Why the files cannot be written; `nil` if they can.
    ///
    /// - Parameter removesOld: Whether each old file goes before the next new one is made.
    package func obstacle(_ files: [File], removesOld: Bool) -> StorageError? {
        let sizes = files.filter(\.isWorthwhile).map(\.shape.compactBytes)
        let needed = (removesOld ? sizes.max() ?? 0 : sizes.reduce(0, +)) + Self.spareBytes
        var info = statvfs()
        guard fstatvfs(node.folder.descriptor, &info) == 0 else { return nil }
        let free = freeBytes(info)
        guard free < needed else { return nil }
        let way =
            removesOld || (sizes.max() ?? 0) + Self.spareBytes > free
            ? "" : " With -remove-old less is needed: the old files go one by one."
        return StorageError(
            .noSpace,
            "\(node.path) has \(formatBytes(free)) free, the new files need \(formatBytes(needed)) beside the old ones. Make "
                + "room and run again; nothing was changed.\(way)")
    }

    /// Writes the files anew and puts them in place.
    ///
    /// - Parameters:
    ///   - time: What the names of old files end in.
    ///   - removesOld: Whether old files are removed once the new ones are in place.
    ///   - report: Told of what an earlier run left and was put right, and of each file that is in place.
    /// - Throws: What went wrong. Whatever is in place then is whole, and the same run may be made again.
    package func run(
        _ files: [File], time: String, removesOld: Bool, report: (String) -> Void
    ) throws(StorageError) -> [Result] {
        let work = try WorkFolder(in: node.folder)
        defer { work.release() }
        for repair in try work.clear() { report(repair) }
        if let obstacle = obstacle(files, removesOld: removesOld) { throw obstacle }
        var results: [Result] = []
        var waits = false
        defer { if waits { usleep(Self.graceMicroseconds) } }
        for (file, measured) in zip(nodeFiles, files) {
            guard measured.isWorthwhile else {
                results.append(left(measured))
                continue
            }
            waits = true
            results.append(try replace(file, measured, work, time, removesOld, report))
        }
        return results
    }

    private func left(_ file: File) -> Result {
        Result(
            file: file, bytes: file.shape.fileBytes, entries: file.shape.entries, digest: nil, oldPath: nil)
    }

    private func replace(
        _ file: NodeFile, _ measured: File, _ work: WorkFolder, _ time: String, _ removesOld: Bool,
        _ report: (String) -> Void
    ) throws(StorageError) -> Result {
        let new: NewFile
        let kept: String
        do throws(StorageError) {
            new = try NewFile(of: file, in: work, isCancelled: isCancelled, stage: stage)
            kept = try new.takePlace(keepingOldAs: "compact-\(time)")
        } catch {
            // What is left behind is the next run's to look at.
            _ = try? work.clear()
            throw error
        }
        var result = Result(
            file: measured, bytes: new.status.bytes, entries: new.entries, digest: new.digest.hexadecimal,
            oldPath: "\(file.folder.path)/\(kept)")
        report(
            "\(measured.name): the new file is in place, \(formatCount(new.entries)) "
                + "\(plural(new.entries, "entry", "entries")) read back and equal.")
        guard removesOld else { return result }
        guard try file.folder.status(of: kept) == file.status else {
            throw StorageError(
                .inUse,
                "\(file.folder.path)/\(kept) is not the old file any more, or was written to. It was left; see who did that."
            )
        }
        try file.folder.remove(kept)
        try file.folder.sync()
        result.oldPath = nil
        return result
    }
}
