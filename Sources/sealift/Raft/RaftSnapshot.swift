import Digest
import Files
import Flags
import Glibc
import HTTPClient
import JSON
import Migration
import RaftClusterBackend
import Storage
import Telemetry
import Workers

/// `sealift raft snapshot save`.
let raftSnapshotSaveCommand = CommandSpec(
    path: ["sealift", "raft", "snapshot", "save"], summary: "Save what a cluster holds as a snapshot's archive",
    description: """
        Saves the entries of one moment, while writing goes on, in the form of operator raft snapshot save. It is complete and on \
        the disk before it gets its name; a file that is there is not replaced. The part that only the seal can sign, \
        SHA256SUMS.sealed, is not in it: a server takes it with operator raft snapshot restore -force.
        """,
    examples: [.init("Save:", "sealift raft snapshot save -address https://10.0.0.11:8200 backup.snap")],
    flags: ClusterFlags.all + [CommonFlags.format],
    positional: [.init("FILE", help: "The archive to make.", completion: .file)])

/// `sealift raft snapshot`.
let raftSnapshotCommand = CommandSpec(
    path: ["sealift", "raft", "snapshot"], summary: "Snapshots of a cluster", description: "Commands on snapshots.",
    subcommands: [raftSnapshotSaveCommand])

/// Runs `raft snapshot save`.
struct RaftSnapshot {
    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    func save() -> Int32 {
        do {
            try CommonFlags.checkFormat(flags)
            let words = flags.arguments.map { String(decoding: $0, as: UTF8.self) }
            guard words.count == 1, !words[0].isEmpty else {
                throw MigrationFailure(.configuration, "Name one file for the snapshot.")
            }
            try save(to: words[0])
            return 0
        } catch let error as StorageError where error.code == .configuration {
            return console.fail(MigrationFailure(.configuration, error.message, cause: error), flags)
        } catch let error as StorageError where error.code == .cancelled {
            return console.fail(MigrationFailure(.interrupted, "Interrupted. Nothing was saved."), flags)
        } catch {
            return console.fail(error, flags)
        }
    }

    private func save(to path: String) throws {
        var info = stat()
        guard lstat(path, &info) != 0 else {
            throw MigrationFailure(.configuration, "\(path) is there already. Name another file, or move it away.")
        }
        let cancellation = CancellationToken()
        try console.watchSignals(cancellation, announcement: nil)
        let isCancelled: @Sendable () -> Bool = { cancellation.isCancelled }
        let client = try ClusterFlags.client(flags, console)
        let answer = try client.perform("POST", "sealift/snapshot", timeout: .seconds(3600), isCancelled: isCancelled)
        let parser = try JSONParser()
        let (id, size, digest, index, entries, hasKeyRing) = try answer.withBody { body in
            let made = try parser.parse(body)
            return (
                made["id"]?.text ?? "", made["bytes"]?.integer ?? 0, made["sha256"]?.text ?? "",
                made["index"]?.integer ?? 0, made["entries"]?.integer ?? 0, made["has_key_ring"]?.boolean ?? false
            )
        }
        defer {
            // As a courtesy: the node drops it by itself later. Who interrupts does not wait for that.
            if !cancellation.isCancelled { _ = try? client.performOnce("DELETE", "sealift/snapshot?id=\(id)") }
        }
        try fetch(client, id, size, digest, to: path, isCancelled)
        let note =
            hasKeyRing
            ? ""
            : "The store has no core/raft/tls. Do not restore it into a running cluster, which would elect no leader any more; "
                + "make a directory of it: sealift raft export."
        if flags.string("format") == "json" {
            EventWriter().emit(
                "result",
                [
                    ("path", .string(path)), ("bytes", .integer(size)), ("sha256", .string(digest)),
                    ("index", .integer(index)), ("entries", .integer(entries)), ("has_key_ring", .boolean(hasKeyRing)),
                ])
        } else {
            console.printResult(
                "Saved \(counted(entries, "entry", "entries")) at index \(index) to \(path), \(formatBytes(size)), sha256:\(digest)"
            )
            if !note.isEmpty { console.printResult(note) }
        }
    }

    /// Reads the archive into a file beside its place, and gives it its name when it is whole and durable.
    private func fetch(
        _ client: ClusterClient, _ id: String, _ size: Int, _ digest: String, to path: String,
        _ isCancelled: @escaping @Sendable () -> Bool
    ) throws {
        let unfinished = "\(path).unfinished-\(getpid())"
        let descriptor = open(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw StorageError.system("open", unfinished, errno: errno) }
        defer {
            close(descriptor)
            unlink(unfinished)
        }
        let hasher = try SHA256Hasher()
        var done = 0
        while done < size {
            let answer = try client.perform("GET", "sealift/snapshot?id=\(id)&offset=\(done)", isCancelled: isCancelled)
            guard answer.status == 200, answer.bodyCount > 0, answer.bodyCount <= size - done else {
                throw MigrationFailure(.failed, "the snapshot is gone: another node leads now. Save again.")
            }
            let bytes = answer.withBody { Array($0) }
            try bytes.withUnsafeBytes { try hasher.update($0) }
            if let number = writeAll(bytes, to: descriptor) {
                throw StorageError.system("write", unfinished, errno: number)
            }
            done += bytes.count
        }
        guard try hasher.finish().hexadecimal == digest else {
            throw MigrationFailure(.failed, "what came is not what the node sent. Save again.")
        }
        guard fsync(descriptor) == 0 else { throw StorageError.system("fsync", unfinished, errno: errno) }
        // A file that came meanwhile is not replaced.
        guard link(unfinished, path) == 0 else { throw StorageError.system("link", path, errno: errno) }
        try syncFolder(at: parentFolder(of: path))
    }
}
