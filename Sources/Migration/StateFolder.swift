import CSystem
import Digest
import Files
import Glibc
package import Storage

/// The folder of one migration job: its lock, manifest, report and scratch files. Mode 0700.
// Unchecked: the descriptor is set once and only closed by `close`, which one thread calls.
package final class StateFolder: @unchecked Sendable {
    package let path: String
    private var lock: Int32
    /// Whether this run made the folder.
    private let isNew: Bool

    /// The manifest of what the source gave.
    package var manifestPath: String { "\(path)/\(Self.manifestName)" }
    /// The manifest of what the source gave in the last warm pass.
    var warmManifestPath: String { "\(path)/\(Self.warmManifestName)" }
    package var reportPath: String { "\(path)/\(RunReport.name)" }
    package var pagePath: String { "\(path)/\(RunReport.pageName)" }
    /// The manifest once more, as it can be given away.
    var keyedManifestPath: String { "\(path)/\(Self.keyedManifestName)" }

    /// A line for each entry that the source's own listing cannot see.
    var unlistedPath: String { "\(path)/unlisted.txt" }

    /// A file that stands from when the destination is proven until the run is over: a run that was killed in between
    /// has nothing left to copy.
    static let provenName = "proven"
    /// A file that stands from when a repair or rollback has looked at everything, and may write, until it is over.
    static let writingName = "writing"
    /// The manifest of a repair or rollback that may still refuse to write anything.
    static let pendingManifestName = "manifest-pending.txt"
    /// A file that stands once a run has put its destination in place and has told of it.
    static let doneName = "done"
    /// The backup of the source that a run of the job has made.
    static let backupName = "backup"
    /// The key ring that was made for the destination, encrypted as it stands there; a run that goes on takes the same.
    static let keyRingName = "raft-tls"
    static let manifestName = "manifest.txt"
    static let warmManifestName = "manifest-warm.txt"
    static let keyedManifestName = "manifest-keyed.txt"
    static let lockName = "lock"
    static let jobName = "job"

    /// Whether a run of this job was killed after it had proven its destination.
    var hasProvenRun: Bool { access("\(path)/\(Self.provenName)", F_OK) == 0 }

    /// Whether a repair or rollback of this job was cut off while it wrote.
    var hasWritten: Bool { access("\(path)/\(Self.writingName)", F_OK) == 0 }

    /// Whether a run of this job has come to its end.
    var isDone: Bool { access("\(path)/\(Self.doneName)", F_OK) == 0 }

    /// Removes a file of the folder, if it is there.
    func remove(_ name: String) {
        unlink("\(path)/\(name)")
    }

    /// Gives a file of the folder another name, durably, in the place of one that has it.
    func rename(_ name: String, to other: String) throws(StorageError) {
        guard Glibc.rename("\(path)/\(name)", "\(path)/\(other)") == 0 else {
            throw StorageError.system("rename", "\(path)/\(name)", errno: errno)
        }
        try syncFolder(at: path)
    }

    /// Tells one job from another: the stores and their order.
    package static func fingerprint(source: StoreIdentity, destinations: [StoreIdentity]) throws -> String {
        let text = Array(([source] + destinations).map { "\($0.text)\n" }.joined().utf8)
        let digest = try text.withUnsafeBytes { bytes in try SHA256Digest.of(bytes) }
        return String(digest.hexadecimal.prefix(16))
    }

    /// Where a job's state is kept unless the user says otherwise: beside the first Raft destination, else below the user's
    /// state folder.
    package static func defaultPath(
        destinations: [any StorageDestination], fingerprint: String, environment: [String: String]
    ) throws(StorageError) -> String {
        for path in destinations.compactMap(\.stateNeighbour) where access(parentFolder(of: path), W_OK | X_OK) == 0 {
            return "\(path).sealift"
        }
        let named = environment["XDG_STATE_HOME"].flatMap { $0.isEmpty ? nil : $0 }
        let home = environment["HOME"].flatMap { $0.isEmpty ? nil : "\($0)/.local/state" }
        guard let base = named ?? home else {
            throw StorageError(
                .configuration,
                "Neither HOME nor XDG_STATE_HOME is set: say with -state-dir where to keep the manifest.")
        }
        return "\(base)/sealift/\(fingerprint)"
    }

    /// Makes and locks the folder.
    ///
    /// - Throws: `.inUse` if another run holds it, `.configuration` if it belongs to another job or holds files of these
    ///   names that no run can be told to have made.
    package init(
        path: String, fingerprint: String, job: String, discardsEarlier: Bool = false
    ) throws(StorageError) {
        self.path = path
        // Before anything is made: a folder that is refused gets no lock, either.
        try StateFolderContents.check(path, discardsEarlier ? nil : fingerprint, probesLock: false)
        (lock, isNew) = try Self.take(path)
        do throws(StorageError) {
            if discardsEarlier { try StateFolderContents(path).discard() }
            let found = try StateFolderContents(path).checkJob(fingerprint)
            let wanted = Array("\(fingerprint) \(job)\n".utf8)
            if found != wanted { try write(Self.jobName, wanted) }
        } catch {
            close()
            throw error
        }
    }

    deinit { close() }

    /// How often another run may make or remove the folder under our hands before that is an error.
    private static let maximumAttempts = 20

    /// - Returns: The lock, and whether the folder was made for it.
    private static func take(_ path: String) throws(StorageError) -> (lock: Int32, isNew: Bool) {
        let lockPath = "\(path)/\(lockName)"
        for _ in 0..<maximumAttempts {
            let isNew = try makeFolders(path)
            let lock = cs_open_own_file(AT_FDCWD, lockPath, O_RDWR | O_CREAT, 0o600)
            guard lock >= 0 else {
                if errno == ENOENT { continue }
                throw errno == ELOOP || errno == EISDIR
                    ? StateFolderContents.foreign(lockPath) : StorageError.system("open", lockPath, errno: errno)
            }
            do throws(StorageError) {
                // A run that is refused removes what it made, its lock as well: only the one that stands there counts.
                if try StateFolderContents.lock(lock, lockPath) { return (lock, isNew) }
            } catch {
                Glibc.close(lock)
                throw error
            }
            Glibc.close(lock)
        }
        throw StorageError(.inUse, "\(path) comes and goes: another run is at it. Wait for it.")
    }

    /// Removes the folder again if this run made it and put nothing into it but its lock: a run that was refused leaves
    /// nothing behind.
    package func discardIfNew() {
        guard isNew else { return }
        // The lock is held until the folder is gone: whoever opened it before finds that it stands there no more.
        for name in [Self.jobName, Self.lockName] { remove(name) }
        rmdir(path)
    }

    /// Gives the lock back. Repeated calls do nothing.
    package func close() {
        guard lock >= 0 else { return }
        Glibc.close(lock)
        lock = -1
    }

    /// - Returns: Whether the folder itself was missing.
    private static func makeFolders(_ path: String) throws(StorageError) -> Bool {
        var missing: [String] = []
        var folder = path
        while access(folder, F_OK) != 0, errno == ENOENT {
            missing.append(folder)
            guard folder.contains("/"), folder != "/" else { break }
            folder = parentFolder(of: folder)
        }
        var isNew = false
        for folder in missing.reversed() {
            guard mkdir(folder, 0o700) == 0 else {
                if errno == EEXIST { continue }
                let problem = StorageError.system("mkdir", folder, errno: errno)
                throw StorageError(
                    problem.code,
                    "\(problem.message)\nThe folder for lock, manifest and report would be made there. Name another with "
                        + "-state-dir.")
            }
            isNew = folder == path
            try syncFolder(at: parentFolder(of: folder))
        }
        var info = stat()
        guard stat(path, &info) == 0 else { throw StorageError.system("stat", path, errno: errno) }
        guard info.st_mode & S_IFMT == S_IFDIR else { throw StateFolderContents.noFolder(path) }
        return isNew
    }

    /// Reads a small file of the folder; `nil` if it is not there.
    func read(_ name: String, most: Int) throws(StorageError) -> [UInt8]? {
        let file = "\(path)/\(name)"
        let descriptor = cs_open_own_file(AT_FDCWD, file, O_RDONLY, 0)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw errno == ELOOP ? StateFolderContents.foreign(file) : StorageError.system("open", file, errno: errno)
        }
        defer { Glibc.close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: most)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { throw StorageError.system("read", file, errno: errno) }
        return Array(bytes.prefix(count))
    }

    /// Writes a file of the folder whole or not at all, mode 0600; it is durable on return.
    package func write(_ name: String, _ bytes: [UInt8]) throws(StorageError) {
        try replaceFile("\(path)/\(name)", bytes)
    }
}
