import CSystem
import Files
import Glibc
import Storage

/// Writes entry files, making folders as needed; one per thread. Keeps the last folder open, because keys that come in
/// order share it.
final class EntryWriter {
    private let root: DirectoryHandle
    private let owner: FileOwner?
    private let rules: EntryRules
    private var folder: DirectoryHandle
    private var folderKey: [UInt8] = []
    private var text: [UInt8] = []

    /// Opens the store's folder, making it if there is none.
    init(root path: String, owner: FileOwner?, rules: EntryRules) throws(StorageError) {
        try Self.makeFolders(path)
        self.root = try Self.openRoot(path)
        self.owner = owner
        self.rules = rules
        self.folder = root
        if let owner { _ = fchown(root.descriptor, owner.user, owner.group) }
    }

    /// Makes the folder and those above it, as far as they are missing, and their names durable.
    private static func makeFolders(_ path: String) throws(StorageError) {
        var made: [String] = []
        var missing = path
        var isNew = true
        while mkdir(missing, 0o700) != 0 {
            if errno == EEXIST {
                isNew = false
                break
            }
            guard errno == ENOENT, let slash = missing.lastIndex(of: "/"), slash > missing.startIndex else {
                throw StorageError.system("mkdir", missing, errno: errno)
            }
            made.append(missing)
            missing = String(missing[..<slash])
        }
        for folder in made.reversed() where mkdir(folder, 0o700) != 0 && errno != EEXIST {
            throw StorageError.system("mkdir", folder, errno: errno)
        }
        // Not the one that was there already.
        guard !made.isEmpty || isNew else { return }
        for folder in [missing] + made.reversed() {
            try syncFolder(at: parentFolder(of: folder))
        }
    }

    private static func openRoot(_ path: String) throws(StorageError) -> DirectoryHandle {
        do throws(StorageError) {
            return try DirectoryHandle(path, in: nil, path: path)
        } catch {
            // As a server words it: the first thing it does with a missing store is to make folders.
            throw FileBackend.obstacle(path) == ENOTDIR ? StorageError(.io, "mkdir \(path): not a directory") : error
        }
    }

