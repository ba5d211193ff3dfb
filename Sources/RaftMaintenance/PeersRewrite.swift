import Bolt
import CSystem
import Files
import Glibc
import RaftDirectoryBackend
package import RaftFormat
package import Storage
import Telemetry

/// Gives a stopped node another membership.
package struct PeersRewrite {
    /// How the membership reaches the server.
    package enum Method: String, Sendable, CaseIterable {
        /// A file that the server reads at its next unsealing, and deletes: no file of the store is touched.
        case peersFile = "peers-json"
        /// The record in `vault.db`, by writing the file anew.
        case record = "vault-db"
    }

    /// What was done, or would be.
    package struct Result: Sendable {
        package let method: Method
        package let servers: [ClusterServer]
        /// The file that says so now.
        package let path: String
        /// Whether anything had to be changed.
        package var isChanged = true
        /// Where the old file is; `nil` if there was none, or nothing was changed.
        package var oldPath: String?
        package var remarks: [String] = []
    }

    private let node: StoppedNode
    private let look: PeersLook
    private let servers: [ClusterServer]
    private let isForced: Bool

    /// - Parameters:
    ///   - servers: As ``PeersChange/servers(changing:isPractice:isForced:)`` gave them.
    ///   - isForced: Whether a `peers.json` that is there may be replaced.
    package init(_ node: StoppedNode, _ look: PeersLook, _ servers: [ClusterServer], isForced: Bool) {
        self.node = node
        self.look = look
        self.servers = servers
        self.isForced = isForced
    }

    /// What would be done, having seen that it can be.
    ///
    /// - Throws: As ``run(_:time:isCancelled:stage:report:)``.
    package func plan(
        _ method: Method, isCancelled: @escaping @Sendable () -> Bool
    ) throws(StorageError) -> Result {
        switch method {
        case .peersFile: return try planPeersFile()
        case .record:
            let result = try planRecord()
            if result.isChanged { try refuseLackOfRoom(isCancelled) }
            return result
        }
    }

    /// Does it. The old file is kept beside the new one.
    ///
    /// - Parameters:
    ///   - time: What the name of the old file ends in.
    ///   - stage: Told of what begins.
    ///   - report: Told of what an earlier run left and was put right.
    /// - Throws: `.unsupported` if the server would not take it; `.notEmpty` if a `peers.json` is there already; `.noSpace`,
    ///   `.io`. What stood there is in place then.
    package func run(
        _ method: Method, time: String, isCancelled: @escaping @Sendable () -> Bool,
        stage: (MaintenanceStage) -> Void, report: (String) -> Void
    ) throws(StorageError) -> Result {
        let work = try WorkFolder(in: node.folder)
        defer { work.release() }
        for repair in try work.clear() { report(repair) }
        let result = try plan(method, isCancelled: isCancelled)
        guard result.isChanged else { return result }
        do throws(StorageError) {
            switch method {
            case .peersFile: return try writePeersFile(result, work, time)
            case .record: return try writeRecord(result, work, time, isCancelled, stage)
            }
        } catch {
            // What is left behind is the next run's to look at.
            _ = try? work.clear()
            throw error
        }
    }
}

// MARK: peers.json

extension PeersRewrite {
    private func planPeersFile() throws(StorageError) -> Result {
        guard let folder = node.raftFolder else {
            throw StorageError(
                .unsupported, "\(node.path)/raft is not there: no server has run Raft on this directory.")
        }
        if look.position.index == 0, let outline = look.outline, outline.firstIndex == 0, outline.currentTerm == 0 {
            throw StorageError(
                .unsupported,
                "The node has no state yet: no term, no log, no data with a position. A server refuses to recover such a "
                    + "node from peers.json. Join it to a cluster, or initialise it.")
        }
        var result = Result(method: .peersFile, servers: servers, path: "\(folder.path)/\(PeersFile.name)")
        result.remarks.append(
            "At its next unsealing the node applies what its log holds, takes this membership on, empties its log and deletes "
                + "the file. Put the same file on every node that is to stay, before any of them is started.")
        if servers.contains(where: { $0.suffrage != .voter }) {
            result.remarks.append(
                "Vault's open edition refuses a peers.json with non-voters; OpenBao and Vault Enterprise take it.")
        }
        result.isChanged = try !isWritten(in: folder)
        if result.isChanged { try refuseOther(in: folder) }
        return result
    }

    /// Whether the file says so already.
    private func isWritten(in folder: NodeFolder) throws(StorageError) -> Bool {
        guard case .servers = look.pending else { return false }
        return try folder.bytes(of: PeersFile.name, most: PeersFile.maximumBytes) == PeersFile.bytes(for: servers)
    }

    private func refuseOther(in folder: NodeFolder) throws(StorageError) {
        let path = "\(folder.path)/\(PeersFile.name)"
        guard let there = try folder.status(of: PeersFile.name) else { return }
        guard there.isRegular else {
            throw StorageError(.notEmpty, "\(path) is a link, or no file at all, and is not replaced. Move it away.")
        }
        guard isForced else {
            throw StorageError(
                .notEmpty,
                "\(path) is there already and says something else. See what it is for; -force replaces it and keeps the old "
                    + "one.")
        }
    }

