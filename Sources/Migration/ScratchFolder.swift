import Files
import Glibc
package import Storage

/// A folder of this process alone for what does not fit into memory, mode 0700, below `TMPDIR`.
package final class ScratchFolder: Sendable {
    package let path: String

    /// Makes the folder.
    package init() throws(StorageError) {
        let named = getenv("TMPDIR").map { String(cString: $0) } ?? ""
        let base = named.isEmpty ? "/tmp" : named
        var template = Array("\(base)/sealift-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            let failure = StorageError.system("make a folder in", base, errno: errno)
            throw StorageError(failure.code, "\(failure.message) TMPDIR names another place.")
        }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { remove() }

    /// Removes the folder and the files in it. Repeated calls do nothing.
    package func remove() {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        guard let folder = fdopendir(descriptor) else {
            close(descriptor)
            return
        }
        // What cannot be listed stays, and the folder with it.
        let names = (try? readNames(of: folder, path: path)) ?? []
        for name in names { unlinkat(dirfd(folder), name, 0) }
        closedir(folder)
        rmdir(path)
    }
}
