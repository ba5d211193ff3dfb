import JSON

/// `meta.json` of a snapshot archive (hashicorp/raft 1.7 `snapshot.go`, `SnapshotMeta`): one JSON object and a line
/// feed.
package struct SnapshotMeta: Sendable, Equatable {
    /// The only version of snapshots that a server restores.
    package static let currentVersion = 1
    /// What servers of integrated storage call every snapshot (Vault 1.14 `physical/raft/snapshot.go`).
    package static let storeID = "bolt-snapshot"
    /// Servers refuse more bytes.
    package static let mostBytes = 8191

    package var version = SnapshotMeta.currentVersion
    package var id = SnapshotMeta.storeID
    /// Log position of the state.
    package var position: LogPosition
    /// Membership when the snapshot was taken; a restore keeps that of the running cluster. Its index is the log's.
    package var configuration: ClusterConfiguration
    /// Bytes of `state.bin`.
    package var size: Int

    package init(position: LogPosition, configuration: ClusterConfiguration, size: Int) {
        self.position = position
        self.configuration = configuration
        self.size = size
    }

    /// The file's bytes as Go's encoder writes them, the members in the order of the structure.
    package var encoded: [UInt8] {
        var json = JSONWriter()
        func number(_ name: StaticString, _ value: UInt64) {
            json.name(name)
            Array("\(value)".utf8).withUnsafeBytes { json.raw($0) }
        }
        json.beginObject()
        json.name("Version")
        json.integer(version)
        json.name("ID")
        json.string(id)
        number("Index", position.index)
        number("Term", position.term)
        json.name("Peers")
        json.null()
        json.name("Configuration")
        json.beginObject()
        json.name("Servers")
        json.beginArray()
        for server in configuration.servers {
            json.beginObject()
            json.name("Suffrage")
            json.integer(server.suffrage.rawValue)
            json.name("ID")
            json.string(server.id)
            json.name("Address")
            json.string(server.address)
            json.endObject()
        }
        json.endArray()
        json.endObject()
        number("ConfigurationIndex", configuration.index)
        json.name("Size")
        json.integer(size)
        json.endObject()
        return json.bytes + [UInt8(ascii: "\n")]
    }

    /// Reads the file's bytes; names are matched as Go's decoder does, in any case.
    ///
    /// - Throws: ``SnapshotDefect`` for anything but such an object, or one that no server restores.
    package init(decoding bytes: [UInt8]) throws(SnapshotDefect) {
        let parsed = bytes.withUnsafeBytes { bytes in
            Result { () throws(JSONError) in
                // The values live as long as their parser.
                let parser = try JSONParser()
                return try withExtendedLifetime(parser) { () throws(JSONError) in Members(try parser.parse(bytes)) }
            }
        }
        guard case .success(let members) = parsed, members.isObject else {
            throw SnapshotDefect(.damaged, "meta.json is no JSON object: the archive is damaged or was made by hand.")
        }
        version = members.version ?? -1
        id = members.id ?? ""
        guard version == Self.currentVersion else {
            throw SnapshotDefect(
                .unsupportedVersion,
                "meta.json says version \(members.version.map { "\($0)" } ?? "none"); servers restore version 1 only.")
        }
        guard let index = members.index, let term = members.term, let size = members.size, index >= 0, term >= 0,
            size >= 0
        else {
            throw SnapshotDefect(.damaged, "meta.json lacks Index, Term or Size, or they are no numbers of a log.")
        }
        position = LogPosition(term: UInt64(term), index: UInt64(index))
        configuration = ClusterConfiguration(
            index: UInt64(max(members.configurationIndex ?? 0, 0)), servers: members.servers)
        self.size = size
    }

    /// What of the object counts, copied out of the parser.
    private struct Members {
        var isObject = false
        var version: Int?
        var id: String?
        var index: Int?
        var term: Int?
        var size: Int?
        var configurationIndex: Int?
        var servers: [ClusterServer] = []

        init(_ node: JSONNode) {
            isObject = node.kind == .object
            for (name, value) in node.members {
                switch Self.lowercased(name) {
                case "version": version = value.integer
                case "id": id = value.text
                case "index": index = value.integer
                case "term": term = value.integer
                case "size": size = value.integer
                case "configurationindex": configurationIndex = value.integer
                case "configuration": servers = Self.servers(value)
                default: break
                }
            }
        }

        private static func servers(_ node: JSONNode) -> [ClusterServer] {
            for (name, value) in node.members where lowercased(name) == "servers" {
                return value.elements.map { element in
                    var server = ClusterServer(id: "", address: "")
                    for (name, value) in element.members {
                        switch lowercased(name) {
                        case "suffrage":
                            server.suffrage = value.integer.flatMap(ClusterServer.Suffrage.init(rawValue:)) ?? .voter
                        case "id": server.id = value.text ?? ""
                        case "address": server.address = value.text ?? ""
                        default: break
                        }
                    }
                    return server
                }
            }
            return []
        }

        private static func lowercased(_ name: UnsafeRawBufferPointer) -> String {
            String(decoding: name.map { $0 >= 0x41 && $0 <= 0x5a ? $0 | 0x20 : $0 }, as: UTF8.self)
        }
    }
}
