import CSystem
import Files
import Glibc
import RaftFormat
package import Storage
import Synchronization

/// A snapshot archive to be made of a store, for `operator raft snapshot restore -force`.
///
/// It is written beside its place under a name of its own and gets its name when it is proven. A file that is there is
/// never replaced.
package final class SnapshotDestination: StorageDestination {
    package let kind = SnapshotSource.storeKind
    package let location: String
    private let needsKeyRing: Bool
    /// The unfinished file, once it is taken.
    private let unfinished = Mutex<UnfinishedFile?>(nil)

    /// - Parameter needsKeyRing: Whether an archive is refused that would leave a cluster without a leader.
    package init(path: String, needsKeyRing: Bool = true) {
        location = path
        self.needsKeyRing = needsKeyRing
    }

    package var identity: StoreIdentity { StoreIdentity("\(kind):\(location)", path: location) }

    package var rules: EntryRules { .raftSnapshot }

    package var serverUse: ServerUse? { .transactions }

    package var stateNeighbour: String? { location }

    package var neededEntries: [NeededEntry] {
        needsKeyRing ? [NeededEntry(.raftKeyRing, because: Self.missingKeyRing)] : []
    }

    static let missingKeyRing = """
        the source has no core/raft/tls, the keys with which the nodes of integrated storage know each other: a \
        cluster that \
        restores an archive without them never elects a leader again. With key shares at hand, -generate-raft-tls makes \
        them. Without, make a directory instead (storage_destination \
        "raft"): \
        its first unseal makes the keys, and nodes join it. An archive can then be taken from that cluster.
        """

    package func destinationFindings() throws(StorageError) -> [StoreFinding] {
        if let finding = StoreFinding.danglingLink(on: location) { return [finding] }
        var info = stat()
        if lstat(location, &info) == 0 { return [StoreFinding(.obstacle(.notEmpty), Self.standsThere(location))] }
        let folder = parentFolder(of: location)
        guard access(folder, F_OK) == 0 else {
            return [StoreFinding(.obstacle(.io), "\(folder) does not exist. Make it and run again.")]
        }
        guard access(folder, W_OK | X_OK) == 0 else {
            return [StoreFinding(.obstacle(.io), StorageError.system("write to", folder, errno: errno).message)]
        }
        return []
    }

    static func standsThere(_ path: String) -> String {
        "\(path) is there already, and no file is ever replaced. Name another file, or move that one away."
    }

    package func claim(_ holder: String) throws(StorageError) {
        _ = try take()
        guard let found = try destinationFindings().first, case .obstacle(let code) = found.kind else { return }
        release()
        throw StorageError(code, found.message)
    }

    /// The unfinished file, taken for this process.
    func take() throws(StorageError) -> UnfinishedFile {
        try unfinished.withLock { unfinished throws(StorageError) in
            if let unfinished { return unfinished }
            let taken = try UnfinishedFile(for: location)
            unfinished = taken
            return taken
        }
    }

    /// Gives the unfinished file up, and removes it.
    func release() {
        let taken = unfinished.withLock { unfinished in
            defer { unfinished = nil }
            return unfinished
        }
        taken?.remove()
    }

    package func removeRemains() {
        // Of another run that is at it, it is not for this one to remove.
        guard access(UnfinishedFile.path(for: location), F_OK) == 0 else { return }
        _ = try? take()
        release()
    }

    package func roomNeeded(for size: StoreSize) -> RoomNeeded? {
        guard let bytes = size.bytes else { return nil }
        return RoomNeeded(
            folder: parentFolder(of: location),
            bytes: max(bytes.clampedSum(bytes / 8).clampedSum(1 << 20) - UnfinishedFile.bytesLeft(for: location), 0),
            files: 12)
    }

    package func bulkLoader(_ plan: LoadPlan) throws(StorageError) -> any BulkLoader {
        try SnapshotLoader(self, plan, needsKeyRing: needsKeyRing)
    }

    package func serverGuide(largestEntry: Int, seal: SealDescription?) -> ServerGuide? {
        let shares = seal.flatMap { seal in
            seal.shares.flatMap { count in seal.threshold.map { (count, $0) } }
        }
        let same =
            shares.map { "-key-shares=\($0.0) -key-threshold=\($0.1)" }
            ?? "-key-shares and -key-threshold as the source's"
        var steps = [
            "Have an initialised, unsealed cluster on integrated storage, and a token that may update "
                + "sys/storage/raft/snapshot-force."
        ]
        if seal?.unsealsItself == true {
            steps.append("Give every node the source's seal stanza: no other key opens what the archive holds.")
        } else {
            steps.append(
                "Initialise it with the same number of shares and the same threshold (\(same)), or restart every "
                    + "node after the "
                    + "restore: sealed nodes go on asking for the old number, and refuse the shares (\"invalid key "
                    + "size\")."
            )
        }
        steps.append(
            "Restore on the active node: bao operator raft snapshot restore -force \(location) (vault likewise). "
                + "The answer "
                + "comes before the work is done: look at the logs.")
        steps.append(
            seal?.unsealsItself == true
                ? "The nodes unseal themselves with the source's key; restart those that do not."
                : "All nodes seal themselves. Unseal each "
                    + (shares.map { "with \($0.1) of the \($0.0) key shares of the source" }
                        ?? "with the key shares of the source")
                    + ", not with those of the new cluster, which open nothing any more.")
        steps.append("Keep the old store, untouched and stopped, until the cluster has proved itself.")
        return ServerGuide(stanza: [], steps: steps)
    }

    package func close() { release() }
}

