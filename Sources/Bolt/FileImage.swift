import CSystem
import Glibc
import Synchronization
import Wording

/// The bytes of one file: a read-only map with its shared lock, or a copy in memory for tests.
///
/// The map lives as long as somebody refers to it, so that no pointer into it dangles; `close` only gives back the
/// lock and the resident pages and lets every later operation fail.
///
/// A file that is cut, or that the disk cannot give, while it is mapped reads as zeros from there on; ``trusting(_:)``
/// finds out before anything read is believed.
///
/// Unchecked because of the two pointers: both are set once, and the bytes behind them are never written.
final class FileImage: @unchecked Sendable {
    let path: String
    let base: UnsafeRawPointer
    /// Size of the file when it was mapped: the only bound. The map itself may reach further.
    let size: Int
    private let mapping: UnsafeMutableRawPointer
    private let mappingSize: Int
    private let isFile: Bool
    private let descriptor: Mutex<Int32?>
    private let closed = Atomic<Bool>(false)
    /// The guard of the map; -1 for a copy in memory.
    let guardSlot: Int32
    /// When the file had last been written to when it was mapped; `nil` if it may be written back meanwhile.
    let lastWrite: timespec?
    private let residency = Mutex(Residency())

    /// Pages handed out since resident pages were last given back. `low` and `high` are byte offsets.
    private struct Residency {
        var bytes = 0
        var low = Int.max
        var high = 0
    }

    /// Mapped pages count as resident memory; this much of them is let stand.
    private static let residentLimit = 24 << 20

    /// - Parameter isSettled: Whether the file was written by others, long ago: then a write meanwhile is an error.
    /// - Throws: `.notFound`, `.inUse`, `.unsupported` (not a regular file), `.truncated` (too small for two pages),
    ///   `.io`.
    init(path: String, isSettled: Bool = true) throws(BoltError) {
        // Without O_NONBLOCK, opening a named pipe would wait for a writer.
        let fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard fd >= 0 else { throw FileImage.openFailure(path, errno) }
        do throws(BoltError) {
            let (size, lastWrite) = try FileImage.lockAndMeasure(fd, path)
            guard let map = mmap(nil, size, PROT_READ, MAP_SHARED, fd, 0), map != MAP_FAILED else {
                let number = errno
                throw BoltError(.io, path, "the file cannot be mapped: \(systemText(number)).", errno: number)
            }
            self.path = path
            self.size = size
            mapping = map
            mappingSize = size
            base = UnsafeRawPointer(map)
            guardSlot = cs_guard_map(map, size)
            self.lastWrite = isSettled ? lastWrite : nil
            isFile = true
            descriptor = Mutex(fd)
        } catch {
            _ = Glibc.close(fd)
            throw error
        }
    }

    /// A copy of `image`, placed so that one byte past its end traps: an overrun cannot go unnoticed in a test.
    init(image: [UInt8], name: String) throws(BoltError) {
        let systemPage = Int(sysconf(Int32(_SC_PAGESIZE)))
        let room = (image.count + systemPage - 1) / systemPage * systemPage
        let total = room + systemPage
        guard image.count >= 2 * Layout.minPageSize else { throw FileImage.tooSmall(name, image.count) }
        guard let map = mmap(nil, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            map != MAP_FAILED, mprotect(map + room, systemPage, PROT_NONE) == 0
        else { throw BoltError(.io, name, "there is no memory for a copy of the file.", errno: errno) }
        let start = map + (room - image.count)
        image.withUnsafeBytes { start.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(start), byteCount: $0.count) }
        path = name
        size = image.count
        mapping = map
        mappingSize = total
        base = UnsafeRawPointer(start)
        isFile = false
        guardSlot = -1
        lastWrite = nil
        descriptor = Mutex(nil)
    }

    deinit {
        close()
        cs_guard_release(guardSlot)
        munmap(mapping, mappingSize)
    }

