import CSystem
import Files
import Glibc
import Storage

/// What a state folder holds before a run uses it: whose it is, and whether anything in it is not ours to replace.
struct StateFolderContents {
    private let path: String

    init(_ path: String) { self.path = path }

    /// Files that runs replace or remove.
    private static let files = [
        StateFolder.manifestName, StateFolder.warmManifestName, RunReport.name, "\(RunReport.name).new",
        RunReport.pageName, "\(RunReport.pageName).new",
        StateFolder.provenName, "\(StateFolder.provenName).new", StateFolder.doneName, StateFolder.writingName,
        "\(StateFolder.writingName).new", StateFolder.pendingManifestName,
        "\(StateFolder.doneName).new", StateFolder.backupName, "\(StateFolder.backupName).new", StateFolder.keyRingName,
        "\(StateFolder.keyRingName).new",
        "unlisted.txt", "lost.txt", "obstacles.txt", "obstacles.txt.new", "journal.lmdb", "journal.lmdb.new",
        WarmRecord.fileName, "\(WarmRecord.fileName).new",
        "manifest.txt.sig", "report.json.sig", StateFolder.keyedManifestName, "\(StateFolder.keyedManifestName).sig",
    ]

    /// Looks at the folder as a run will use it, changing nothing.
    ///
    /// - Parameter probesLock: Whether to see also that no other run is at it.
    /// - Throws: What ``StateFolder/init(path:fingerprint:job:)`` would.
    /// - Parameter fingerprint: `nil` for any job's.
    static func check(_ path: String, _ fingerprint: String?, probesLock: Bool) throws(StorageError) {
        if let link = danglingLink(on: path) {
            throw StorageError(
                .configuration, "-state-dir \(path): \(link) is a link that leads nowhere. Name another folder.")
        }
        var info = stat()
        var folder = path
        while stat(folder, &info) != 0 {
            guard errno == ENOENT, folder.contains("/"), folder != "/" else {
                throw errno == ENOTDIR ? noFolder(folder) : StorageError.system("stat", folder, errno: errno)
            }
            folder = parentFolder(of: folder)
        }
        guard info.st_mode & S_IFMT == S_IFDIR else { throw noFolder(folder) }
        guard access(folder, W_OK | X_OK) == 0 else { throw StorageError.system("write to", folder, errno: errno) }
        guard folder == path else { return }
        if probesLock { try probe(path) }
        _ = try StateFolderContents(path).checkJob(fingerprint)
    }

    private static func probe(_ path: String) throws(StorageError) {
        let lockPath = "\(path)/\(StateFolder.lockName)"
        let descriptor = cs_open_own_file(AT_FDCWD, lockPath, O_RDONLY, 0)
        if descriptor >= 0 {
            defer { Glibc.close(descriptor) }
            _ = try lock(descriptor, lockPath)
        } else if errno == ELOOP {
            throw foreign(lockPath)
        }
    }

    static func noFolder(_ path: String) -> StorageError {
        StorageError(.configuration, "-state-dir: \(path) is not a directory. Name another folder.")
    }

    /// Takes the lock.
    ///
    /// - Returns: Whether the file that is locked is the one that stands there.
    static func lock(_ descriptor: Int32, _ path: String) throws(StorageError) -> Bool {
        guard try takesLock(descriptor, path) else {
            throw StorageError(
                .inUse,
                "\(parentFolder(of: path)) is locked: another run of this migration is going on. Wait for it.")
        }
        return try stands(descriptor, under: path, shown: path)
    }

    /// Sees that the folder belongs to this job, or to none.
    ///
    /// - Returns: What its file `job` holds; `nil` if there is none, or one that was cut off.
    func checkJob(_ fingerprint: String?) throws(StorageError) -> [UInt8]? {
        let found = try jobFile()
        if let found, let fingerprint {
            guard found.starts(with: Array("\(fingerprint) ".utf8)) else {
                let job = "\(StorageKey(Array(found.dropFirst(17).dropLast())))"
                throw StorageError(
                    .configuration,
                    "\(path) holds the state of another migration (\(job)). Name another -state-dir, or give -discard-state if "
                        + "the other migration is over.")
            }
        }
        try refuseForeignFiles(isOurs: found != nil)
        return found
    }

    /// Removes what an earlier run of whatever job has left. The caller holds the lock.
    ///
    /// - Throws: If something there cannot be told to be a run's own; nothing is removed then.
    func discard() throws(StorageError) {
        guard try checkJob(nil) != nil else { return }
        // The job last: as long as it stands the rest is known for a run's own.
        for name in Self.files + [StateFolder.jobName] {
            guard unlink("\(path)/\(name)") != 0, errno != ENOENT else { continue }
            throw StorageError.system("remove", "\(path)/\(name)", errno: errno)
        }
        try syncFolder(at: path)
    }

    /// Characters of a fingerprint.
    private static let fingerprintBytes = 16
    private static let maximumJobBytes = 64 << 10

    private func jobFile() throws(StorageError) -> [UInt8]? {
        let file = "\(path)/\(StateFolder.jobName)"
        let descriptor = cs_open_own_file(AT_FDCWD, file, O_RDONLY, 0)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw errno == ELOOP ? Self.foreign(file) : StorageError.system("open", file, errno: errno)
        }
        defer { Glibc.close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: Self.maximumJobBytes)
        let count = read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { throw errno == EISDIR ? Self.foreign(file) : .system("read", file, errno: errno) }
        bytes.removeLast(bytes.count - count)
        // `<fingerprint> <text>`, and a line feed unless it was cut off while it was written.
        let head = bytes.prefix(Self.fingerprintBytes)
        let isHexadecimal = head.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
        let hasSpace = bytes.count <= Self.fingerprintBytes || bytes[Self.fingerprintBytes] == 0x20
        guard isHexadecimal, hasSpace, !bytes.dropLast().contains(0x0a) else { throw Self.foreign(file) }
        return bytes.last == 0x0a && bytes.count > Self.fingerprintBytes + 1 ? bytes : nil
    }

    private func refuseForeignFiles(isOurs: Bool) throws(StorageError) {
        var info = stat()
        for name in Self.files {
            let file = "\(path)/\(name)"
            guard lstat(file, &info) == 0 else { continue }
            guard isOurs, info.st_mode & S_IFMT == S_IFREG else { throw Self.foreign(file) }
        }
        let lock = "\(path)/\(StateFolder.lockName)"
        guard lstat(lock, &info) == 0 else { return }
        guard info.st_mode & S_IFMT == S_IFREG, isOurs || info.st_size == 0 else { throw Self.foreign(lock) }
    }

    static func foreign(_ file: String) -> StorageError {
        StorageError(
            .configuration,
            "\(file) stands where a migration keeps its state, and cannot be told to be Sealift's own, so that it is not "
                + "touched. Name another -state-dir, or move it away.")
    }
}
