import Files
import Glibc
package import RaftDirectoryBackend
package import RaftFormat
package import Storage
import Telemetry

/// Makes the directories of a cluster's other nodes from the one of a node that ran alone once, and has stopped: each a copy of its
/// files, with the same `peers.json`, which the servers take on at their next unsealing. Started together they form the cluster
/// without sending one another anything (`vault-raft-directory.md`, section 11.2).
package struct PeersSpread {
    /// A node that is to be.
    package struct Member: Sendable {
        package let server: ClusterServer
        /// Its directory.
        package let path: String
    }

    /// What became of one node.
    package struct Outcome: Sendable {
        package let server: ClusterServer
        package let path: String
        /// Whether its directory was there already, byte for byte.
        package let wasThere: Bool
    }

    /// All nodes, the one that ran first.
    package let servers: [ClusterServer]
    private let node: StoppedNode
    private let look: PeersLook
    private let members: [Member]
    private let owner: FileOwner?
    /// Whether the owner was asked for; what was made before is given away only then.
    private let isOwnerGiven: Bool

    /// Reads the words of flags: `ID=HOST:PORT,path=PATH`.
    ///
    /// - Throws: `.configuration`.
    package static func members(_ words: [String]) throws(StorageError) -> [Member] {
        var members: [Member] = []
        for word in words {
            guard let comma = word.firstRange(of: ",path="), word[comma.upperBound...].first == "/" else {
                throw StorageError(
                    .configuration,
                    "-node \(StorageKey(word)): write ID=HOST:PORT,path=PATH with an absolute path, as in "
                        + "-node node2=10.0.0.12:8201,path=/opt/vault/node2.")
            }
            let path = resolvedPath(String(word[comma.upperBound...]))
            let change = try PeersChange(
                peers: [String(word[..<comma.lowerBound])], addresses: [], removals: [], flag: "-node")
            for server in change?.peers ?? [] {
                // Its own file would say otherwise, and Vault's open edition takes no peers.json with such a node.
                guard server.suffrage == .voter else {
                    throw StorageError(
                        .configuration,
                        "-node \(StorageKey(word)): a node without a vote is not made here. Let it join the cluster, with "
                            + "retry_join_as_non_voter or `operator raft join -non-voter`.")
                }
                members.append(Member(server: server, path: path))
            }
        }
        guard !members.isEmpty else {
            throw StorageError(
                .configuration,
                "-node names no node. Give one for each further node: -node node2=10.0.0.12:8201,path=PATH.")
        }
        return members
    }

    /// Looks whether the node can be spread; changes nothing.
    ///
    /// - Parameters:
    ///   - store: The node's data, opened beside it.
    ///   - owner: Whom the copies are given to; `nil` for the owner of what is copied, where that may be.
    /// - Throws: `.unsupported` with what is in the way, `.configuration` for a membership that no cluster can have.
    package init(
        _ node: StoppedNode, _ look: PeersLook, _ store: RaftDirectoryBackend, to members: [Member], isPractice: Bool,
        owner: FileOwner?
    ) throws(StorageError) {
        self.node = node
        self.look = look
        self.members = members
        let status = node.vault.status
        isOwnerGiven = owner != nil
        self.owner = owner ?? (geteuid() == 0 ? FileOwner(user: status.user, group: status.group) : nil)
        let own = try Self.ownServer(node, look)
        servers = [own] + members.map(\.server)
        for finding in PeersLook.findings(of: servers, nodeID: look.nodeID ?? own.id) {
            if finding.code == "loopback_address", isPractice { continue }
            let way = finding.code == "loopback_address" ? " For nodes that all run on this machine add -practice." : ""
            throw StorageError(.configuration, finding.text + way)
        }
        try refusePlaces()
        try refuseData(store)
    }

    private static func ownServer(_ node: StoppedNode, _ look: PeersLook) throws(StorageError) -> ClusterServer {
        func refuse(_ why: String) -> StorageError { StorageError(.unsupported, "\(node.path): \(why)") }
        guard !look.hasSegments else {
            throw refuse(
                "the log is kept in raft/wal, which is not copied here. Let empty nodes join this one, with retry_join."
            )
        }
        guard node.logFile != nil else {
            throw refuse(
                "there is no raft/raft.db: no server has run on it. Start and unseal a server on it once, and stop it.")
        }
        guard !look.isUncertain, let effective = look.effective else {
            throw refuse(
                "which servers belong to its cluster cannot be read. See `sealift raft fix-peers \(node.path)`.")
        }
        let servers = effective.configuration.servers
        guard servers.count == 1, let own = servers.first, own.suffrage == .voter else {
            throw refuse(
                "it belongs to a cluster of \(servers.count) servers already, and is spread only as a node that was alone. See "
                    + "`sealift raft fix-peers \(node.path)`.")
        }
        if let id = look.nodeID, !id.utf8.elementsEqual(own.id.utf8) {
            throw refuse("this is the node \(StorageKey(id)), and its cluster's only server is \(StorageKey(own.id)).")
        }
        return own
    }

    private func refusePlaces() throws(StorageError) {
        let paths = [node.path] + members.map(\.path)
        for (index, path) in paths.enumerated() {
            for other in paths[..<index]
            where liesWithin(path, other) || liesWithin(other, path)
                || Self.isBuildingPlace(path, of: other) || Self.isBuildingPlace(other, of: path)
            {
                throw StorageError(
                    .configuration, "\(other) and \(path) are one directory, or lie within one another. Name another.")
            }
        }
    }

    private static func isBuildingPlace(_ path: String, of other: String) -> Bool {
        liesWithin(path, "\(other).sealift-building")
    }

    private func refuseData(_ store: RaftDirectoryBackend) throws(StorageError) {
        for finding in try store.sourceFindings() {
            guard case .obstacle = finding.kind else { continue }
            throw StorageError(
                .unsupported,
                "\(finding.message)\nStart the server on it once more, unseal it, wait until it is active, and stop it in good "
                    + "order; then spread it.")
        }
        guard try store.get(.raftKeyRing) != nil else {
            throw StorageError(
                .unsupported,
                "\(node.path) has no core/raft/tls yet, the key ring by which nodes know each other. Start a server on it, unseal "
                    + "it, which makes one, stop it, and run again.")
        }
        guard try store.get(.migrationMarker) == nil else {
            throw StorageError(
                .unsupported,
                "\(node.path) carries the marker of a migration (core/migration): no server starts on it, nor on a copy."
            )
        }
    }

    private func copies() -> [(member: Member, copy: DirectoryCopy)] {
        members.map { member in
            (
                member,
                DirectoryCopy(
                    of: node.path, at: member.path, nodeID: member.server.id, peers: PeersFile.bytes(for: servers),
                    owner: owner)
            )
        }
    }

    /// What would be done, having seen that it can be.
    ///
    /// - Throws: `.notEmpty` for a place where something else stands.
    package func plan(isCancelled: @escaping @Sendable () -> Bool) throws(StorageError) -> [Outcome] {
        var outcomes: [Outcome] = []
        for (member, copy) in copies() {
            let wasThere = try copy.isThere(isCancelled: isCancelled)
            if !wasThere, let found = try copy.findings().first, case .obstacle(let code) = found.kind {
                throw StorageError(code, found.message)
            }
            outcomes.append(Outcome(server: member.server, path: member.path, wasThere: wasThere))
        }
        try refuseLackOfRoom(zip(outcomes, copies()).filter { !$0.0.wasThere }.map(\.1.copy))
        _ = try rewrite.plan(.peersFile, isCancelled: isCancelled)
        return outcomes
    }

    /// Looks before the first copy is made whether all of them fit, as far as the file systems say.
    private func refuseLackOfRoom(_ copies: [DirectoryCopy]) throws(StorageError) {
        var needed: [UInt64: Int] = [:]
        for copy in copies {
            guard let place = copy.roomNeeded() else { continue }
            let bytes = needed[place.device, default: 0] + place.bytes
            needed[place.device] = bytes
            var info = statvfs()
            guard statvfs(place.folder, &info) == 0, freeBytes(info) < bytes else { continue }
            throw StorageError(
                .noSpace,
                "\(place.folder) has \(formatBytes(freeBytes(info))) free, the copies need \(formatBytes(bytes)) there. Make room, "
                    + "or name other places, and run again.")
        }
    }

    private var rewrite: PeersRewrite { PeersRewrite(node, look, servers, isForced: false) }

    /// Does it: the copies first, then the `peers.json` of the node itself, which is a cluster of one until then.
    ///
    /// - Parameters:
    ///   - holder: Who does it, for whoever is refused meanwhile.
    ///   - time: For names of what is replaced.
    ///   - report: Told of what an earlier run left and was put right.
    package func run(
        holder: String, time: String, isCancelled: @escaping @Sendable () -> Bool, report: (String) -> Void
    ) throws(StorageError) -> [Outcome] {
        let planned = try plan(isCancelled: isCancelled)
        var made: [String] = []
        do throws(StorageError) {
            try make(planned, holder, time, isCancelled, report, &made)
        } catch {
            guard !made.isEmpty else { throw error }
            // With their peers.json they would form a cluster without the node itself.
            throw StorageError(
                error.code,
                "\(error.message)\nThese directories are made already: \(made.joined(separator: ", ")). Start no server on any of "
                    + "them, nor on \(node.path), before the same command has come to its end.")
        }
        return planned
    }

    private func make(
        _ planned: [Outcome], _ holder: String, _ time: String, _ isCancelled: @escaping @Sendable () -> Bool,
        _ report: (String) -> Void, _ made: inout [String]
    ) throws(StorageError) {
        for (outcome, (_, copy)) in zip(planned, copies()) {
            defer { copy.abandon() }
            guard !outcome.wasThere else {
                copy.removeRemains()
                if isOwnerGiven { try copy.giveToOwner() }
                made.append(outcome.path)
                continue
            }
            try copy.make(holder: holder, isCancelled: isCancelled)
            try copy.publish()
            made.append(outcome.path)
        }
        if isCancelled() { throw StorageError.cancelled }
        _ = try rewrite.run(
            .peersFile, time: time, isCancelled: isCancelled, stage: { _ in }, report: report)
    }
}
