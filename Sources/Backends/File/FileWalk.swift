import Glibc
import Storage

/// Entry files to read, of one folder or of several small ones, in ascending key order.
struct FileChunk: Sendable {
    /// Files in a chunk at most.
    static let maximumFiles = 512
    /// Folders a chunk keeps open at most.
    static let maximumFolders = 16

    struct Folder: Sendable {
        let directory: DirectoryHandle
        /// Key bytes before the entry's own part: empty, or ending in `/`.
        let prefix: [UInt8]
    }

    struct File: Sendable {
        let folder: Int
        fileprivate(set) var start: Int
        fileprivate(set) var length: Int

        /// Bytes of the entry's own part of the key.
        var keyCount: Int { length }
    }

    private(set) var folders: [Folder] = []
    private(set) var files: [File] = []
    /// File names: an underscore, the entry's part of the key, a zero byte.
    private var names: [UInt8] = []

    var isFull: Bool { files.count >= Self.maximumFiles }

    var isEmpty: Bool { files.isEmpty }

    /// Whether a further folder fits.
    var takesFolder: Bool { folders.count < Self.maximumFolders }

    mutating func open(_ folder: Folder) {
        folders.append(folder)
    }

    mutating func append(_ name: UnsafeRawBufferPointer) {
        let start = names.count
        names.append(UInt8(ascii: "_"))
        names.append(contentsOf: name)
        names.append(0)
        files.append(File(folder: folders.count - 1, start: start, length: name.count))
    }

    /// The chunk without its first files.
    func dropping(_ count: Int) -> FileChunk {
        var rest = self
        rest.files.removeFirst(count)
        return rest
    }