/// The file in which an archive is made, `NAME.sealift-unfinished` beside its place; locked by whoever makes it.
final class UnfinishedFile: Sendable {
    private static let attempts = 20

    let path: String
    let descriptor: Int32
    private let isOver = Mutex(false)

    static func path(for location: String) -> String { "\(location).sealift-unfinished" }

    /// Bytes that one that was left takes.
    static func bytesLeft(for location: String) -> Int {
        var info = stat()
        guard lstat(path(for: location), &info) == 0, info.st_mode & S_IFMT == S_IFREG else { return 0 }
        return Int(info.st_blocks) * 512
    }

    /// Takes the file, making it if there is none; what a run that was killed left is done away with.
    ///
    /// - Throws: `.inUse` if another process has it, `.notEmpty` if something else has its name.
    init(for location: String) throws(StorageError) {
        path = Self.path(for: location)
        for _ in 0..<Self.attempts {
            let descriptor = cs_open_own_file(AT_FDCWD, path, O_RDWR | O_CREAT, 0o600)
            guard descriptor >= 0 else {
                if errno == ELOOP || errno == EISDIR || errno == ENXIO { throw Self.foreign(path) }
                throw StorageError.system("create", path, errno: errno)
            }
            do throws(StorageError) {
                guard try takesLock(descriptor, path) else {
                    throw StorageError(.inUse, "\(path) is locked: another run makes it. Wait for it, or stop it.")
                }
                guard try stands(descriptor, under: path, shown: path) else {
                    Glibc.close(descriptor)
                    continue
                }
                if Self.hasItsName(descriptor, location) {
                    // Killed when the archive had just got its name, which then had two.
                    unlink(path)
                    Glibc.close(descriptor)
                    continue
                }
                try Self.clear(descriptor, path)
            } catch {
                Glibc.close(descriptor)
                throw error
            }
            self.descriptor = descriptor
            return
        }
        throw StorageError(.inUse, "\(path) comes and goes: another run is at it. Wait for it.")
    }

    deinit {
        // Without `remove` the file stays as it is, as after a kill.
        if !isOver.withLock({ $0 }) { Glibc.close(descriptor) }
    }

    private static func foreign(_ path: String) -> StorageError {
        StorageError(
            .notEmpty,
            "\(path) is no unfinished archive of Sealift's, and is not touched. An archive is made under that "
                + "name: move it away."
        )
    }

    /// Whether the open file stands under the archive's own name.
    private static func hasItsName(_ descriptor: Int32, _ location: String) -> Bool {
        (try? stands(descriptor, under: location, shown: location)) == true
    }

    /// What stands at the beginning until the archive is whole, when its own first bytes take that place.
    private static let mark = Array("sealift unfinished archive 1\n".utf8)
    /// A whole archive that did not get its name: gzip with a first field "SL" of filler (``SnapshotWriter``).
    private static func isWhole(_ head: ArraySlice<UInt8>) -> Bool {
        head.starts(with: [0x1f, 0x8b, 8, 4]) && head.dropFirst(12).starts(with: "SL".utf8)
    }

    /// Empties what an earlier run left, if it is that.
    private static func clear(_ descriptor: Int32, _ path: String) throws(StorageError) {
        var info = stat()
        guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { throw foreign(path) }
        // What has another name as well, or what others may write to, is somebody's.
        guard info.st_nlink == 1, info.st_uid == geteuid(), info.st_mode & 0o077 == 0 else { throw foreign(path) }
        var head = [UInt8](repeating: 0, count: 64)
        let count = pread(descriptor, &head, head.count, 0)
        guard count >= 0 else { throw StorageError.system("read", path, errno: errno) }
        let found = head[..<count]
        // Killed while it was made, it may have a part of the mark.
        let isOurs = count == 0 || found.starts(with: mark) || isWhole(found) || mark.starts(with: found)
        guard isOurs else { throw foreign(path) }
        try begin(descriptor, path)
    }

    /// Empties the file but for the mark, which is durable before anything else stands in it.
    fileprivate static func begin(_ descriptor: Int32, _ path: String) throws(StorageError) {
        guard ftruncate(descriptor, 0) == 0 else { throw StorageError.system("truncate", path, errno: errno) }
        try writeAll(mark, to: descriptor, path, at: 0)
        guard fsync(descriptor) == 0 else { throw StorageError.system("sync", path, errno: errno) }
    }

    /// Begins anew.
    func begin() throws(StorageError) { try Self.begin(descriptor, path) }

    /// Removes the name; the file goes with it, unless it has its own by now.
    func remove() {
        let isFirst = isOver.withLock { over in
            defer { over = true }
            return !over
        }
        guard isFirst else { return }
        if (try? stands(descriptor, under: path, shown: path)) == true { unlink(path) }
        Glibc.close(descriptor)
    }
}
