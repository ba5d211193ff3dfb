import CSystem
import Glibc
package import RaftFormat
package import Storage

/// An archive's file, open for reading: what is read is always the file that was opened, whatever its name leads to
/// later.
package final class SnapshotFile: Sendable {
    private static let pieceBytes = 1 << 20

    package let path: String
    /// Bytes of the file when it was opened.
    package let size: Int
    private let descriptor: Int32

    /// Opens a file and looks at its beginning.
    ///
    /// - Throws: `.missingStore` if there is none, `.damagedStore` saying what it is if it is no gzip file.
    package init(path: String) throws(StorageError) {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            guard errno == ENOENT || errno == ENOTDIR else { throw StorageError.system("open", path, errno: errno) }
            throw StorageError(
                .missingStore, "open \(path): no such file or directory. Name the file of a snapshot.")
        }
        var info = stat()
        guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
            Glibc.close(descriptor)
            throw StorageError(
                .missingStore,
                info.st_mode & S_IFMT == S_IFDIR
                    ? "\(path) is a folder. Name the file of a snapshot; a node's directory is read as "
                        + "storage_source \"raft\"."
                    : "\(path) is no regular file. Save the snapshot to a file first, and name that.")
        }
        size = Int(info.st_size)
    }

    deinit { Glibc.close(descriptor) }

    /// Sees that the file begins as gzip does.
    ///
    /// - Throws: ``SnapshotDefect`` naming what it is instead; what the system says.
    package func checkBeginning() throws {
        var head = [UInt8](repeating: 0, count: SnapshotLookalike.headBytes)
        let count = try head.withUnsafeMutableBytes { try read(into: $0, at: 0) }
        head.removeLast(head.count - count)
        if let defect = SnapshotLookalike.identify(head, isWhole: count == size, path: path) { throw defect }
    }

    /// Reads the archive from its beginning to its end.
    ///
    /// - Parameters:
    ///   - isCancelled: Asked for every mebibyte.
    ///   - begun: Told what `meta.json` says, not verified, once it was read.
    ///   - state: Is given the bytes of `state.bin`, tentative; `false` ends the reading.
    /// - Returns: What the archive holds besides, verified; `nil` if `state` ended the reading.
    /// - Throws: ``SnapshotDefect``, `.cancelled`, what the system says, what `state` throws.
    package func read(
        isCancelled: () -> Bool, begun: (SnapshotMeta) -> Void = { _ in },
        state: @escaping (UnsafeRawBufferPointer) throws -> Bool
    ) throws -> SnapshotParser.Contents? {
        try checkBeginning()
        let parser = try SnapshotParser(state: state)
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceBytes, alignment: 16)
        defer { piece.deallocate() }
        var offset = 0
        var isBegun = false
        while true {
            if isCancelled() { throw StorageError.cancelled }
            let count = try read(into: piece, at: offset)
            guard count > 0 else { break }
            offset += count
            let goesOn = try parser.take(UnsafeRawBufferPointer(rebasing: piece[..<count]))
            if !isBegun, let meta = parser.meta {
                isBegun = true
                begun(meta)
            }
            guard goesOn else { return nil }
        }
        return try parser.finish()
    }

    private func read(into room: UnsafeMutableRawBufferPointer, at offset: Int) throws(StorageError) -> Int {
        while true {
            let count = pread(descriptor, room.baseAddress, room.count, off_t(offset))
            if count >= 0 { return count }
            guard errno == EINTR else { throw StorageError.system("read", path, errno: errno) }
        }
    }
}

extension StorageError {
    /// What went wrong with an archive, in the words of the storage model.
    static func ofSnapshot(_ error: any Error, _ path: String) -> StorageError {
        switch error {
        case let error as StorageError: error
        case let defect as SnapshotDefect: StorageError(.damagedStore, "\(path): \(defect.message)")
        default: StorageError(.io, "\(path): \(error)")
        }
    }
}
