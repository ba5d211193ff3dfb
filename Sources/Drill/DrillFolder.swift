import CSystem
import Files
import Glibc
package import Storage

/// The drills' own folder:
///
///     FOLDER/                mode 0700
///       sealift-drills       the mark; locked while a drill lasts
///       history/ID.json      what became of a drill; `ID.html` the same as a page
///       scratch-ID/          while a drill lasts, or if it is to be kept
///         sealift-scratch    the mark; with the line `kept` it is never removed
///         raft/              the copy
///         state/             the migration's own
///         server/            the server's file, log and socket
///
/// Nothing is removed but a `scratch-…` with its mark in it.
// Unchecked: the descriptors are set once and only closed by `close`, which one thread calls.
package final class DrillFolder: @unchecked Sendable {
    static let mark = MarkFile(name: "sealift-drills", header: "sealift drills folder 1\n")
    static let scratchMark = MarkFile(name: "sealift-scratch", header: "sealift drill scratch folder 1\n")
    private static let scratchPrefix = "scratch-"
    fileprivate static let kept = "kept"

    package let path: String
    private var folder: Int32
    private var lock: Int32

    /// Takes the folder for one drill, making it if it is missing.
    ///
    /// - Throws: `.inUse` while another drill lasts, `.notEmpty` for a folder that is not the drills' own.
    package init(taking path: String) throws(StorageError) {
        self.path = path
        folder = try Self.make(path)
        lock = -1
        do throws(StorageError) {
            lock = try Self.takeMark(folder, path)
            guard mkdirat(folder, "history", 0o700) == 0 || errno == EEXIST else {
                throw StorageError.system("mkdir", "\(path)/history", errno: errno)
            }
        } catch {
            close()
            throw error
        }
    }

    deinit { close() }

    /// Gives the folder back. Repeated calls do nothing.
    package func close() {
        for descriptor in [lock, folder] where descriptor >= 0 { Glibc.close(descriptor) }
        (lock, folder) = (-1, -1)
    }

    private static func make(_ path: String) throws(StorageError) -> Int32 {
        var missing: [String] = []
        var above = path
        while access(above, F_OK) != 0, errno == ENOENT, above != "/", above.contains("/") {
            missing.append(above)
            above = parentFolder(of: above)
        }
        for folder in missing.reversed() {
            guard mkdir(folder, 0o700) == 0 || errno == EEXIST else {
                throw StorageError.system("mkdir", folder, errno: errno)
            }
            try syncFolder(at: parentFolder(of: folder))
        }
        let descriptor = cs_open_own_directory(AT_FDCWD, path)
        guard descriptor >= 0 else {
            guard errno != ELOOP, errno != ENOTDIR else { throw foreign(path, "is a link or a file") }
            throw StorageError.system("open", path, errno: errno)
        }
        return descriptor
    }

    /// - Returns: The locked mark.
    private static func takeMark(_ folder: Int32, _ path: String) throws(StorageError) -> Int32 {
        switch try mark.look(folder, path) {
        case .ours: break
        case .foreign: throw foreign(path, "has a file \(mark.name) that is not Sealift's")
        case .begun, .none:
            guard try names(in: folder, ".", shown: path).allSatisfy({ $0 == mark.name }) else {
                throw foreign(path, "is not empty and has no mark of Sealift in it (\(mark.name))")
            }
            Glibc.close(try mark.write(folder, path))
        }
        let descriptor = cs_open_own_file(folder, mark.name, O_RDWR, 0)
        guard descriptor >= 0 else { throw StorageError.system("open", "\(path)/\(mark.name)", errno: errno) }
        do throws(StorageError) {
            // Whoever lists the history holds it for a moment.
            var isTaken = try takesLock(descriptor, "\(path)/\(mark.name)")
            for _ in 0..<20 where !isTaken {
                usleep(50_000)
                isTaken = try takesLock(descriptor, "\(path)/\(mark.name)")
            }
            guard isTaken else {
                throw StorageError(
                    .inUse, "\(path) is locked: another drill is under way there. Wait for it, or stop it.")
            }
            return descriptor
        } catch {
            Glibc.close(descriptor)
            throw error
        }
    }

    private static func foreign(_ path: String, _ why: String) -> StorageError {
        StorageError(
            .notEmpty,
            "\(path) \(why), so that it cannot be told to be the drills' own folder, and nothing in it is touched. Name a "
                + "folder that is empty or does not exist yet.")
    }

    // MARK: reports

    func reportPath(_ id: String) -> String { "\(path)/history/\(id).json" }

    func pagePath(_ id: String) -> String { "\(path)/history/\(id).html" }

    // MARK: copies

    /// Removes what drills have left that were killed.
    ///
    /// - Returns: A sentence for each, and for what looks like one and is not.
    func removeRemains() throws(StorageError) -> [String] {
        var told: [String] = []
        for name in try names(in: folder, ".", shown: path) where name.hasPrefix(Self.scratchPrefix) {
            let shown = "\(path)/\(name)"
            let scratch = cs_open_own_directory(folder, name)
            guard scratch >= 0 else {
                told.append("\(shown) is no folder of a drill, and was left alone.")
                continue
            }
            defer { Glibc.close(scratch) }
            let isEmpty = try names(in: scratch, ".", shown: shown).allSatisfy { $0 == Self.scratchMark.name }
            switch try Self.scratchMark.look(scratch, shown) {
            case .ours(let lines) where lines.contains(Self.kept): continue
            case .ours: break
            // Killed before its mark was whole: then nothing else is in it.
            case .none where isEmpty, .begun where isEmpty: break
            case .none, .begun, .foreign:
                told.append("\(shown) has no mark of Sealift in it, and was left alone.")
                continue
            }
            try OwnTree.remove(scratch, named: name, in: folder, mark: Self.scratchMark.name, shown: shown)
            told.append("What a drill had left that was cut off was removed: \(shown).")
        }
        return told
    }

    /// Makes the folder for a copy.
    func makeScratch(_ id: String) throws(StorageError) -> Scratch {
        let name = Self.scratchPrefix + id
        let shown = "\(path)/\(name)"
        guard mkdirat(folder, name, 0o700) == 0 else { throw StorageError.system("mkdir", shown, errno: errno) }
        let scratch = cs_open_own_directory(folder, name)
        guard scratch >= 0 else { throw StorageError.system("open", shown, errno: errno) }
        do throws(StorageError) {
            Glibc.close(try Self.scratchMark.write(scratch, shown))
            for part in ["state", "server"] {
                guard mkdirat(scratch, part, 0o700) == 0 else {
                    throw StorageError.system("mkdir", "\(shown)/\(part)", errno: errno)
                }
            }
            return Scratch(path: shown, name: name, parent: folder, descriptor: scratch)
        } catch {
            Glibc.close(scratch)
            throw error
        }
    }

    /// The folder of one drill's copy.
    // Unchecked: only descriptors, which its deinitialiser closes.
    final class Scratch: @unchecked Sendable {
        let path: String
        private let name: String
        private let parent: Int32
        private let descriptor: Int32

        fileprivate init(path: String, name: String, parent: Int32, descriptor: Int32) {
            self.path = path
            self.name = name
            self.parent = parent
            self.descriptor = descriptor
        }

        deinit { Glibc.close(descriptor) }

        var data: String { "\(path)/raft" }
        var state: String { "\(path)/state" }
        var server: String { "\(path)/server" }

        /// From now on no drill removes it.
        func keep() throws(StorageError) {
            Glibc.close(try DrillFolder.scratchMark.write(descriptor, path, saying: [DrillFolder.kept]))
        }

        func remove() throws(StorageError) {
            try OwnTree.remove(descriptor, named: name, in: parent, mark: DrillFolder.scratchMark.name, shown: path)
        }

        /// Bytes that the files of the copy take.
        func dataBytes() -> Int? {
            var info = stat()
            return stat("\(data)/vault.db", &info) == 0 ? Int(info.st_size) : nil
        }
    }
}
