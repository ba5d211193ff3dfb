private import CSystem
import Glibc

/// Writes the pages of a new file from front to back in large pieces; only the two meta pages are written twice.
final class PageWriter {
    let path: String
    let pageSize: Int
    /// The number the next page will get.
    private(set) var nextPage: PageID = 2

    private var descriptor: Int32
    private let buffer: UnsafeMutableRawPointer
    private var used = 0
    private var flushed = 0
    private var handedToDisk = 0
    private let ownsName: Bool
    /// Whether pages are only counted.
    private let isMeasuring: Bool

    private static let capacity = 256 << 10
    /// Larger pieces go to the kernel from where they are.
    private static let directSize = 128 << 10
    /// Starting the disk early makes the final fsync two to three times shorter.
    private static let writeBehind = 8 << 20

    /// Creates the file, which must not exist, for the owner only, and leaves room for the meta pages.
    convenience init(path: String, pageSize: Int) throws(BoltError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            let number = errno
            let advice =
                switch number {
                case EEXIST: " Remove it or choose another name."
                case ENOSPC, EDQUOT: " Free some space and start again."
                default: ""
                }
            throw BoltError(.io, path, "the file cannot be created: \(systemText(number)).\(advice)", errno: number)
        }
        try self.init(descriptor: descriptor, path: path, pageSize: pageSize, ownsName: true)
    }

    /// Writes into an empty file that is open for writing, and leaves room for the meta pages.
    ///
    /// - Parameters:
    ///   - descriptor: The writer's to close, whatever happens.
    ///   - path: What to call the file in messages.
    ///   - ownsName: Whether ``discard()`` removes what stands at the path.
    init(descriptor: Int32, path: String, pageSize: Int, ownsName: Bool = false) throws(BoltError) {
        self.path = path
        self.pageSize = pageSize
        self.ownsName = ownsName
        self.descriptor = descriptor
        isMeasuring = false
        buffer = .allocate(byteCount: Self.capacity, alignment: 4_096)
        try appendZeros(2 * pageSize)
    }

    /// Counts the pages that a file would have, and writes nothing.
    init(measuring pageSize: Int) throws(BoltError) {
        path = ""
        self.pageSize = pageSize
        ownsName = false
        isMeasuring = true
        descriptor = -1
        buffer = .allocate(byteCount: Self.capacity, alignment: 4_096)
        try appendZeros(2 * pageSize)
    }

    deinit {
        if descriptor >= 0 { _ = Glibc.close(descriptor) }
        buffer.deallocate()
    }

    var bytesWritten: Int { flushed + used }

    /// Writes the header of the next page, whose content of `size` bytes (header included) must follow by `append`
    /// and be closed by `endPage`.
    func beginPage(flags: UInt16, count: Int, size: Int) throws(BoltError) -> PageID {
        let pages = max(1, (size + pageSize - 1) / pageSize)
        let id = nextPage
        if Self.capacity - used < Layout.pageHeaderSize { try flush() }
        let header = buffer + used
        header.put(id, at: 0)
        header.put(flags, at: 8)
        header.put(UInt16(count), at: 10)
        header.put(UInt32(pages - 1), at: 12)
        used += Layout.pageHeaderSize
        nextPage += PageID(pages)
        return id
    }

    /// Fills the page run begun last with zeros.
    func endPage() throws(BoltError) {
        try appendZeros(Int(nextPage) * pageSize - bytesWritten)
    }

    func append(_ start: UnsafeRawPointer, _ count: Int) throws(BoltError) {
        if count <= Self.capacity - used {
            (buffer + used).copyMemory(from: start, byteCount: count)
            used += count
            return
        }
        if count >= Self.directSize {
            try flush()
            try write(start, count)
            return
        }
        let head = Self.capacity - used
        (buffer + used).copyMemory(from: start, byteCount: head)
        used = Self.capacity
        try flush()
        buffer.copyMemory(from: start + head, byteCount: count - head)
        used = count - head
    }

    /// Makes all pages durable, then writes both meta pages and makes them durable too.
    func finish(root: PageID, freeList: PageID) throws(BoltError) {
        try flush()
        try sync()
        try writeMetaPages(root: root, freeList: freeList)
        try makeDurable()
    }

    /// Writes everything without waiting for the disk; ``makeDurable()`` must follow before the file gets its name.
    func complete(root: PageID, freeList: PageID) throws(BoltError) {
        try flush()
        try writeMetaPages(root: root, freeList: freeList)
    }

    /// Waits for the disk and closes the file.
    func makeDurable() throws(BoltError) {
        try sync()
        let fd = descriptor
        descriptor = -1
        guard Glibc.close(fd) == 0 else { throw failure("closed") }
    }

    private func writeMetaPages(root: PageID, freeList: PageID) throws(BoltError) {
        if isMeasuring { return }
        // The next commit has number 3 and overwrites page 1, the older of the two.
        for (number, txID) in [(UInt64(0), UInt64(2)), (1, 1)] {
            let meta = MetaPage(
                pageSize: pageSize, root: root, freeList: freeList, highWaterMark: nextPage, txID: txID)
            meta.write(to: buffer, number: number)
            var done = 0
            while done < Layout.metaEnd {
                let count = pwrite(
                    descriptor, buffer + done, Layout.metaEnd - done, off_t(Int(number) * pageSize + done))
                guard count > 0 || errno == EINTR else { throw failure("written") }
                done += max(0, count)
            }
        }
    }

    /// Closes and deletes the file. Harmless after `finish` in that it then does nothing.
    func discard() {
        guard descriptor >= 0 else { return }
        _ = Glibc.close(descriptor)
        descriptor = -1
        if ownsName { _ = unlink(path) }
    }

    private func appendZeros(_ count: Int) throws(BoltError) {
        var left = count
        while left > 0 {
            if used == Self.capacity { try flush() }
            let piece = min(left, Self.capacity - used)
            memset(buffer + used, 0, piece)
            used += piece
            left -= piece
        }
    }

    private func flush() throws(BoltError) {
        try write(buffer, used)
        used = 0
    }

    private func write(_ start: UnsafeRawPointer, _ count: Int) throws(BoltError) {
        if isMeasuring {
            flushed += count
            return
        }
        var done = 0
        while done < count {
            let written = Glibc.write(descriptor, start + done, min(count - done, Self.writeBehind))
            guard written > 0 || errno == EINTR else { throw failure("written") }
            done += max(0, written)
            flushed += max(0, written)
            if flushed - handedToDisk >= Self.writeBehind {
                // Only a hint: whatever goes wrong here shows at fsync.
                _ = cs_sync_file_range(descriptor, Int64(handedToDisk), Int64(flushed - handedToDisk))
                handedToDisk = flushed
            }
        }
    }

    private func sync() throws(BoltError) {
        while fsync(descriptor) != 0 {
            guard errno == EINTR else { throw failure("made durable") }
        }
    }

    private func failure(_ what: String) -> BoltError {
        let number = errno
        let advice =
            [ENOSPC, EDQUOT].contains(number) ? " Free some space and start again." : " Start again with a new file."
        return BoltError(.io, path, "the file cannot be \(what): \(systemText(number)).\(advice)", errno: number)
    }
}
