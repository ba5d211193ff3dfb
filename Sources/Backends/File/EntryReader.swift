import CSystem
import Glibc
import JSON
import Storage

/// Reads entry files into batches; one per thread, with a buffer that is kept.
final class EntryReader {
    /// Largest file taken for an entry; a server's own request limit is 32 MiB.
    static let maximumFileBytes = 2 << 30

    private var buffer: UnsafeMutableRawBufferPointer
    private let dropping: CacheDropping?

    /// - Parameter dropping: Has the system forget each file before it is read.
    init(_ dropping: CacheDropping? = nil) {
        self.dropping = dropping
        buffer = .allocate(byteCount: 64 << 10, alignment: 16)
    }

    deinit {
        buffer.deallocate()
    }

    /// What a file held.
    enum Outcome {
        case appended
        /// The file has no content: a server takes it for absent.
        case empty
        /// The file is gone since the folder was read.
        case gone
        /// The content is no envelope.
        case damaged(EntryEnvelope.Damage)
    }

    /// Reads one file and appends its entry.
    ///
    /// - Parameters:
    ///   - name: The file's name, terminated.
    ///   - key: The entry's whole key.
    func read(
        _ name: UnsafePointer<CChar>, in directory: DirectoryHandle, key: UnsafeRawBufferPointer, into batch: EntryBatch
    ) throws(StorageError) -> Outcome {
        guard let content = try content(name, in: directory) else { return .gone }
        guard !content.isEmpty else { return .empty }
        if let text = EntryEnvelope.canonicalText(content) {
            let room = Base64.maximumDecodedCount(text.count)
            if batch.append(key: key, maximumValueCount: room, fill: { Base64.decode(text, into: $0) }) {
                return .appended
            }
        }
        do throws(EntryEnvelope.Damage) {
            let value = try EntryEnvelope.value(in: content)
            value.withUnsafeBytes { batch.append(key: key, value: $0) }
            return .appended
        } catch {
            return .damaged(error)
        }
    }

    /// The file's bytes, borrowed until the next call; `nil` if there is no such file.
    func content(_ name: UnsafePointer<CChar>, in directory: DirectoryHandle) throws(StorageError)
        -> UnsafeRawBufferPointer?
    {
        let descriptor = cs_open_read(directory.descriptor, name)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw failure("open", directory, name)
        }
        defer { Glibc.close(descriptor) }
        dropping?.drop(descriptor)
        var filled = 0
        while true {
            if filled == buffer.count { try grow(directory, name) }
            let room = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            let count = Glibc.read(descriptor, room.baseAddress, room.count)
            if count < 0 {
                if errno == EINTR { continue }
                if errno == EISDIR { return nil }
                throw failure("read", directory, name)
            }
            filled += count
            let content = UnsafeRawBufferPointer(rebasing: buffer[..<filled])
            // A short read that ends as an envelope ends is the whole file: saves a call per entry.
            if count == 0 || (filled < buffer.count && EntryEnvelope.looksWhole(content)) { return content }
        }
    }

    private func grow(_ directory: DirectoryHandle, _ name: UnsafePointer<CChar>) throws(StorageError) {
        guard buffer.count < Self.maximumFileBytes else {
            let place = "\(directory.path)/\(String(cString: name))"
            throw StorageError(.damagedEntry, "\(place) is larger than any entry can be (2 GiB). Move it away.")
        }
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: buffer.count * 4, alignment: 16)
        larger.copyMemory(from: UnsafeRawBufferPointer(buffer))
        buffer.deallocate()
        buffer = larger
    }

    private func failure(
        _ action: String, _ directory: DirectoryHandle, _ name: UnsafePointer<CChar>
    ) -> StorageError {
        let number = errno
        let bytes = UnsafeRawBufferPointer(start: name, count: strlen(name))
        return StorageError.system(action, "\(directory.path)/\(escapedKey(bytes))", errno: number)
    }
}
