import Glibc
import Storage

/// Files that are read whole: certificates, keys, reports.
enum SmallFile {
    /// The text of a file with certificates or keys.
    static func text(_ path: String) throws(StorageError) -> String {
        String(decoding: try bytes(path, most: 1 << 20), as: UTF8.self)
    }

    /// - Throws: If the file cannot be read, or is larger than `most` bytes.
    static func bytes(_ path: String, most: Int) throws(StorageError) -> [UInt8] {
        guard let file = fopen(path, "re") else { throw StorageError.system("open", path, errno: errno) }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&part, 1, part.count, file)
            guard ferror(file) == 0 else { throw StorageError.system("read", path, errno: errno) }
            guard count > 0 else { return bytes }
            bytes += part.prefix(count)
            guard bytes.count <= most else {
                throw StorageError(.configuration, "\(path) is larger than any file of its kind (\(most) bytes).")
            }
        }
    }

    /// The bytes of a file that begins with a byte; `nil` for any other file, of which no more is read.
    ///
    /// - Throws: If the file cannot be read, or is larger than `most` bytes.
    static func text(_ path: String, most: Int, ifItBeginsWith first: UInt8) throws(StorageError) -> [UInt8]? {
        guard let file = fopen(path, "re") else { throw StorageError.system("open", path, errno: errno) }
        let byte = fgetc(file)
        fclose(file)
        return byte == Int32(first) ? try bytes(path, most: most) : nil
    }
}
