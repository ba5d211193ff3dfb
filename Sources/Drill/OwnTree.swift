import CSystem
import Files
import Glibc
import Storage

/// A folder below the drills' own that a mark says is this product's, to be removed with all that is in it.
enum OwnTree {
    /// A copy and a server's files have four levels at most.
    private static let mostLevels = 32

    /// Removes what is in an open folder, its mark last, and then the folder itself. No link is followed, and no other file
    /// system is entered.
    ///
    /// - Throws: What the system says; the mark stands until all the rest is gone.
    static func remove(
        _ folder: Int32, named name: String, in parent: Int32, mark: String, shown path: String
    ) throws(StorageError) {
        try empty(folder, path, keeping: mark, level: 0)
        if unlinkat(folder, mark, 0) != 0, errno != ENOENT {
            throw StorageError.system("remove", "\(path)/\(mark)", errno: errno)
        }
        guard unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT else {
            throw StorageError.system("remove", path, errno: errno)
        }
        try syncFolder(parent, parentFolder(of: path))
    }

    private static func empty(_ folder: Int32, _ path: String, keeping mark: String?, level: Int) throws(StorageError) {
        guard level < mostLevels else {
            throw StorageError(.notEmpty, "\(path) lies deeper than anything that a drill makes. Remove it by hand.")
        }
        var own = stat()
        guard fstat(folder, &own) == 0 else { throw StorageError.system("stat", path, errno: errno) }
        for name in try names(in: folder, ".", shown: path) where name != mark {
            let shown = "\(path)/\(name)"
            if unlinkat(folder, name, 0) == 0 || errno == ENOENT { continue }
            guard errno == EISDIR || errno == EPERM else { throw StorageError.system("remove", shown, errno: errno) }
            let below = cs_open_own_directory(folder, name)
            guard below >= 0 else { throw StorageError.system("open", shown, errno: errno) }
            defer { Glibc.close(below) }
            var info = stat()
            guard fstat(below, &info) == 0, info.st_dev == own.st_dev else {
                throw StorageError(
                    .notEmpty,
                    "\(shown) is another file system, which no drill has put there. Unmount it and run again.")
            }
            try empty(below, shown, keeping: nil, level: level + 1)
            guard unlinkat(folder, name, AT_REMOVEDIR) == 0 || errno == ENOENT else {
                throw StorageError.system("remove", shown, errno: errno)
            }
        }
    }
}
