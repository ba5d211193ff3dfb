import Glibc
import Storage

/// Files with certificates or keys, which are read whole.
enum PEMFile {
    private static let mostBytes = 1 << 20

    static func text(_ path: String) throws(StorageError) -> String {
        guard let file = fopen(path, "re") else { throw StorageError.system("open", path, errno: errno) }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: mostBytes + 1)
        let count = fread(&bytes, 1, bytes.count, file)
        guard ferror(file) == 0 else { throw StorageError.system("read", path, errno: errno) }
        guard count <= mostBytes else {
            throw StorageError(.configuration, "\(path) is larger than any file of certificates or keys (1 MiB).")
        }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}
