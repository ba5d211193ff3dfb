import CSystem
import Files
import Glibc
package import Storage
import Synchronization

/// The `file` storage of Vault and OpenBao: a folder per directory, a file `_leaf` per entry
/// (Vault 1.14 `physical/file/file.go`; the layout is described in this room's page).
package final class FileBackend: KeyValueStore, StorageDestination {
    /// A file's name has at most 255 bytes, of which the underscore and `.temp` take six.
    static let maximumSegmentBytes = 249

    package let kind = "file"
    package let location: String
    private let path: String
    private let root: Mutex<DirectoryHandle?>
    /// Whether anything may be written.
    let isWritable: Bool
    private let isClosed = Mutex(false)
    /// For a store whose scans are to read the disk.
    private let dropping: CacheDropping?
    /// Held by `put` and `delete`: one makes folders, the other removes empty ones.
    private let writing = Mutex(())

    /// Opens a store.
    ///
    /// - Parameters:
    ///   - path: The store's folder, taken as it is.
    ///   - mustExist: Whether a missing folder is an error; else it is made by the first write.
    package convenience init(path: String, mustExist: Bool, writable: Bool = true) throws(StorageError) {
        try self.init(path: path, mustExist: mustExist, writable: writable, dropping: nil)
    }

    init(path: String, mustExist: Bool, writable: Bool, dropping: CacheDropping?) throws(StorageError) {
        self.dropping = dropping
        self.path = path
        self.location = path
        self.isWritable = writable
        do throws(StorageError) {
            self.root = Mutex(try DirectoryHandle(path, in: nil, path: path))
        } catch {
            let number = Self.obstacle(path)
            guard !mustExist, number == ENOENT || number == ENOTDIR else {
                throw number == ENOENT
                    ? StorageError(
                        .missingStore,
                        "stat \(path): no such file or directory. A source is never created: correct its path.")
                    : error
            }
            self.root = Mutex(nil)
        }
    }

    /// Why a path cannot be opened as a folder: ENOENT, ENOTDIR, another error number, or 0 if it now can.
    ///
    /// Asked of the system anew: the number that an error left behind may be another call's by then.
    static func obstacle(_ path: String) -> Int32 {
        var info = stat()
        guard stat(path, &info) == 0 else { return errno }
        return info.st_mode & S_IFMT == S_IFDIR ? 0 : ENOTDIR
    }

    package var identity: StoreIdentity {
        let resolved = resolvedPath(path)
        return StoreIdentity("file:\(resolved)", path: resolved)
    }

    package var traits: SourceTraits { SourceTraits(isAscending: true) }

    package var serverUse: ServerUse? { .singleWrites }

    package var rules: EntryRules {
        [
            // A path of 4,096 bytes is the most the system takes; the root's own path counts.
            .emptyKey, .longerKey(than: max(4096 - path.utf8.count - 16, 1)), .zeroByte, .parentReference,
            .uncleanedKey,
            .longerSegment(than: Self.maximumSegmentBytes), .entryBesideItsUnderscoredName,
        ]
    }

    /// The root folder; `nil` while a destination has none.
    func openRoot() throws(StorageError) -> DirectoryHandle? {
        try root.withLock { root throws(StorageError) -> DirectoryHandle? in
            if let root { return root }
            try checkOpen()
            // A file in the folder's place is told by the look before the first write.
            var info = stat()
            guard stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else { return nil }
            let handle = try DirectoryHandle(path, in: nil, path: path)
            root = handle
            return handle
        }
    }

    /// The root folder with a reading position of its own: readers on other threads share the other one.
    private func openRootForReading() throws(StorageError) -> DirectoryHandle? {
        guard let root = try openRoot() else { return nil }
        return try DirectoryHandle(".", in: root, path: path)
    }

    private func checkOpen() throws(StorageError) {
        if isClosed.withLock({ $0 }) { throw StorageError(.io, "file: the store was closed.") }
    }

    private func checkWritable() throws(StorageError) {
        try checkOpen()
        guard isWritable else { throw StorageError(.unsupported, "\(path) was opened for reading only.") }
    }

    package func get(_ key: StorageKey) throws(StorageError) -> [UInt8]? {
        guard let root = try openRoot() else { return nil }
        let file = try relativePath(of: key)
        let batch = EntryBatch(capacity: 4096)
        let reader = EntryReader()
        let outcome = try key.bytes.withBytes { bytes throws(StorageError) in
            try file.withUnsafeBufferPointer { file throws(StorageError) in
                guard let name = file.baseAddress else { return EntryReader.Outcome.gone }
                return try reader.read(name, in: root, key: bytes, into: batch)
            }
        }
        switch outcome {
        case .appended: return Array(batch.value(0))
        case .empty, .gone: return nil
        case .damaged(let damage):
            throw StorageError(
                .damagedEntry,
                "\(damage.message): the file of entry \(key) in \(path), byte \(damage.offset). "
                    + "Restore it from a backup.", key: key)
        }
    }

    package func put(_ key: StorageKey, _ value: [UInt8]) throws(StorageError) {
        try checkWritable()
        try whileAlone { writer throws(StorageError) in try Self.put(key, value, writer) }
    }

    package func replace(
        _ key: StorageKey, _ expected: [UInt8]?, with value: [UInt8]
    ) throws(StorageError) -> Bool {
        try checkWritable()
        var isWritten = false
        try whileAlone { writer throws(StorageError) in
            guard try get(key) == expected else { return }
            try Self.put(key, value, writer)
            isWritten = true
        }
        return isWritten
    }

    private static func put(_ key: StorageKey, _ value: [UInt8], _ writer: EntryWriter) throws(StorageError) {
        try key.bytes.withBytes { key throws(StorageError) in
            try value.withBytes { value throws(StorageError) in try writer.write(key, value, durably: true) }
        }
    }

    package func delete(_ key: StorageKey) throws(StorageError) {
        try checkWritable()
        guard let root = try openRoot() else { return }
        let file = try relativePath(of: key)
        try whileAlone { _ throws(StorageError) in try remove(file, in: root, key) }
    }

    /// Runs `body` while no other thread, and no other run of ours, writes single entries: one would make a folder that
    /// another removes, or both the same file on its way to its name.
    private func whileAlone(_ body: (EntryWriter) throws(StorageError) -> Void) throws(StorageError) {
        try writing.withLock { _ throws(StorageError) in
            let writer = try EntryWriter(root: path, owner: nil, rules: rules)
            let lock = try FolderLock(path)
            try body(writer)
            withExtendedLifetime(lock) {}
        }
    }

    private func remove(_ file: [CChar], in root: DirectoryHandle, _ key: StorageKey) throws(StorageError) {
        guard unlinkat(root.descriptor, file, 0) == 0 else {
            // A folder of that name belongs to other keys; the entry itself is not there.
            guard errno == ENOENT || errno == ENOTDIR || errno == EISDIR else {
                throw StorageError.system("delete", "\(path): entry \(key)", errno: errno, key: key)
            }
            return
        }
        // As a server does: folders that became empty go, the store's own folder stays.
        var file = file
        while let slash = file.lastIndex(of: CChar(bitPattern: UInt8(ascii: "/"))) {
            file[slash] = 0
            file.removeLast(file.count - slash - 1)
            guard unlinkat(root.descriptor, file, AT_REMOVEDIR) == 0 else {
                return try syncFolder(file, in: root)
            }
        }
        try syncFolder([CChar(bitPattern: UInt8(ascii: ".")), 0], in: root)
    }

    /// Makes a removal durable: the entry that went stood in this folder.
    private func syncFolder(_ name: [CChar], in root: DirectoryHandle) throws(StorageError) {
        let folder = try DirectoryHandle(name, in: root, path: path)
        try Files.syncFolder(folder.descriptor, path)
    }

    package func list(_ prefix: StorageKey) throws(StorageError) -> [StorageKey] {
        guard let root = try openRootForReading() else { return [] }
        var folder = root
        if !prefix.bytes.isEmpty {
            try refuseUnsafe(prefix)
            let name = prefix.bytes.dropLast().map { CChar(bitPattern: $0) } + [0]
            guard access(name, in: root) else { return [] }
            folder = try DirectoryHandle(name, in: root, path: "\(path)/\(prefix)")
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { buffer.deallocate() }
        let slice = try FolderSlice(of: folder, after: nil, buffer: buffer, maximumNameBytes: .max, note: { _ in })
        return slice.children.map { StorageKey(slice.name($0)) }
    }

    private func access(_ name: [CChar], in root: DirectoryHandle) -> Bool {
        var info = stat()
        return fstatat(root.descriptor, name, &info, 0) == 0 && info.st_mode & S_IFMT == S_IFDIR
    }

    package func partitions(_ count: Int) throws(StorageError) -> [StoragePartition] {
        try checkOpen()
        guard count > 1 else { return [.whole] }
        let top = try list(StorageKey([]))
        guard top.count > 1 else { return [.whole] }
        let parts = min(count, top.count)
        return StoragePartition.split(at: (1..<parts).map { top[$0 * top.count / parts] })
    }

    package func scan(
        _ request: ScanRequest, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        guard let root = try openRootForReading() else { return }
        try FileScan(root: root, request: request, dropping: dropping).run(deliver)
    }

    /// All that is used of the file system: base64 takes a third more than what it stands for, so that even one that
    /// compresses files does not hold more.
    package func greatestBytes() -> Int? {
        var info = statvfs()
        guard statvfs(path, &info) == 0, info.f_blocks >= info.f_bfree else { return nil }
        return Int(clamping: info.f_blocks - info.f_bfree).clampedProduct(Int(clamping: info.f_frsize))
    }

    package func measure(isCancelled: @escaping @Sendable () -> Bool) throws(StorageError) -> StoreSize? {
        guard let root = try openRootForReading() else { return nil }
        var request = ScanRequest(content: .keys)
        request.isCancelled = isCancelled
        return try FileMeasurement.run(root, request)
    }

    package func bulkLoader(_ plan: LoadPlan) throws(StorageError) -> any BulkLoader {
        try checkWritable()
        return FileLoader(self, path: path, plan: plan)
    }

    package func close() {
        isClosed.withLock { $0 = true }
        root.withLock { $0 = nil }
    }

    /// The terminated path of an entry's file below the root.
    private func relativePath(of key: StorageKey) throws(StorageError) -> [CChar] {
        try refuseUnsafe(key)
        let cut = (key.bytes.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1
        let bytes = key.bytes[..<cut] + [UInt8(ascii: "_")] + key.bytes[cut...]
        return bytes.map { CChar(bitPattern: $0) } + [0]
    }

    private func refuseUnsafe(_ key: StorageKey) throws(StorageError) {
        let parts = zip(key.bytes, key.bytes.dropFirst())
        if parts.contains(where: { $0 == UInt8(ascii: ".") && $1 == UInt8(ascii: ".") }) {
            throw StorageError(.limit, "path cannot contain parent references: \(key)", key: key)
        }
        if key.bytes.contains(0) || key.bytes.first == UInt8(ascii: "/") {
            throw StorageError(.limit, "file: no file can stand for the key \(key)", key: key)
        }
    }
}
