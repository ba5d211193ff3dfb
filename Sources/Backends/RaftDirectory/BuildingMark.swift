import CSystem
import Files
import Glibc
import Storage

/// The file that says that a building folder is this product's, and whose lock says who builds in it.
///
/// | Line | What |
/// | --- | --- |
/// | 1 | ``header``: without it the folder is not ours, and nothing in it is touched |
/// | 2 | who builds, or built last, for messages |
/// | 3 | `moving N`: the folder `raft` with inode N is being moved up into the final directory; or nothing |
struct BuildingMark {
    static let name = "sealift-building"
    static let header = "sealift building folder 1\n"
    /// A mark is a few lines.
    private static let maximumBytes = 4096

    var holder = ""
    var movedInode: UInt64?

    /// What a kill leaves of a mark that is being written for the first time; a power cut may leave zeros in its place.
    static func isBegun(_ bytes: [UInt8]) -> Bool {
        bytes.allSatisfy { $0 == 0 } || header.utf8.starts(with: bytes) && bytes.count < header.utf8.count
    }

    init(holder: String) { self.holder = holder }

    /// - Returns: `nil` for anything but a mark.
    init?(decoding bytes: [UInt8]) {
        guard bytes.starts(with: Self.header.utf8) else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        if lines.count > 1 { holder = String(lines[1]) }
        if lines.count > 2, lines[2].hasPrefix("moving ") { movedInode = UInt64(lines[2].dropFirst(7)) }
    }

    /// - Parameter holder: One line.
    private var encoded: [UInt8] {
        let holder = holder.replacing("\n", with: " ").prefix(2000)
        return Array("\(Self.header)\(holder)\n\(movedInode.map { "moving \($0)\n" } ?? "")".utf8)
    }

    static func bytes(of descriptor: Int32, _ path: String) throws(StorageError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: maximumBytes)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count >= 0 else { throw StorageError.system("read", path, errno: errno) }
        return Array(bytes[..<count])
    }

    /// Writes the mark in place, durably. Its first line never changes, so that a kill leaves a mark.
    func write(to descriptor: Int32, _ path: String) throws(StorageError) {
        let bytes = encoded
        try writeAll(bytes, to: descriptor, path, at: 0)
        guard ftruncate(descriptor, off_t(bytes.count)) == 0, fsync(descriptor) == 0 else {
            throw StorageError.system("write", path, errno: errno)
        }
    }
}
