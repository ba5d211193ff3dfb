import CSystem
import Files
import Glibc
import Storage

/// The folder in a node's directory in which new files are made, held by one process at a time.
///
///     DIR/.sealift-work/
///       sealift-work     the mark: made here, and locked by whoever works
///       vault.db         a file that is being made (or raft.db, or peers.json)
///
/// A file that is whole and proven changes places with the one it replaces; the mark says so before it happens. So
/// whatever a kill leaves, the next run can tell what is what: nothing is removed but a file made here, or a second name
/// of one that keeps another.
final class WorkFolder: Sendable {
    static let name = ".sealift-work"
    private static let markName = "sealift-work"
    private static let header = "sealift work folder 1\n"
    private static let files = ["vault.db", "raft.db", "peers.json"]
    private static let maximumMarkBytes = 4096
    private static let maximumAttempts = 20

    let folder: NodeFolder
    private let node: NodeFolder
    private let mark: Int32

    /// Takes the folder, making it if there is none.
    ///
    /// - Throws: `.inUse` if another process holds it, `.notEmpty` if it is not this product's.
    init(in node: NodeFolder) throws(StorageError) {
        self.node = node
        let path = "\(node.path)/\(Self.name)"
        for _ in 0..<Self.maximumAttempts {
            guard mkdirat(node.descriptor, Self.name, 0o700) == 0 || errno == EEXIST else {
                throw StorageError.system("mkdir", path, errno: errno)
            }
            guard let folder = try Self.open(path), let mark = try Self.lock(folder) else { continue }
            self.folder = folder
            self.mark = mark
            return
        }
        throw StorageError(.inUse, "\(path) comes and goes: another run is at it. Wait for it.")
    }

    deinit { Glibc.close(mark) }

    private static func open(_ path: String) throws(StorageError) -> NodeFolder? {
        do throws(StorageError) {
            return try NodeFolder(path)
        } catch {
            if error.code == .unsupported { throw foreign(path, "is a link or a file") }
            throw error
        }
    }

    /// - Returns: The locked mark; `nil` if another process made or removed it meanwhile.
    private static func lock(_ folder: NodeFolder) throws(StorageError) -> Int32? {
        let path = "\(folder.path)/\(markName)"
        var mark = cs_open_own_file(folder.descriptor, markName, O_RDWR, 0)
        if mark < 0, errno == ENOENT {
            guard try names(in: folder.descriptor, ".", shown: folder.path).isEmpty else {
                throw foreign(folder.path, "has no mark of Sealift in it")
            }
            mark = cs_open_own_file(folder.descriptor, markName, O_RDWR | O_CREAT | O_EXCL, 0o600)
            if mark < 0, errno == EEXIST || errno == ENOENT { return nil }
        }
        guard mark >= 0 else {
            if [ELOOP, EISDIR, ENXIO].contains(errno) { throw foreign(folder.path, "has no mark of Sealift in it") }
            throw StorageError.system("open", path, errno: errno)
        }
        do throws(StorageError) {
            guard try takesLock(mark, path) else {
                throw StorageError(
                    .inUse, "\(folder.path) is locked: another run works there. Wait for it, or stop it.")
            }
            guard try stands(mark, in: folder.descriptor, under: markName, shown: path),
                try stands(folder.descriptor, under: folder.path, shown: folder.path)
            else {
                Glibc.close(mark)
                return nil
            }
            try checkMark(mark, folder)
            return mark
        } catch {
            Glibc.close(mark)
            throw error
        }
    }

    /// Sees that the mark is one of ours, and writes one that a kill left unfinished, or that is new.
    private static func checkMark(_ mark: Int32, _ folder: NodeFolder) throws(StorageError) {
        let bytes = try markBytes(mark, folder)
        if bytes.starts(with: header.utf8) { return }
        guard header.utf8.starts(with: bytes),
            try names(in: folder.descriptor, ".", shown: folder.path) == [markName]
        else { throw foreign(folder.path, "has no mark of Sealift in it") }
        try write(header, to: mark, folder)
        try folder.sync()
    }

