import Glibc

/// A folder that is removed with its last reference.
package final class TemporaryFolder: Sendable {
    package let path: String

    package init() throws {
        // Memory where the system offers it: the tests make several hundred thousand files.
        let memory = "/dev/shm"
        let parent =
            getenv("TMPDIR").map { String(cString: $0) } ?? (access(memory, W_OK | X_OK) == 0 ? memory : "/tmp")
        var template = Array("\(parent)/sealift-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw PromiseFailure("mkdtemp in \(parent) failed: errno \(errno)") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        Self.empty(open(path, O_RDONLY | O_DIRECTORY))
        rmdir(path)
    }

    /// Removes everything in an open folder and closes it.
    private static func empty(_ descriptor: Int32) {
        guard descriptor >= 0 else { return }
        guard let stream = fdopendir(descriptor) else {
            close(descriptor)
            return
        }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            // In place: a copy of the whole array would read behind a record that is shorter.
            withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { name in
                    if strcmp(name, ".") == 0 || strcmp(name, "..") == 0 { return }
                    if unlinkat(descriptor, name, 0) == 0 { return }
                    empty(openat(descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
                    unlinkat(descriptor, name, AT_REMOVEDIR)
                }
            }
        }
    }
}
