import Barrier
import Digest
import Migration
import RaftDirectoryBackend
import Storage
import Telemetry
import VaultAPI
import Wording

extension DrillRun {
    /// Starts a server on the copy, has it serve, and stops it. Whatever happens, it runs no more afterwards.
    func serve(_ settings: DrillSettings.Server, _ network: CopyNetwork, _ scratch: DrillFolder.Scratch) throws {
        guard let shares else {
            throw MigrationFailure(.configuration, "a server is unsealed with key shares, and none were asked for.")
        }
        // Before the server changes anything.
        let tables = try mountTables(scratch, shares)
        let server = try phase(.start) {
            let server = try DrillServer(settings, network, on: scratch, context.cancellation)
            try start(server)
            return server
        }
        defer { server.end() }
        try phase(.unseal) { try unseal(server, shares) }
        try phase(.serve) { try look(server, shares, tables, settings.reads) }
        try phase(.stop) { try server.stop() }
    }

    private func mountTables(_ scratch: DrillFolder.Scratch, _ shares: KeyShares) throws -> MountTables {
        let copy = try RaftDirectoryBackend(path: scratch.data)
        defer { copy.close() }
        return try MountTables(copy, OpenedBarrier(copy, shares))
    }

    private func start(_ server: DrillServer) throws {
        var status: ServerSealStatus?
        try server.wait("answered") { () throws(VaultAPIError) in
            status = try server.client.sealStatus()
            return true
        }
        guard let status else { return }
        record.server?.version = status.version
        guard status.isInitialised else {
            throw MigrationFailure(
                .failed,
                "the server says that the copy is not initialised: it does not see the data. \(server.lastWords)")
        }
        guard status.type == "shamir" else {
            throw MigrationFailure(
                .failed,
                "the server wants to unseal itself with \(status.type), which a drill has not. \(server.lastWords)")
        }
    }

    private func unseal(_ server: DrillServer, _ shares: KeyShares) throws {
        var isSealed = true
        for share in shares.shares.prefix(max(threshold, 1)) where isSealed {
            do throws(VaultAPIError) {
                isSealed = try server.client.unseal(share).isSealed
            } catch {
                if error.code == .cancelled { throw StorageError.cancelled }
                throw MigrationFailure(
                    .failed, "the server does not take the key shares: \(error.message) \(server.lastWords)")
            }
        }
        server.isUnsealed = true
        try server.wait("served") { () throws(VaultAPIError) in try server.client.health().isActive }
    }

    /// Has the server say what it serves.
    private func look(
        _ server: DrillServer, _ shares: KeyShares, _ tables: MountTables, _ reads: [String]
    ) throws {
        guard let token = try rootToken(server, shares) else {
            guard reads.isEmpty else {
                throw MigrationFailure(
                    .failed,
                    "the server makes no root token of key shares, so that nothing can be read from it. Leave read out of "
                        + "the server block; the drill then ends with sys/health.")
            }
            record.server?.mounts = tables.mounts.count { $0.kind == .secrets && $0.namespace.isEmpty }
            record.server?.mountsFrom = "read from the copy with the key shares"
            record.remarks.append(
                "The server makes no root token of key shares: its mounts were not asked for, but read from the copy.")
            return
        }
        let mounts = try ask(server) { () throws(VaultAPIError) in try server.client.mounts(token) }
        record.server?.mounts = mounts.count
        record.server?.mountsFrom = "as the server lists them"
        compare(mounts, tables)
        for path in reads {
            do throws(VaultAPIError) {
                _ = try server.client.read(path, token)
            } catch {
                if error.code == .cancelled { throw StorageError.cancelled }
                throw MigrationFailure(
                    .failed, "the server does not serve \(StorageKey(Array(path.utf8))): \(error.message)")
            }
            record.server?.reads += 1
        }
        // It dies with the copy; a copy that is kept has none that anybody made use of.
        try? server.client.revoke(token)
    }

    /// - Returns: `nil` if the server does not make one without a token.
    private func rootToken(_ server: DrillServer, _ shares: KeyShares) throws -> SecretBytes? {
        do throws(VaultAPIError) {
            return try server.client.makeRootToken(Array(shares.shares.prefix(max(threshold, 1))))
        } catch {
            if error.code == .cancelled { throw StorageError.cancelled }
            if error.code == .unsupported { return nil }
            throw MigrationFailure(.failed, "the server makes no root token: \(error.message)")
        }
    }

    /// Asks for something until the server, which has just become active, gives it.
    private func ask<Value>(_ server: DrillServer, _ question: () throws(VaultAPIError) -> Value) throws -> Value {
        var value: Value?
        do {
            try server.wait("had answered what it is asked") { () throws(VaultAPIError) in
                value = try question()
                return true
            }
        } catch let error as VaultAPIError {
            throw MigrationFailure(.failed, error.message)
        }
        guard let value else { throw StorageError.cancelled }
        return value
    }

    /// Holds what is served against the mount tables of the copy.
    private func compare(_ mounts: [ServedMount], _ tables: MountTables) {
        let served = Set(mounts.map { StorageKey($0.path).description })
        let wanted = tables.mounts.filter { $0.kind == .secrets && $0.namespace.isEmpty }
        let absent = wanted.count { !served.contains($0.path) }
        guard absent > 0 else { return }
        record.remarks.append(
            "The server does not serve \(formatCount(absent)) of \(formatCount(wanted.count)) "
                + "\(plural(wanted.count, "mount")) of the copy. `sealift prove -mounts -for` says which.")
    }
}
