import CSystem
import Files
import Glibc
import Storage

/// A file that says that the folder it stands in is this product's. Its first line never changes, so that a kill leaves a mark
/// or the beginning of one.
struct MarkFile {
    /// A mark is a few lines.
    private static let mostBytes = 4096

    let name: String
    /// The first line with its end.
    let header: String

    /// What stands in an open folder under the mark's name.
    enum Found: Equatable {
        case none
        /// What a kill leaves of a mark that is being written.
        case begun
        /// The lines behind the first.
        case ours([String])
        case foreign
    }

    func look(_ folder: Int32, _ path: String) throws(StorageError) -> Found {
        let descriptor = cs_open_own_file(folder, name, O_RDONLY, 0)
        guard descriptor >= 0 else {
            switch errno {
            case ENOENT: return .none
            case ELOOP, EISDIR, ENXIO: return .foreign
            default: throw StorageError.system("open", "\(path)/\(name)", errno: errno)
            }
        }
        defer { Glibc.close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: Self.mostBytes)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count >= 0 else { throw StorageError.system("read", "\(path)/\(name)", errno: errno) }
        bytes.removeLast(bytes.count - count)
        if bytes.starts(with: header.utf8) {
            let rest = String(decoding: bytes.dropFirst(header.utf8.count), as: UTF8.self)
            return .ours(rest.split(separator: "\n").map(String.init))
        }
        // A power cut may leave zeros in the place of what was written.
        return header.utf8.starts(with: bytes) || bytes.allSatisfy { $0 == 0 } ? .begun : .foreign
    }

    /// Makes the mark in an open folder, or writes it anew, durably.
    ///
    /// - Returns: Its descriptor, open for writing; the caller's to close.
    func write(_ folder: Int32, _ path: String, saying lines: [String] = []) throws(StorageError) -> Int32 {
        let file = "\(path)/\(name)"
        let descriptor = cs_open_own_file(folder, name, O_RDWR | O_CREAT, 0o600)
        guard descriptor >= 0 else { throw StorageError.system("create", file, errno: errno) }
        do throws(StorageError) {
            let bytes = Array((header + lines.map { "\($0)\n" }.joined()).utf8)
            try writeAll(bytes, to: descriptor, file, at: 0)
            guard ftruncate(descriptor, off_t(bytes.count)) == 0, fsync(descriptor) == 0 else {
                throw StorageError.system("write", file, errno: errno)
            }
            try syncFolder(folder, path)
            return descriptor
        } catch {
            Glibc.close(descriptor)
            throw error
        }
    }
}
