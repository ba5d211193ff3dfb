import CSystem
import Digest
import Files
import Glibc
import RaftFormat
package import Storage

/// Packs the directory of a stopped node for transport: a tar archive with a checksum file beside it, as `sha256sum -c` reads it.
///
/// The archive gets its name when it is whole and read back; until then it has none at all, so that a kill leaves nothing. What is
/// packed of the same directory is the same each time.
package struct NodeArchive: Sendable {
    /// What was packed.
    package struct Outcome: Sendable, Equatable {
        package let path: String
        /// Bytes of the archive.
        package let bytes: Int
        /// SHA-256 of the archive, hexadecimal.
        package let sum: String
        /// Whether it was there already.
        package let wasThere: Bool
    }

    private struct Member {
        var header: TarHeader
        /// `nil` for a folder.
        var path: String?
    }

    private static let bufferBytes = 1 << 20

    private let node: StoppedNode
    private let folder: String
    /// Where it is made.
    package let path: String

    /// - Parameters:
    ///   - folder: Where the archive is made.
    ///   - name: Without its ending, as ``archiveNames(for:)`` gives it.
    package init(of node: StoppedNode, into folder: String, name: String) {
        self.node = node
        self.folder = folder
        path = "\(folder)/\(name).tar"
    }

    /// Names for archives of directories: the last parts of their paths, as many as tell them apart.
    ///
    /// - Throws: `.configuration` for paths that no checksum file can name, or that are one.
    package static func archiveNames(for paths: [String]) throws(StorageError) -> [String] {
        let parts = paths.map { resolvedPath($0).split(separator: "/").map(String.init) }
        let deepest = parts.map(\.count).max() ?? 0
        for depth in 1...max(deepest, 1) {
            let names = parts.map { $0.suffix(depth).joined(separator: "-") }
            guard Set(names.map { Array($0.utf8) }).count == paths.count else { continue }
            for (name, path) in zip(names, paths) {
                guard !name.isEmpty,
                    !name.unicodeScalars.contains(where: { $0.value < 0x20 || $0 == "\u{7f}" || $0 == "\\" })
                else {
                    throw StorageError(
                        .configuration,
                        "\(StorageKey(path)): an archive cannot be named after it. Name the directory without control characters "
                            + "and backslashes.")
                }
            }
            return names
        }
        throw StorageError(.configuration, "Two of the directories to be packed are one.")
    }

    /// Packs it.
    ///
    /// - Throws: `.notEmpty` if another file has the archive's name; `.unsupported` for what no node's directory holds;
    ///   `.damagedStore` if what was written does not read back; `.noSpace`, `.io`, `.cancelled`.
    package func write(isCancelled: () -> Bool) throws(StorageError) -> Outcome {
        let members = try members()
        let sumPath = "\(path).sha256"
        if access(path, F_OK) == 0 {
            let outcome = try packed(members, into: nil, wasThere: true, isCancelled)
            guard try Self.sum(of: path, isCancelled) == outcome.sum else {
                throw StorageError(
                    .notEmpty,
                    "\(path) is there already and is not what would be packed. Move it away, or name another folder.")
            }
            try writeSum(outcome, sumPath)
            return outcome
        }
        let file = cs_open_unnamed(folder)
        guard file >= 0 else {
            guard errno == EOPNOTSUPP || errno == EISDIR else {
                throw StorageError.system("make an archive in", folder, errno: errno)
            }
            throw StorageError(
                .unsupported,
                "\(folder): its file system has no files without a name (O_TMPFILE). Name a folder elsewhere.")
        }
        defer { Glibc.close(file) }
        let outcome = try packed(members, into: file, wasThere: false, isCancelled)
        guard fsync(file) == 0 else { throw StorageError.system("sync", path, errno: errno) }
        _ = dropCache(of: file)
        guard try Self.sum(of: file, path, isCancelled) == outcome.sum else {
            throw StorageError(
                .damagedStore, "\(path) does not hold what was written to it. Look for a failing disk, and run again.")
        }
        guard cs_give_name(file, path) == 0 else {
            guard errno == EEXIST else { throw StorageError.system("create", path, errno: errno) }
            throw StorageError(.notEmpty, "\(path) has come meanwhile. See who writes there, and run again.")
        }
        try syncFolder(at: folder)
        try writeSum(outcome, sumPath)
        return outcome
    }

    private func writeSum(_ outcome: Outcome, _ sumPath: String) throws(StorageError) {
        let name = outcome.path.split(separator: "/").last.map(String.init) ?? ""
        let line = Array("\(outcome.sum)  \(name)\n".utf8)
        if access(sumPath, F_OK) == 0 {
            guard try readSmallFile(sumPath, atMost: 4096) == line else {
                throw StorageError(.notEmpty, "\(sumPath) is there already and says something else. Move it away.")
            }
            return
        }
        let file = cs_open_unnamed(folder)
        guard file >= 0 else { throw StorageError.system("make a file in", folder, errno: errno) }
        defer { Glibc.close(file) }
        try writeAll(line, to: file, sumPath)
        guard fsync(file) == 0 else { throw StorageError.system("sync", sumPath, errno: errno) }
        guard cs_give_name(file, sumPath) == 0 else { throw StorageError.system("create", sumPath, errno: errno) }
        try syncFolder(at: folder)
    }

    /// What the directory holds, `vault.db` last: without it what was unpacked by then is no store.
    private func members() throws(StorageError) -> [Member] {
        var members: [Member] = []
        for (name, known) in [
            ("raft", ["raft.db", "peers.json", "snapshots"]), ("", ["node-id", "vault.db", "raft"]),
        ] {
            let place = name.isEmpty ? node.path : "\(node.path)/\(name)"
            for other in try names(in: AT_FDCWD, place, shown: place) where !known.contains(other) {
                // The file system's own, where the directory is a mount point.
                if name.isEmpty, other == "lost+found" { continue }
                throw StorageError(
                    .unsupported,
                    "\(place)/\(StorageKey(other)) is nothing that a node's directory holds, and is not packed. Move it away."
                )
            }
            if !name.isEmpty { try members.append(member("\(name)/", place)) }
            for file in known where file != "raft" {
                let path = "\(place)/\(file)"
                guard access(path, F_OK) == 0 else { continue }
                let shown = name.isEmpty ? file : "\(name)/\(file)"
                try members.append(member(file == "snapshots" ? "\(shown)/" : shown, path))
            }
        }
        return members
    }

    private func member(_ name: String, _ path: String) throws(StorageError) -> Member {
        var info = stat()
        guard lstat(path, &info) == 0 else { throw StorageError.system("stat", path, errno: errno) }
        let isFolder = name.hasSuffix("/")
        guard info.st_mode & S_IFMT == (isFolder ? S_IFDIR : S_IFREG) else {
            throw StorageError(
                .unsupported, "\(path) is a link, or not what a node's directory holds there. Move it away.")
        }
        var header = TarHeader(name)
        header.size = isFolder ? 0 : Int(info.st_size)
        header.kind = isFolder ? .folder : .file
        header.mode = info.st_mode & 0o777
        (header.user, header.group, header.time) = (info.st_uid, info.st_gid, info.st_mtim.tv_sec)
        return Member(header: header, path: isFolder ? nil : path)
    }

    /// Passes the archive's bytes by, into a file or into nothing.
    private func packed(
        _ members: [Member], into file: Int32?, wasThere: Bool, _ isCancelled: () -> Bool
    ) throws(StorageError) -> Outcome {
        let hasher = try Self.hasher()
        var offset = 0
        func put(_ bytes: [UInt8]) throws(StorageError) {
            if let file { try writeAll(bytes, to: file, path, at: offset) }
            try Self.add(bytes, to: hasher)
            offset += bytes.count
        }
        for member in members {
            try put(member.header.bytes)
            guard let source = member.path else { continue }
            let count = try Self.pieces(of: source, isCancelled) { piece throws(StorageError) in try put(piece) }
            guard count == member.header.size else {
                throw StorageError(
                    .inUse, "\(source) changed while it was packed. See who writes there, and run again.")
            }
            try put([UInt8](repeating: 0, count: TarHeader.padding(count)))
        }
        try put([UInt8](repeating: 0, count: 2 * TarHeader.blockBytes))
        return Outcome(path: path, bytes: offset, sum: try Self.hexadecimal(hasher), wasThere: wasThere)
    }

    private static func sum(of path: String, _ isCancelled: () -> Bool) throws(StorageError) -> String {
        let hasher = try hasher()
        _ = try pieces(of: path, isCancelled) { piece throws(StorageError) in try add(piece, to: hasher) }
        return try hexadecimal(hasher)
    }

    private static func sum(
        of file: Int32, _ path: String, _ isCancelled: () -> Bool
    ) throws(StorageError) -> String {
        let hasher = try hasher()
        _ = try pieces(of: file, path, isCancelled) { piece throws(StorageError) in try add(piece, to: hasher) }
        return try hexadecimal(hasher)
    }

    /// Reads a file from its beginning.
    ///
    /// - Returns: Its bytes.
    private static func pieces(
        of path: String, _ isCancelled: () -> Bool, _ body: ([UInt8]) throws(StorageError) -> Void
    ) throws(StorageError) -> Int {
        let file = cs_open_own_file(AT_FDCWD, path, O_RDONLY, 0)
        guard file >= 0 else { throw StorageError.system("open", path, errno: errno) }
        defer { Glibc.close(file) }
        return try pieces(of: file, path, isCancelled, body)
    }

    private static func pieces(
        of file: Int32, _ path: String, _ isCancelled: () -> Bool, _ body: ([UInt8]) throws(StorageError) -> Void
    ) throws(StorageError) -> Int {
        var buffer = [UInt8](repeating: 0, count: bufferBytes)
        var offset = 0
        while true {
            if isCancelled() { throw StorageError.cancelled }
            let count = buffer.withUnsafeMutableBytes { pread(file, $0.baseAddress, $0.count, off_t(offset)) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw StorageError.system("read", path, errno: errno) }
            if count == 0 { return offset }
            try body(count == buffer.count ? buffer : Array(buffer[..<count]))
            offset += count
        }
    }

    private static func hasher() throws(StorageError) -> SHA256Hasher {
        do throws(DigestError) { return try SHA256Hasher() } catch { throw StorageError(.io, "\(error)") }
    }

    private static func add(_ bytes: [UInt8], to hasher: SHA256Hasher) throws(StorageError) {
        let failure = bytes.withUnsafeBytes { bytes -> DigestError? in
            do throws(DigestError) {
                try hasher.update(bytes)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw StorageError(.io, "\(failure)") }
    }

    private static func hexadecimal(_ hasher: SHA256Hasher) throws(StorageError) -> String {
        do throws(DigestError) { return try hasher.finish().hexadecimal } catch { throw StorageError(.io, "\(error)") }
    }
}
