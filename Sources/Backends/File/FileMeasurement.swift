import Glibc
import Storage

/// Counts what a store holds from the sizes of its files, opening none.
enum FileMeasurement {
    static func run(_ root: DirectoryHandle, _ request: ScanRequest) throws(StorageError) -> StoreSize {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 << 10, alignment: 16)
        defer { buffer.deallocate() }
        var (entries, bytes) = (0, 0)
        var walk = try FileWalk(root: root, request: request, buffer: buffer)
        while let chunk = try walk.nextChunk() {
            for file in chunk.files {
                let folder = chunk.folders[file.folder]
                entries += 1
                bytes = bytes.clampedSum(folder.prefix.count + file.keyCount)
                var info = stat()
                let isThere = chunk.withName(file) { name, _ in
                    fstatat(folder.directory.descriptor, name, &info, 0) == 0
                }
                // Three quarters of the text are the value: that is base64.
                if isThere == true { bytes = bytes.clampedSum(Int(info.st_size) / 4 * 3) }
            }
        }
        return StoreSize(entries: entries, directories: walk.foldersEntered, bytes: bytes)
    }
}