    /// The file's name with its zero byte, and the entry's part of the key within it.
    func withName<Result>(
        _ file: File, _ body: (UnsafePointer<CChar>, UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result? {
        try names.withUnsafeBytes { names in
            let name = UnsafeRawBufferPointer(rebasing: names[file.start..<(file.start + file.length + 2)])
            guard let base = name.baseAddress else { return nil }
            let key = UnsafeRawBufferPointer(rebasing: name[1..<(file.length + 1)])
            return try body(base.assumingMemoryBound(to: CChar.self), key)
        }
    }
}

/// Walks the folders of a store in ascending key order and hands out the entry files it meets.
struct FileWalk {
    /// Deepest nesting of folders; a longer path could not be opened by a server either.
    static let maximumDepth = 2048

    private struct Level {
        let folder: FileChunk.Folder
        var slice: FolderSlice
        var next = 0
    }

    private let request: ScanRequest
    private let after: StorageKey?
    private let buffer: UnsafeMutableRawBufferPointer
    private let maximumNameBytes: Int
    private var levels: [Level] = []
    private var chunk = FileChunk()
    /// Folders looked into so far, the store's own among them.
    private(set) var foldersEntered = 0

    /// - Parameter buffer: Room for reading folders, the caller's.
    init(
        root: DirectoryHandle, request: ScanRequest, buffer: UnsafeMutableRawBufferPointer,
        maximumNameBytes: Int = FolderSlice.maximumNameBytes
    ) throws(StorageError) {
        self.request = request
        self.after = request.cursor.map { StorageKey($0.bytes) }
        self.buffer = buffer
        self.maximumNameBytes = maximumNameBytes
        try enter(FileChunk.Folder(directory: root, prefix: []))
    }

    private mutating func enter(_ folder: FileChunk.Folder) throws(StorageError) {
        foldersEntered += 1
        let slice = try FolderSlice(
            of: folder.directory, prefix: folder.prefix, after: nil, buffer: buffer, maximumNameBytes: maximumNameBytes,
            note: request.note, passesOver: request.passesOver)
        levels.append(Level(folder: folder, slice: slice))
        try openInChunk(folder)
    }

    private mutating func openInChunk(_ folder: FileChunk.Folder) throws(StorageError) {
        chunk.open(folder)
    }

    /// The next files to read; `nil` at the end of the store.
    mutating func nextChunk() throws(StorageError) -> FileChunk? {
        while let level = levels.last {
            if request.isCancelled() { throw StorageError.cancelled }
            guard level.next < level.slice.children.count else {
                try leaveOrGoOn()
                if let full = takeChunk(if: !chunk.takesFolder) { return full }
                continue
            }
            let child = level.slice.children[level.next]
            levels[levels.count - 1].next += 1
            if child.isFolder {
                try descend(into: level.slice.name(child), of: level.folder)
            } else {
                level.slice.withName(child) { name in
                    if isWanted(level.folder.prefix, name) { chunk.append(name) }
                }
            }
            if let full = takeChunk(if: chunk.isFull || !chunk.takesFolder) { return full }
        }
        return chunk.isEmpty ? nil : takeChunk(if: true)
    }

    /// Hands the chunk out and starts the next one in the same folder.
    private mutating func takeChunk(if isDue: Bool) -> FileChunk? {
        guard isDue else { return nil }
        let full = chunk
        chunk = FileChunk()
        if let level = levels.last { chunk.open(level.folder) }
        return full.isEmpty ? nil : full
    }

    /// At the end of a slice: reads the folder's next slice, or goes back to its parent.
    private mutating func leaveOrGoOn() throws(StorageError) {
        let level = levels.removeLast()
        if level.slice.isCutOff, let last = level.slice.children.last {
            let slice = try FolderSlice(
                of: level.folder.directory, after: level.slice.name(last), buffer: buffer,
                maximumNameBytes: maximumNameBytes, note: request.note)
            levels.append(Level(folder: level.folder, slice: slice))
        } else if let parent = levels.last {
            try openInChunk(parent.folder)
        }
    }

    private mutating func descend(into name: [UInt8], of parent: FileChunk.Folder) throws(StorageError) {
        let prefix = parent.prefix + name
        guard mayHoldWanted(prefix) else { return }
        let bare = name.dropLast()
        let path = "\(parent.directory.path)/\(Array(bare).withUnsafeBytes { escapedKey($0) })"
        if parent.prefix.isEmpty, Self.isClosedLostAndFound(bare, in: parent.directory) {
            return request.note(ScanNote(.lostAndFound, at: path))
        }
        let opened: DirectoryHandle
        do throws(StorageError) {
            opened = try Self.openFolder(Array(bare), in: parent.directory, path: path)
        } catch {
            if request.toleratesChanges, Self.isGone(Array(bare), in: parent.directory) { return }
            throw error
        }
        guard levels.count < Self.maximumDepth else {
            throw StorageError(
                .damagedStore,
                "\(path.prefix(200))…: folders are nested more than \(Self.maximumDepth) deep, deeper than the longest path "
                    + "that a server could open. No server wrote that: move it out of the store and run again.")
        }
        guard !levels.contains(where: { $0.folder.directory.identity == opened.identity }) else {
            throw StorageError(
                .damagedStore, "\(path) leads back to a folder above it. Remove the link and run again.")
        }
        try enter(FileChunk.Folder(directory: opened, prefix: prefix))
    }

    /// Whether a name that a folder had is not there any more.
    private static func isGone(_ name: [UInt8], in directory: DirectoryHandle) -> Bool {
        var info = stat()
        return name.withUnsafeBytes { name in
            withTerminated(name) {
                fstatat(directory.descriptor, $0, &info, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT
            }
        }
    }

    /// Whether a name at the top of the store is the folder that `mkfs` made there, readable for root alone: no server
    /// ever wrote into it. Any other folder that may not be read can hold entries, and ends the scan.
    private static func isClosedLostAndFound(_ name: some Sequence<UInt8>, in root: DirectoryHandle) -> Bool {
        guard name.elementsEqual("lost+found".utf8) else { return false }
        return faccessat(root.descriptor, "lost+found", R_OK | X_OK, AT_EACCESS) != 0 && errno == EACCES
    }

    private static func openFolder(
        _ name: [UInt8], in parent: DirectoryHandle, path: String
    ) throws(StorageError) -> DirectoryHandle {
        let result = name.withUnsafeBytes { name in
            withTerminated(name) { name -> Result<DirectoryHandle, StorageError> in
                do throws(StorageError) {
                    return .success(try DirectoryHandle(name, in: parent, path: path))
                } catch {
                    return .failure(error)
                }
            }
        }
        return try result.get()
    }

    private func isWanted(_ prefix: [UInt8], _ name: UnsafeRawBufferPointer) -> Bool {
        let part = request.partition
        guard part.lower != nil || part.upper != nil || after != nil else { return true }
        let key = StorageKey(prefix + Array(name))
        if let lower = part.lower, key < lower { return false }
        if let upper = part.upper, key >= upper { return false }
        if let after, key <= after { return false }
        return true
    }

    /// Whether keys that begin with `prefix` (which ends in `/`) can be wanted.
    private func mayHoldWanted(_ prefix: [UInt8]) -> Bool {
        let first = StorageKey(prefix)
        // The first key behind all keys with this prefix: its slash made the next byte.
        let behind = StorageKey(prefix.dropLast() + [UInt8(ascii: "/") + 1])
        if let lower = request.partition.lower, behind <= lower { return false }
        if let upper = request.partition.upper, first >= upper { return false }
        if let after, behind <= after { return false }
        return true
    }
}
