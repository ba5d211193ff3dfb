import Bolt
import CSystem
import Files
import Glibc
import RaftDirectoryBackend
import Storage

extension NewFile {
    /// Puts the new file in the place of the old one, which gets a name of its own beside it.
    ///
    /// - Parameter copy: What the old file's name is to end in, behind `.before-`; a number follows if there is such a
    ///   file.
    /// - Returns: The name under which the old file is kept.
    /// - Throws: `.inUse` if somebody wrote to the old file or replaced it; `.io`. The old file has its name then.
    func takePlace(keepingOldAs copy: String) throws(StorageError) -> String {
        try exchange(
            file.name, in: file.folder, old: file.status, new: status, work: work, keepingOldAs: copy,
            isUnchanged: { () throws(StorageError) in try file.isUnchanged() })
    }
}

/// Puts a file of the work folder in the place of another. At every point something whole stands there: the old file or
/// the new one; and the old one has a second name before it loses the first.
///
/// - Returns: The name under which the old file is kept.
func exchange(
    _ name: String, in folder: NodeFolder, old: FileStatus, new: FileStatus, work: WorkFolder,
    keepingOldAs copy: String, isUnchanged: () throws(StorageError) -> Bool
) throws(StorageError) -> String {
    func changed() -> StorageError {
        StorageError(
            .inUse,
            "\(folder.path)/\(name) was written to or replaced while the run went on. It was left as it is now; see who "
                + "writes there, and run again.")
    }
    guard try isUnchanged() else { throw changed() }
    let kept = try freeName(Exchange.copyPrefix(of: name) + copy, in: folder)
    try work.note(Exchange(file: name, oldInode: old.inode, newInode: new.inode, copy: kept))
    guard linkat(folder.descriptor, name, folder.descriptor, kept, 0) == 0 else {
        let number = errno
        try work.note(nil)
        if [EPERM, EOPNOTSUPP, ENOSYS, EMLINK].contains(number) {
            throw StorageError(
                .unsupported,
                "\(folder.path)/\(name) cannot get a second name (\(systemMessage(number))), under which the old file would "
                    + "be kept. Run as root or as the file's owner, on a file system that knows hard links.")
        }
        throw StorageError.system("link", "\(folder.path)/\(kept)", errno: number)
    }
    try folder.sync()
    do throws(StorageError) {
        guard try folder.status(of: kept)?.isSameFile(old) == true else { throw changed() }
        try swap(name, kept, in: folder, old: old, new: new, work: work)
    } catch {
        if try folder.status(of: kept)?.isSameFile(old) == true, try folder.status(of: name)?.isSameFile(old) == true {
            try folder.remove(kept)
        }
        throw error
    }
    try folder.sync()
    try work.folder.sync()
    try work.note(nil)
    return kept
}

/// Lets the two names change places in one step; takes that back unless the old file came out and the new one, as it was
/// compared, went in.
private func swap(
    _ name: String, _ kept: String, in folder: NodeFolder, old: FileStatus, new: FileStatus, work: WorkFolder
) throws(StorageError) {
    let path = "\(folder.path)/\(name)"
    let inner = work.folder.descriptor
    let isExchange = cs_rename_exchange(inner, name, folder.descriptor, name) == 0
    if !isExchange {
        guard [EINVAL, ENOSYS, EOPNOTSUPP].contains(errno) else {
            if errno == EXDEV {
                throw StorageError(
                    .unsupported,
                    "\(path) lies on another file system than \(work.folder.path), so that nothing can take its place in "
                        + "one step. Put both on one.")
            }
            throw StorageError.system("rename to", path, errno: errno)
        }
        // Some file systems cannot do that; the old file keeps its second name.
        guard renameat(inner, name, folder.descriptor, name) == 0 else {
            throw StorageError.system("rename to", path, errno: errno)
        }
    }
    let cameOut = isExchange ? try work.folder.status(of: name) : try folder.status(of: kept)
    guard try folder.status(of: name) == new, cameOut == old else {
        if isExchange {
            _ = cs_rename_exchange(inner, name, folder.descriptor, name)
        } else {
            renameat(folder.descriptor, kept, folder.descriptor, name)
        }
        throw StorageError(
            .inUse,
            "\(path), or the file that was to take its place, was written to by another process. The one that stood there "
                + "was left; see who writes there, and run again.")
    }
    if isExchange { try work.folder.remove(name) }
}

/// A name that nothing has.
private func freeName(_ wanted: String, in folder: NodeFolder) throws(StorageError) -> String {
    let maximumNumber = 1000
    for number in 1...maximumNumber {
        let name = number == 1 ? wanted : "\(wanted)-\(number)"
        if try !folder.has(name) { return name }
    }
    throw StorageError(.notEmpty, "\(folder.path) has \(maximumNumber) files \(wanted)…. Move older copies away.")
}
