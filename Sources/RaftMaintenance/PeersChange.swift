package import RaftFormat
package import Storage

/// A change of a cluster's membership, as asked for.
package struct PeersChange: Sendable, Equatable {
    /// The whole new membership; empty if only parts change.
    var peers: [ClusterServer] = []
    /// New addresses by id.
    var addresses: [ClusterServer] = []
    /// Ids that go.
    var removals: [String] = []

    private static let nonvoterSuffix = ",non-voter"

    /// Reads the words of flags.
    ///
    /// - Parameters:
    ///   - peers: `ID=HOST:PORT`, with `,non-voter` behind it for a server without a vote. In ids `\xhh` stands for any
    ///     byte and `\\` for a backslash.
    ///   - addresses: `ID=HOST:PORT`.
    ///   - removals: Ids.
    ///   - flag: The flag that gives the peers, for messages.
    /// - Returns: `nil` if nothing is asked.
    /// - Throws: `.configuration`.
    package init?(
        peers: [String], addresses: [String], removals: [String], flag: String = "-peer"
    ) throws(StorageError) {
        if peers.isEmpty, addresses.isEmpty, removals.isEmpty { return nil }
        guard peers.isEmpty || addresses.isEmpty && removals.isEmpty else {
            throw StorageError(
                .configuration,
                "-peer gives the whole new set, -set-address and -remove change a part of the old one: give one or the "
                    + "other.")
        }
        for text in peers {
            let isNonvoter = text.hasSuffix(Self.nonvoterSuffix)
            let rest = isNonvoter ? text.dropLast(Self.nonvoterSuffix.count) : text[...]
            var server = try Self.server(rest, flag: flag, shown: text)
            if isNonvoter { server.suffrage = .nonvoter }
            self.peers.append(server)
        }
        for text in addresses {
            self.addresses.append(try Self.server(text[...], flag: "-set-address", shown: text))
        }
        for text in removals { self.removals.append(try Self.id(text[...], flag: "-remove", shown: text)) }
    }

    private static func server(_ text: Substring, flag: String, shown: String) throws(StorageError) -> ClusterServer {
        // No address holds an equals sign, and an id may.
        guard let equals = text.lastIndex(of: "=") else {
            throw StorageError(
                .configuration, "\(flag) \(shown): write ID=HOST:PORT, as in \(flag) node1=10.0.0.11:8201.")
        }
        return ClusterServer(
            id: try id(text[..<equals], flag: flag, shown: shown),
            address: String(text[text.index(after: equals)...]))
    }

    private static func id(_ text: Substring, flag: String, shown: String) throws(StorageError) -> String {
        guard let bytes = StorageKey(loosely: text.utf8)?.bytes, !bytes.isEmpty,
            let id = String(validating: bytes, as: UTF8.self)
        else {
            throw StorageError(
                .configuration,
                "\(flag) \(shown): there is no id in it. In ids \\xhh stands for any byte and \\\\ for a backslash.")
        }
        return id
    }

    /// The new membership.
    ///
    /// - Parameters:
    ///   - isPractice: Whether loopback addresses are taken.
    ///   - isForced: Whether this node may be missing.
    /// - Throws: `.configuration` if no cluster could form with it; `.unsupported` if the old one is not known of which a
    ///   part is to change.
    package func servers(
        changing look: PeersLook, isPractice: Bool, isForced: Bool
    ) throws(StorageError) -> [ClusterServer] {
        let servers = peers.isEmpty ? try changed(look) : peers
        guard !servers.isEmpty else {
            throw StorageError(.configuration, "No server would be left. Name at least this node.")
        }
        for finding in PeersLook.findings(of: servers, nodeID: look.nodeID) {
            switch finding.code {
            case "loopback_address" where isPractice: continue
            case "loopback_address":
                throw StorageError(
                    .configuration, "\(finding.text) For nodes that all run on this machine add -practice.")
            case "not_a_member" where isForced: continue
            case "not_a_member":
                throw StorageError(
                    .configuration, "\(finding.text) With -force it is written all the same.")
            default: throw StorageError(.configuration, finding.text)
            }
        }
        return servers
    }

    private func changed(_ look: PeersLook) throws(StorageError) -> [ClusterServer] {
        guard let (old, origin) = look.next else {
            throw StorageError(
                .unsupported,
                "The present membership is not known, so that no part of it can be changed. Give all of it: -peer for every "
                    + "node.")
        }
        guard origin != .record || look.isExact else {
            throw StorageError(
                .unsupported,
                "latest_config holds more than is known here, which would get lost. Give the whole membership: -peer for "
                    + "every node.")
        }
        var servers = old
        for change in addresses {
            guard let place = try place(of: change.id, in: servers) else { throw unknown(change.id, servers) }
            servers[place].address = change.address
        }
        for id in removals {
            guard let place = try place(of: id, in: servers) else { throw unknown(id, servers) }
            servers.remove(at: place)
        }
        return servers
    }

    private func place(of id: String, in servers: [ClusterServer]) throws(StorageError) -> Int? {
        let places = servers.indices.filter { servers[$0].id.utf8.elementsEqual(id.utf8) }
        guard places.count < 2 else {
            throw StorageError(
                .configuration,
                "The id \(StorageKey(id)) is there twice. Give the whole membership: -peer for every node.")
        }
        return places.first
    }

    private func unknown(_ id: String, _ servers: [ClusterServer]) -> StorageError {
        let known = servers.prefix(20).map { "\(StorageKey($0.id))" }.joined(separator: ", ")
        return StorageError(.configuration, "There is no server \(StorageKey(id)). There are: \(known).")
    }
}