    private static func markBytes(_ mark: Int32, _ folder: NodeFolder) throws(StorageError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: maximumMarkBytes)
        let count = pread(mark, &bytes, bytes.count, 0)
        guard count >= 0 else { throw StorageError.system("read", "\(folder.path)/\(markName)", errno: errno) }
        return Array(bytes[..<count])
    }

    /// Writes the mark in place, durably. Its first line never changes, so that a kill leaves a mark.
    private static func write(_ text: String, to mark: Int32, _ folder: NodeFolder) throws(StorageError) {
        let path = "\(folder.path)/\(markName)"
        try writeAll(Array(text.utf8), to: mark, path, at: 0)
        guard ftruncate(mark, off_t(text.utf8.count)) == 0, fsync(mark) == 0 else {
            throw StorageError.system("write", path, errno: errno)
        }
    }

    private static func foreign(_ path: String, _ why: String) -> StorageError {
        StorageError(
            .notEmpty,
            "\(path) \(why), so that it cannot be told to be Sealift's own, and nothing in it is touched. New files are "
                + "made in a folder of that name: move it away and run again.")
    }

    /// Makes an empty file for its owner only, where nothing is.
    ///
    /// - Returns: Its descriptor, open for writing; the caller's to close.
    func create(_ name: String) throws(StorageError) -> Int32 {
        let file = cs_open_own_file(folder.descriptor, name, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        guard file >= 0 else { throw StorageError.system("create", "\(folder.path)/\(name)", errno: errno) }
        return file
    }

    /// Notes durably which file is about to change places with which; `nil` once that is done.
    func note(_ exchange: Exchange?) throws(StorageError) {
        try Self.write(Self.header + (exchange.map { "\($0.line)\n" } ?? ""), to: mark, folder)
    }

    /// Removes what an earlier run left that was killed. Afterwards there is the mark alone.
    ///
    /// - Returns: A sentence for every thing put right.
    /// - Throws: `.notEmpty`, having removed nothing of it, for what this product does not make.
    func clear() throws(StorageError) -> [String] {
        let found = try names(in: folder.descriptor, ".", shown: folder.path).filter { $0 != Self.markName }
        if let other = found.first(where: { !Self.files.contains($0) }) {
            throw Self.foreign("\(folder.path)/\(StorageKey(other))", "is nothing that a run of Sealift puts there")
        }
        let lines = String(decoding: try Self.markBytes(mark, folder), as: UTF8.self).split(separator: "\n")
        let exchange = lines.count > 1 ? Exchange(line: lines[1]) : nil
        var repairs: [String] = []
        for name in found {
            let isOld = try checkMayRemove(name, exchange)
            try folder.remove(name)
            guard !isOld else { continue }
            repairs.append("An earlier run was cut off while it made a new \(name): what it had made was removed.")
        }
        if let exchange, let sentence = try removeSecondName(exchange) { repairs.append(sentence) }
        if !repairs.isEmpty { try folder.sync() }
        try note(nil)
        return repairs
    }

    /// Sees that a file was made here, or has another name by which it is kept.
    ///
    /// - Returns: Whether it is an old file that has another name.
    private func checkMayRemove(_ name: String, _ exchange: Exchange?) throws(StorageError) -> Bool {
        guard let status = try folder.status(of: name), let exchange, exchange.file == name else { return false }
        if status.inode == exchange.newInode { return false }
        if status.inode == exchange.oldInode, status.links > 1 { return true }
        throw Self.foreign("\(folder.path)/\(name)", "is neither the new nor the old file of an earlier run")
    }

    /// Takes back the name for the old file under which it was to be kept, if it still stands in its place as well.
    private func removeSecondName(_ exchange: Exchange) throws(StorageError) -> String? {
        let holder = exchange.isInRaftFolder ? try NodeFolder("\(node.path)/raft") : node
        guard let holder, let copy = try holder.status(of: exchange.copy),
            let present = try holder.status(of: exchange.file)
        else { return nil }
        guard copy.isSameFile(present), copy.inode == exchange.oldInode, copy.links > 1 else {
            guard copy.inode == exchange.oldInode else { return nil }
            return
                "An earlier run was cut off after it had put the new \(exchange.file) in place; the old one is kept as "
                + "\(holder.path)/\(exchange.copy)."
        }
        try holder.remove(exchange.copy)
        try holder.sync()
        return
            "An earlier run was cut off before it put the new \(exchange.file) in place: the old one is in place, its "
            + "second name \(exchange.copy) was removed."
    }

    /// Gives the folder up: it goes if nothing but the mark is in it.
    func release() {
        let isThere = (try? stands(folder.descriptor, under: folder.path, shown: folder.path)) == true
        guard isThere, (try? names(in: folder.descriptor, ".", shown: folder.path)) == [Self.markName] else { return }
        // The lock is still held: whoever opened the mark before it goes finds out that it did.
        unlinkat(folder.descriptor, Self.markName, 0)
        unlinkat(node.descriptor, Self.name, AT_REMOVEDIR)
    }
}

/// Two files that change places: what the mark says of it.
struct Exchange {
    /// `vault.db`, `raft.db` or `peers.json`.
    var file: String
    var oldInode: UInt64
    var newInode: UInt64
    /// The name under which the old file is kept, in its own folder.
    var copy: String

    var isInRaftFolder: Bool { file != "vault.db" }

    /// How a name begins under which the old form of a file is kept.
    static func copyPrefix(of file: String) -> String { "\(file).before-" }

    var line: String { "exchange \(file) \(oldInode) \(newInode) \(copy)" }

    init(file: String, oldInode: UInt64, newInode: UInt64, copy: String) {
        self.file = file
        self.oldInode = oldInode
        self.newInode = newInode
        self.copy = copy
    }

    /// - Returns: `nil` for anything but such a line.
    init?(line: Substring) {
        let words = line.split(separator: " ")
        guard words.count == 5, words[0] == "exchange", let oldInode = UInt64(words[2]),
            let newInode = UInt64(words[3]), words[4].hasPrefix(Self.copyPrefix(of: String(words[1]))),
            !words[4].contains("/")
        else { return nil }
        self.init(file: String(words[1]), oldInode: oldInode, newInode: newInode, copy: String(words[4]))
    }
}
