import Bolt
import CSystem
import Digest
import Files
import Glibc
import RaftDirectoryBackend
import Storage

/// A file written anew in the work folder, proven to hold what the old one holds, durable, with its owner and mode.
struct NewFile {
    let file: NodeFile
    let work: WorkFolder
    let status: FileStatus
    let entries: Int
    /// The digest of what both hold.
    let digest: SHA256Digest

    /// Writes a file anew, dense and in key order, and compares it by content with the old one.
    ///
    /// - Parameters:
    ///   - exception: An entry that is to have another value in the new file.
    ///   - stage: Told of what begins.
    /// - Throws: `.cancelled`, `.noSpace`, `.damagedStore` if the old one contradicts its format, `.io`. What was written
    ///   is gone then.
    init(
        of file: NodeFile, in work: WorkFolder, exception: ContentPass.Exception? = nil,
        isCancelled: @escaping @Sendable () -> Bool, stage: (MaintenanceStage) -> Void
    ) throws(StorageError) {
        self.file = file
        self.work = work
        let path = "\(work.folder.path)/\(file.name)"
        do throws(StorageError) {
            stage(.writing(file.path))
            let (read, digest) = try Self.write(file, in: work, path, exception, isCancelled)
            status = try Self.adoptOwner(of: file, in: work)
            stage(.comparing(file.path))
            try Self.prove(file, path, status, read, digest, exception, isCancelled)
            entries = read.entries
            self.digest = digest
            try work.folder.sync()
        } catch {
            unlinkat(work.folder.descriptor, file.name, 0)
            throw error
        }
    }

    /// - Returns: The pass over the old file, and the digest of what it holds.
    private static func write(
        _ file: NodeFile, in work: WorkFolder, _ path: String, _ exception: ContentPass.Exception?,
        _ isCancelled: @escaping @Sendable () -> Bool
    ) throws(StorageError) -> (ContentPass, SHA256Digest) {
        // In the open folder, wherever its path leads by now.
        let descriptor = try work.create(file.name)
        return try passErrors {
            let builder = try BoltBuilder(descriptor: descriptor, path: path, pageSize: file.reader.pageSize)
            do {
                let pass = try ContentPass(builder, exception: exception, isCancelled: isCancelled)
                try file.reader.visitEverything(pass)
                try builder.finish()
                return (pass, try pass.finish())
            } catch {
                builder.discard()
                throw error
            }
        }
    }

    /// Gives the new file owner and mode of the old one, durably.
    private static func adoptOwner(of file: NodeFile, in work: WorkFolder) throws(StorageError) -> FileStatus {
        let path = "\(work.folder.path)/\(file.name)"
        let descriptor = cs_open_own_file(work.folder.descriptor, file.name, O_RDWR, 0)
        guard descriptor >= 0 else { throw StorageError.system("open", path, errno: errno) }
        defer { Glibc.close(descriptor) }
        try adoptOwner(of: file.status, descriptor, path)
        guard fsync(descriptor) == 0 else { throw StorageError.system("sync", path, errno: errno) }
        guard let status = try work.folder.status(of: file.name) else {
            throw StorageError(.io, "\(path) was removed by another process. See who writes there, and run again.")
        }
        return status
    }

    /// Gives an open file owner and mode of another.
    static func adoptOwner(of other: FileStatus, _ descriptor: Int32, _ path: String) throws(StorageError) {
        var info = stat()
        guard fstat(descriptor, &info) == 0 else { throw StorageError.system("stat", path, errno: errno) }
        if info.st_uid != other.user || info.st_gid != other.group {
            guard fchown(descriptor, other.user, other.group) == 0 else {
                throw StorageError.system("give the old file's owner to", path, errno: errno)
            }
        }
        guard fchmod(descriptor, other.mode & 0o777) == 0 else {
            throw StorageError.system("chmod", path, errno: errno)
        }
    }

    /// Reads the new file back and compares.
    private static func prove(
        _ file: NodeFile, _ path: String, _ status: FileStatus, _ read: ContentPass, _ digest: SHA256Digest,
        _ exception: ContentPass.Exception?, _ isCancelled: @escaping @Sendable () -> Bool
    ) throws(StorageError) {
        let (back, found) = try passErrors {
            let reader = try BoltReader(path: path)
            defer { reader.close() }
            guard reader.currentStatus().map(FileStatus.init) == status else {
                throw StorageError(.io, "\(path) was replaced by another process. See who writes there, and run again.")
            }
            let pass = try ContentPass(nil, exception: exception, isCancelled: isCancelled)
            try reader.visitEverything(pass)
            return (pass, try pass.finish())
        }
        guard found == digest, back.entries == read.entries, back.exceptionValue == exception?.newValue else {
            throw StorageError(
                .io,
                "\(path) does not read back as it was written (entries: \(back.entries) of \(read.entries); digest "
                    + "\(found.hexadecimal.prefix(12)) in place of \(digest.hexadecimal.prefix(12))). The disk or the "
                    + "memory may be failing; \(file.path) is as it was.")
        }
    }
}

/// What a run begins, by the path of the file.
package enum MaintenanceStage: Sendable {
    case measuring(String)
    case writing(String)
    case comparing(String)
}

/// Runs a pass over a file and turns what it throws into errors of the storage model.
func passErrors<Result>(_ body: () throws -> Result) throws(StorageError) -> Result {
    do {
        return try body()
    } catch is CancelledPass {
        throw StorageError.cancelled
    } catch {
        return try storageErrors { throw error }
    }
}
