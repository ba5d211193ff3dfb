import Digest
import Glibc
import HTTPServer
import Synchronization
import Telemetry

/// Archives that clients read piece by piece; the newest ones only, and none that nobody reads any more: they take up disk.
final class SnapshotShelf: Sendable {
    private static let most = 2
    private static let patience = Duration.seconds(600)

    private struct Held {
        let id: String
        let descriptor: Int32
        let bytes: Int
        var read = ContinuousClock.now
    }

    private let held = Mutex<[Held]>([])

    deinit { held.withLock { for archive in $0 { close(archive.descriptor) } } }

    func add(_ archive: SnapshotArchive) throws -> String {
        let id = try randomUUID()
        held.withLock { held in
            while held.count >= Self.most { close(held.removeFirst().descriptor) }
            held.append(Held(id: id, descriptor: archive.descriptor, bytes: archive.bytes))
        }
        return id
    }

    /// A piece; `nil` if the archive is gone.
    func piece(_ id: String, at offset: Int, most: Int) -> [UInt8]? {
        held.withLock { held in
            guard let place = held.firstIndex(where: { $0.id == id }), offset >= 0, offset <= held[place].bytes else {
                return nil
            }
            held[place].read = .now
            let archive = held[place]
            var bytes = [UInt8](repeating: 0, count: min(most, archive.bytes - offset))
            let count = bytes.withUnsafeMutableBytes { pread(archive.descriptor, $0.baseAddress, $0.count, offset) }
            guard count == bytes.count else { return nil }
            return bytes
        }
    }

    /// Gives back the disk's room that an archive takes.
    func remove(_ id: String) { remove { $0.id == id } }

    /// Removes what nobody has read for a while.
    func expire(now: ContinuousClock.Instant) { remove { $0.read + Self.patience < now } }

    private func remove(_ isMeant: (Held) -> Bool) {
        held.withLock { held in
            for archive in held where isMeant(archive) { close(archive.descriptor) }
            held.removeAll(where: isMeant)
        }
    }
}

extension ClusterAPI {
    private static let pieceBytes = 8 << 20

    /// Makes the archive of what this node, the leader, holds now.
    func makeSnapshot() throws -> HTTPServerResponse {
        try node.confirm(timeout: Self.timeout)
        let archive = try SnapshotArchive(of: node.parts.applier.current, in: node.parts.folder.path)
        let id = try snapshots.add(archive)
        return .json(
            .object([
                ("id", .string(id)), ("bytes", .integer(archive.bytes)), ("sha256", .string(archive.digest)),
                ("index", .integer(Int(clamping: archive.index))),
                ("entries", .integer(Int(clamping: archive.entries))),
                ("has_key_ring", .boolean(archive.hasKeyRing)),
            ]))
    }

    func dropSnapshot(_ request: HTTPServerRequest) -> HTTPServerResponse {
        snapshots.remove(request.argument("id") ?? "")
        return HTTPServerResponse(status: 204, body: HTTPServerBody(capacity: 0))
    }

    /// Gives back what clients have left; to be called now and then.
    package func tidy(now: ContinuousClock.Instant = .now) { snapshots.expire(now: now) }

    func readSnapshot(_ request: HTTPServerRequest) throws -> HTTPServerResponse {
        guard let id = request.argument("id"), let offset = request.argument("offset").flatMap({ Int($0) }),
            let piece = snapshots.piece(id, at: offset, most: Self.pieceBytes)
        else { return .failure(410, "no such snapshot, or no such part of it") }
        return HTTPServerResponse(
            status: 200, headers: [("Content-Type", "application/gzip")], body: HTTPServerBody(copying: piece))
    }
}