    private func writePeersFile(_ planned: Result, _ work: WorkFolder, _ time: String) throws(StorageError) -> Result {
        guard let folder = node.raftFolder else { return planned }
        var result = planned
        let status = try make(work)
        if let old = try folder.status(of: PeersFile.name) {
            try refuseOther(in: folder)
            let kept = try exchange(
                PeersFile.name, in: folder, old: old, new: status, work: work, keepingOldAs: "fix-peers-\(time)",
                isUnchanged: { () throws(StorageError) in try folder.status(of: PeersFile.name) == old })
            result.oldPath = "\(folder.path)/\(kept)"
        } else {
            try takeName(planned.path, folder, work)
        }
        try folder.sync()
        return result
    }

    /// Makes the file in the work folder, with the owner of the store, so that the server can read and delete it.
    private func make(_ work: WorkFolder) throws(StorageError) -> FileStatus {
        let path = "\(work.folder.path)/\(PeersFile.name)"
        let file = try work.create(PeersFile.name)
        defer { Glibc.close(file) }
        try writeAll(PeersFile.bytes(for: servers), to: file, path)
        try NewFile.adoptOwner(of: node.vault.status, file, path)
        guard fsync(file) == 0 else { throw StorageError.system("sync", path, errno: errno) }
        guard let status = try work.folder.status(of: PeersFile.name) else {
            throw StorageError(.io, "\(path) was removed by another process. See who writes there, and run again.")
        }
        return status
    }

    /// Moves the file where nothing is.
    private func takeName(_ path: String, _ folder: NodeFolder, _ work: WorkFolder) throws(StorageError) {
        let (from, name) = (work.folder.descriptor, PeersFile.name)
        if cs_rename_noreplace(from, name, folder.descriptor, name) == 0 { return }
        let number = errno
        guard [EINVAL, ENOSYS].contains(number), try !folder.has(name) else {
            throw StorageError.system("rename to", path, errno: number)
        }
        // Some file systems cannot do that in one step.
        guard renameat(from, name, folder.descriptor, name) == 0 else {
            throw StorageError.system("rename to", path, errno: errno)
        }
    }
}

// MARK: vault.db

extension PeersRewrite {
    /// The record as it is to be. Its index stays: entries of the log behind it go on counting from there.
    private var configuration: ClusterConfiguration {
        ClusterConfiguration(index: max(look.recorded?.index ?? 0, 1), servers: servers)
    }

    private func planRecord() throws(StorageError) -> Result {
        func refuse(_ why: String) -> StorageError {
            StorageError(.unsupported, "\(why) Use -method=peers-json, which wins over both.")
        }
        guard case .none = look.pending else {
            throw StorageError(
                .unsupported,
                "\(node.path)/raft/peers.json is there and wins over vault.db at the next start. Move it away, or replace it "
                    + "with -method=peers-json -force.")
        }
        if look.hasSegments {
            throw refuse("The log is kept in raft/wal, which may hold a newer membership that would win over vault.db.")
        }
        if look.isUncertain {
            throw refuse(
                "raft.db holds an entry behind the data that cannot be read: if it is a membership, it wins over vault.db."
            )
        }
        if let newest = look.outline?.newestConfiguration {
            throw refuse(
                "raft.db holds a newer membership, at index \(newest.index), behind the data's index "
                    + "\(look.position.index): it wins over vault.db at the next start.")
        }
        if look.position.index == 0 {
            throw refuse("latest_indexes is missing or 0, so that a server does not look at vault.db's membership.")
        }
        var result = Result(method: .record, servers: servers, path: node.vault.path)
        result.remarks.append(
            "The log is kept. Make the same change on every node that is to stay, before any of them is started.")
        result.isChanged = look.recorded != configuration
        return result
    }

    private func writeRecord(
        _ planned: Result, _ work: WorkFolder, _ time: String, _ isCancelled: @escaping @Sendable () -> Bool,
        _ stage: (MaintenanceStage) -> Void
    ) throws(StorageError) -> Result {
        let exception = ContentPass.Exception(
            bucket: StateMachineNames.config, key: StateMachineNames.latestConfiguration,
            newValue: configuration.encoded)
        let new = try NewFile(of: node.vault, in: work, exception: exception, isCancelled: isCancelled, stage: stage)
        var result = planned
        result.oldPath = "\(node.path)/\(try new.takePlace(keepingOldAs: "fix-peers-\(time)"))"
        usleep(Compaction.graceMicroseconds)
        return result
    }

    private func refuseLackOfRoom(_ isCancelled: @escaping @Sendable () -> Bool) throws(StorageError) {
        let shape = try storageErrors { try node.vault.reader.shape(isCancelled: isCancelled) }
        guard let shape else { throw StorageError.cancelled }
        var info = statvfs()
        let needed = shape.compactBytes + (1 << 20)
        guard fstatvfs(node.folder.descriptor, &info) == 0, freeBytes(info) < needed else { return }
        throw StorageError(
            .noSpace,
            "\(node.path) has \(formatBytes(freeBytes(info))) free, the new vault.db needs \(formatBytes(needed)) beside the "
                + "old one. Make room and run again, or use -method=peers-json, which needs none.")
    }
}
