import Glibc

/// One file of the write-ahead log, read by position: nothing keeps others from cutting it meanwhile, and a map of it
/// would end the process then.
final class SegmentFile: Sendable {
    /// Bytes of the header: magic and version, BaseIndex, ID, codec, 8 bytes each, little-endian.
    static let headerBytes = 32
    /// Magic `0x58eb6b0d`, three zeros and the version 0.
    private static let magic: UInt64 = 0x58eb_6b0d
    /// Longest entry that the library reads back.
    static let longestEntry = 64 << 20

    /// What a file has in common with itself at another time, as long as nobody changes it.
    struct Stamp: Sendable, Equatable {
        fileprivate let numbers: [Int]

        fileprivate init(_ status: stat) {
            numbers = [
                Int(truncatingIfNeeded: status.st_dev), Int(truncatingIfNeeded: status.st_ino),
                Int(truncatingIfNeeded: status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
            ]
        }
    }

    let info: SegmentInfo
    let path: String
    let size: Int
    let stamp: Stamp
    private let descriptor: Int32

    /// - Returns: `nil` if there is no such file.
    init?(_ info: SegmentInfo, in folder: String) throws(RaftFormatError) {
        self.info = info
        path = "\(folder)/\(info.name)"
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else {
            switch errno {
            case ENOENT: return nil
            case ELOOP:
                throw RaftFormatError("\(path) is a link: what it leads to is not read. Put the file itself there")
            default: throw RaftFormatError("\(path) cannot be opened: \(String(cString: strerror(errno)))")
            }
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            Glibc.close(descriptor)
            throw RaftFormatError("\(path) is no file")
        }
        self.descriptor = descriptor
        size = Int(status.st_size)
        stamp = Stamp(status)
    }

    deinit { Glibc.close(descriptor) }

    func damaged(_ reason: String) -> RaftFormatError { RaftFormatError("\(path): \(reason)") }

    /// Fills `room` from a position on.
    ///
    /// - Returns: Bytes read; fewer than there is room for only at the end of the file.
    func read(at offset: Int, into room: UnsafeMutableRawBufferPointer) throws(RaftFormatError) -> Int {
        var filled = 0
        while filled < room.count {
            let count = pread(
                descriptor, room.baseAddress.map { $0 + filled }, room.count - filled, off_t(offset + filled))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw damaged("it cannot be read: \(String(cString: strerror(errno)))") }
            if count == 0 { break }
            filled += count
        }
        return filled
    }

    /// Bytes from a position on, fewer at the end of the file.
    func bytes(at offset: Int, _ count: Int) throws(RaftFormatError) -> [UInt8] {
        let available = min(count, max(size - offset, 0))
        var bytes = [UInt8](repeating: 0, count: available)
        var failure: RaftFormatError?
        var filled = 0
        bytes.withUnsafeMutableBytes { room in
            do throws(RaftFormatError) { filled = try read(at: offset, into: room) } catch { failure = error }
        }
        if let failure { throw failure }
        return filled == bytes.count ? bytes : Array(bytes.prefix(filled))
    }

    /// Holds the header against the list.
    func checkHeader() throws(RaftFormatError) {
        let header = try bytes(at: 0, Self.headerBytes)
        let wanted = [Self.magic, info.baseIndex, info.id, info.codec]
        let isRight =
            header.count == Self.headerBytes
            && header.withUnsafeBytes { header in
                wanted.indices.allSatisfy {
                    UInt64(littleEndian: header.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self)) == wanted[$0]
                }
            }
        guard isRight else { throw damaged("the header does not match wal-meta.db") }
    }

    /// The entry whose frame begins at a position.
    func withEntry<Answer>(
        _ index: UInt64, at offset: Int, _ body: (Result<StoredEntry, DamagedEntry>) throws -> Answer
    ) throws -> Answer {
        func refuse(_ reason: String) -> Result<StoredEntry, DamagedEntry> {
            .failure(DamagedEntry(index: index, reason: "\(path): entry \(index) is damaged: \(reason)"))
        }
        let head = try bytes(at: offset, 8)
        guard head.count == 8, head[0] == FrameKind.entry.rawValue else {
            return try body(refuse("no entry begins at byte \(offset)"))
        }
        let count = Int(littleEndian32(head, 4))
        guard count <= Self.longestEntry else { return try body(refuse("it has \(count) bytes, more than 64 MiB")) }
        let content = try bytes(at: offset + 8, count)
        guard content.count == count else { return try body(refuse("the file ends inside it")) }
        return try content.withUnsafeBytes { content in
            let entry: StoredEntry
            do throws(RaftFormatError) {
                entry = try StoredEntry(writeAhead: content)
            } catch {
                return try body(refuse(error.description))
            }
            guard entry.index == index else { return try body(refuse("it calls itself \(entry.index)")) }
            return try body(.success(entry))
        }
    }
}

/// What a frame of a segment is: its first byte.
enum FrameKind: UInt8 {
    case entry = 1
    /// The offsets of all entries.
    case array = 2
    /// The end of a batch, with its checksum.
    case commit = 3
}

/// The number in four little-endian bytes.
func littleEndian32(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
    bytes[offset..<(offset + 4)].reversed().reduce(0) { $0 << 8 | UInt32($1) }
}