    func close() {
        descriptor.withLock { fd in
            guard let open = fd else { return }
            // Closing alone would leave the lock to a child process that is between fork and exec.
            _ = flock(open, LOCK_UN)
            _ = Glibc.close(open)
            fd = nil
        }
        if !closed.exchange(true, ordering: .sequentiallyConsistent) {
            releaseAll()
        }
    }

    /// What the system says of the file now; `nil` after `close`, and for a copy in memory.
    func currentStatus() -> stat? {
        descriptor.withLock { fd in
            var status = stat()
            guard let fd, fstat(fd, &status) == 0 else { return nil }
            return status
        }
    }

    func requireOpen() throws(BoltError) {
        guard !closed.load(ordering: .relaxed) else {
            throw BoltError(.invalidInput, path, "the reader was closed and cannot be used any more.")
        }
    }

    /// Tells the kernel that none of the mapped pages is needed right now. They come back from the page cache.
    func releaseAll() {
        guard isFile else { return }
        _ = madvise(mapping, mappingSize, MADV_DONTNEED)
    }

    /// Adds what one thread touched, and gives pages back when it is time. Only the range touched since the last time
    /// is given back: walking the page tables of a whole large map would cost more than the reading.
    func addTouched(bytes: Int, low: Int, high: Int) {
        guard isFile, bytes > 0 else { return }
        let range: Range<Int>? = residency.withLock { touched in
            touched.bytes += bytes
            touched.low = min(touched.low, low)
            touched.high = max(touched.high, high)
            guard touched.bytes >= FileImage.residentLimit else { return nil }
            defer { touched = Residency() }
            return touched.low..<touched.high
        }
        guard let range else { return }
        // The kernel maps up to 64 KiB around a page that is touched.
        let around = 64 << 10
        let start = max(0, range.lowerBound / around * around - around)
        let end = min(mappingSize, range.upperBound + around)
        _ = madvise(mapping + start, end - start, MADV_DONTNEED)
    }

    private static func lockAndMeasure(
        _ fd: Int32, _ path: String
    ) throws(BoltError) -> (size: Int, lastWrite: timespec) {
        var status = stat()
        guard fstat(fd, &status) == 0 else {
            let number = errno
            throw BoltError(.io, path, "its size cannot be read: \(systemText(number)).", errno: number)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            let kind = status.st_mode & S_IFMT == S_IFDIR ? "a directory" : "not a regular file"
            throw BoltError(
                .unsupported, path, "this is \(kind), where a bbolt file is expected. Name the file itself.")
        }
        // The lock comes before the size counts, so that no cooperating writer changes it afterwards.
        guard flock(fd, LOCK_SH | LOCK_NB) == 0 else {
            let number = errno
            guard number == EWOULDBLOCK else {
                throw BoltError(.io, path, "the file cannot be locked: \(systemText(number)).", errno: number)
            }
            throw BoltError(
                .inUse, path, "another process has the file open for writing. Stop the server that owns it first.",
                errno: number)
        }
        guard fstat(fd, &status) == 0, status.st_size >= 2 * Layout.minPageSize else {
            throw tooSmall(path, Int(status.st_size))
        }
        return (Int(status.st_size), status.st_mtim)
    }

    private static func openFailure(_ path: String, _ number: Int32) -> BoltError {
        number == ENOENT || number == ENOTDIR
            ? BoltError(.notFound, path, "there is no such file.", errno: number)
            : BoltError(.io, path, "the file cannot be opened: \(systemText(number)).", errno: number)
    }

    private static func tooSmall(_ path: String, _ size: Int) -> BoltError {
        let what = size == 0 ? "the file is empty" : "the file has only \(size) \(plural(size, "byte"))"
        return BoltError(.truncated, path, "\(what), too few for the two meta pages. Use an intact copy or a snapshot.")
    }
}

/// The operating system's words for an error number.
func systemText(_ number: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 128)
    guard strerror_r(number, &buffer, buffer.count) == 0 else { return "error \(number)" }
    let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    return String(decoding: bytes, as: UTF8.self)
}