    /// Writes one entry under a temporary name and renames it.
    ///
    /// - Parameter durably: Whether to wait for the disk; a bulk load syncs once at its end instead.
    func write(
        _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, durably: Bool
    ) throws(StorageError) {
        // A key is foreign data: without this one with `..` in it would be written outside the store.
        if let objection = rules.objection(to: key, valueCount: value.count) {
            throw StorageError(
                .limit, "\(root.path): the entry \(escapedKey(key)) cannot be kept: \(objection).",
                key: StorageKey(copying: key))
        }
        let cut = (key.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1
        try enterFolder(UnsafeRawBufferPointer(rebasing: key[..<cut]), durably: durably)
        text.removeAll(keepingCapacity: true)
        EntryEnvelope.append(value, to: &text)
        let leaf = key[cut...]
        let name = [CChar(bitPattern: UInt8(ascii: "_"))] + leaf.map { CChar(bitPattern: $0) }
        let final = name + [0]
        // Not a server's `_k.temp`: that is the file of an entry `k.temp`, which would be lost. No entry's file begins
        // with a dot, and a run that goes on after a kill writes the same name again.
        let temporary =
            [CChar(bitPattern: UInt8(ascii: "."))] + name.dropFirst()
            + ".temp".utf8.map { CChar(bitPattern: $0) } + [0]
        try writeFile(temporary, key: key, durably: durably)
        guard renameat(folder.descriptor, temporary, folder.descriptor, final) == 0 else {
            let error = failure("rename to", key)
            unlinkat(folder.descriptor, temporary, 0)
            throw error
        }
        if durably { try syncFolder(folder.descriptor, folder.path) }
    }

    private func writeFile(_ name: [CChar], key: UnsafeRawBufferPointer, durably: Bool) throws(StorageError) {
        let descriptor = try create(name, key: key)
        var problem = writeAll(text, to: descriptor).map { ("write", $0) }
        if problem == nil, let owner, fchown(descriptor, owner.user, owner.group) != 0 { problem = ("chown", errno) }
        if problem == nil, durably, fsync(descriptor) != 0 { problem = ("sync", errno) }
        Glibc.close(descriptor)
        guard let (action, number) = problem else { return }
        unlinkat(folder.descriptor, name, 0)
        errno = number
        throw failure(action, key)
    }

    /// Creates the file, in the place of one that a run of ours was killed over; never through a link, never in the place
    /// of anything else.
    private func create(_ name: [CChar], key: UnsafeRawBufferPointer) throws(StorageError) -> Int32 {
        for isFirst in [true, false] {
            let descriptor = cs_open_own_file(folder.descriptor, name, O_WRONLY | O_CREAT | O_EXCL, 0o600)
            if descriptor >= 0 { return descriptor }
            guard errno == EEXIST, isFirst else { break }
            guard try isLeftOver(name) else {
                throw StorageError(
                    .notEmpty,
                    "the file \(name.withUnsafeBytes { escapedKey(UnsafeRawBufferPointer(rebasing: $0.dropLast())) }) is in "
                        + "the way of writing the entry \(escapedKey(key)) in \(root.path), and is not what a run that "
                        + "was killed leaves. Move it away.", key: StorageKey(copying: key))
            }
            unlinkat(folder.descriptor, name, 0)
        }
        throw failure("open", key)
    }

    /// Whether a file is what is left of one that was being written here: nothing, the beginning of an entry, or the zeros that
    /// a power cut can leave in its place.
    private func isLeftOver(_ name: [CChar]) throws(StorageError) -> Bool {
        let descriptor = cs_open_own_file(folder.descriptor, name, O_RDONLY, 0)
        guard descriptor >= 0 else { return errno == ENOENT }
        defer { Glibc.close(descriptor) }
        var info = stat()
        guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG, info.st_nlink <= 1 else { return false }
        var beginning = [UInt8](repeating: 0, count: EntryEnvelope.opening.count)
        let count = read(descriptor, &beginning, beginning.count)
        guard count >= 0 else { return false }
        return EntryEnvelope.opening.starts(with: beginning[..<count]) || beginning[..<count].allSatisfy { $0 == 0 }
    }

    /// Writes back everything of the file system that holds the store.
    func sync() throws(StorageError) {
        guard cs_syncfs(root.descriptor) == 0 else { throw StorageError.system("sync", root.path, errno: errno) }
    }

    private func failure(_ action: String, _ key: UnsafeRawBufferPointer) -> StorageError {
        StorageError.system(
            action, "the file of entry \(escapedKey(key)) in \(root.path)", errno: errno, key: StorageKey(copying: key))
    }

    /// Makes `folder` the one that keys with this prefix live in.
    private func enterFolder(_ prefix: UnsafeRawBufferPointer, durably: Bool) throws(StorageError) {
        if prefix.elementsEqual(folderKey) { return }
        var parent = root
        var start = 0
        while start < prefix.count {
            let end = prefix[start...].firstIndex(of: UInt8(ascii: "/")) ?? prefix.count
            let name = prefix[start..<end].map { CChar(bitPattern: $0) } + [0]
            let path = "\(root.path)/\(escapedKey(UnsafeRawBufferPointer(rebasing: prefix[..<end])))"
            var isNew = true
            if mkdirat(parent.descriptor, name, 0o700) != 0 {
                guard errno == EEXIST else { throw StorageError.system("mkdir", path, errno: errno) }
                isNew = false
            }
            if durably, isNew { try syncFolder(parent.descriptor, path) }
            parent = try DirectoryHandle(name, in: parent, path: path)
            if let owner { try adopt(parent, isNew: isNew, owner) }
            start = end + 1
        }
        folder = parent
        folderKey = Array(prefix)
    }

    /// Gives a folder to the owner wanted, if this run made it. The migration marker's folder was made before the load
    /// began; what belongs to this process and not to the owner is taken for such a one.
    private func adopt(_ folder: DirectoryHandle, isNew: Bool, _ owner: FileOwner) throws(StorageError) {
        if !isNew {
            var info = stat()
            guard fstat(folder.descriptor, &info) == 0, info.st_uid == geteuid(), info.st_uid != owner.user else {
                return
            }
        }
        guard fchown(folder.descriptor, owner.user, owner.group) == 0 else {
            throw StorageError.system("chown", folder.path, errno: errno)
        }
    }
}
