import Digest
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
    package var manifestPath: String { "\(path)/manifest.txt" }
    package var reportPath: String { "\(path)/report.json" }

    /// A line for each entry that the source's own listing cannot see.
    var unlistedPath: String { "\(path)/unlisted.txt" }

    /// A file that stands from when the destination is proven until the run is over: a run that was killed in between
    /// has nothing left to copy.
    static let provenName = "proven"

    /// Whether a run of this job was killed after it had proven its destination.
    var hasProvenRun: Bool { access("\(path)/\(Self.provenName)", F_OK) == 0 }

    /// Removes a file of the folder, if it is there.
    func remove(_ name: String) {
        unlink("\(path)/\(name)")
    }

    /// Tells one job from another: the two stores and their order.
    package static func fingerprint(source: StoreIdentity, destination: StoreIdentity) throws -> String {
        let text = Array("\(source.text)\n\(destination.text)\n".utf8)
        let digest = try text.withUnsafeBytes { bytes in try SHA256Digest.of(bytes) }
        return String(digest.hexadecimal.prefix(16))
    }

    /// Where a job's state is kept unless the user says otherwise: beside a Raft destination, else below the user's
    /// state folder.
    package static func defaultPath(
        destination: any StorageBackend, fingerprint: String, environment: [String: String]
    ) throws(StorageError) -> String {
        if destination.kind == "raft", let path = destination.identity.path {
            let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
            if access(parent.isEmpty ? "/" : parent, W_OK | X_OK) == 0 { return "\(path).sealift" }
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
    /// - Throws: `.inUse` if another run holds it, `.configuration` if it belongs to another job.
    package init(path: String, fingerprint: String, job: String) throws(StorageError) {
        self.path = path
        isNew = access(path, F_OK) != 0
        try Self.makeFolders(path)
        let lockPath = "\(path)/lock"
        lock = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else { throw StorageError.system("open", lockPath, errno: errno) }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            let number = errno
            Glibc.close(lock)
            throw number == EWOULDBLOCK
                ? StorageError(.inUse, "\(path) is locked: another run of this migration is going on. Wait for it.")
                : StorageError.system("lock", lockPath, errno: number)
        }
        do throws(StorageError) {
            try checkJob(fingerprint, job)
        } catch {
            Glibc.close(lock)
            throw error
        }
    }

    deinit { close() }

    /// Removes the folder again if this run made it and put nothing into it but its lock: a run that was refused leaves
    /// nothing behind.
    package func discardIfNew() {
        guard isNew else { return }
        for name in ["job", "lock"] { remove(name) }
        rmdir(path)
    }

    /// Gives the lock back. Repeated calls do nothing.
    package func close() {
        guard lock >= 0 else { return }
        Glibc.close(lock)
        lock = -1
    }

    /// Compares the folder's file `job` with this job, writing it if there is none.
    private func checkJob(_ fingerprint: String, _ job: String) throws(StorageError) {
        let file = "\(path)/job"
        let wanted = "\(fingerprint) \(job)\n"
        let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw StorageError.system("open", file, errno: errno) }
        defer { Glibc.close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 16 << 10)
        let count = read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { throw StorageError.system("read", file, errno: errno) }
        let found = String(decoding: bytes[..<count], as: UTF8.self)
        guard found.isEmpty || !found.hasSuffix("\n") || found.hasPrefix("\(fingerprint) ") else {
            throw StorageError(
                .configuration,
                "\(path) holds the state of another migration (\(found.dropFirst(17).dropLast())). Name another "
                    + "-state-dir, or remove that folder if the other migration is over.")
        }
        if found == wanted { return }
        guard ftruncate(descriptor, 0) == 0, pwrite(descriptor, wanted, wanted.utf8.count, 0) == wanted.utf8.count
        else {
            throw StorageError.system("write", file, errno: errno)
        }
    }

    private static func makeFolders(_ path: String) throws(StorageError) {
        var missing: [String] = []
        var folder = path
        while access(folder, F_OK) != 0, errno == ENOENT {
            missing.append(folder)
            guard let slash = folder.lastIndex(of: "/"), slash > folder.startIndex else { break }
            folder = String(folder[..<slash])
        }
        for folder in missing.reversed() where mkdir(folder, 0o700) != 0 && errno != EEXIST {
            let problem = StorageError.system("mkdir", folder, errno: errno)
            throw StorageError(
                problem.code,
                "\(problem.message)\nThe folder for lock, manifest and report would be made there. Name another with "
                    + "-state-dir.")
        }
        var info = stat()
        guard stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else {
            throw StorageError(.configuration, "-state-dir \(path) is not a directory.")
        }
    }

    /// Writes a file of the folder whole or not at all, mode 0600.
    package func write(_ name: String, _ bytes: [UInt8]) throws(StorageError) {
        let final = "\(path)/\(name)"
        let temporary = "\(final).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw StorageError.system("create", temporary, errno: errno) }
        let written = Glibc.write(descriptor, bytes, bytes.count)
        let number = errno
        let synced = fsync(descriptor)
        Glibc.close(descriptor)
        guard written == bytes.count, synced == 0 else {
            throw StorageError.system("write", temporary, errno: number)
        }
        guard rename(temporary, final) == 0 else { throw StorageError.system("rename to", final, errno: errno) }
    }
}
