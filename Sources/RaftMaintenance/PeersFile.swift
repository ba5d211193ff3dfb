import JSON
import RaftFormat

/// `raft/peers.json`: the membership that a server takes on at its next unsealing, whatever its files say (hashicorp/raft
/// `peersjson.go`: a JSON array of `{"id", "address", "non_voter"}`). The server deletes the file then.
enum PeersFile {
    static let name = "peers.json"
    /// Far more than any cluster's.
    static let maximumBytes = 1 << 20

    /// The file for a membership; ids and addresses are valid UTF-8.
    static func bytes(for servers: [ClusterServer]) -> [UInt8] {
        let lines = servers.map { server in
            var writer = JSONWriter()
            writer.beginObject()
            writer.name("id")
            writer.string(server.id)
            writer.name("address")
            writer.string(server.address)
            writer.name("non_voter")
            writer.boolean(server.suffrage != .voter)
            writer.endObject()
            return "  " + String(decoding: writer.bytes, as: UTF8.self)
        }
        return Array("[\n\(lines.joined(separator: ",\n"))\n]\n".utf8)
    }

    /// Reads a file as a server does: names of fields in any case, unknown fields passed over.
    ///
    /// - Throws: ``Problem``, if no server would take it.
    static func servers(_ bytes: [UInt8]) throws(Problem) -> [ClusterServer] {
        let parsed = Result { try parse(bytes) }
        switch parsed {
        case .success(let servers): return servers
        case .failure(let problem as Problem): throw problem
        case .failure(let error): throw Problem(text: "is no JSON (\(error))")
        }
    }

    /// Why a file is of no use.
    struct Problem: Error, Equatable {
        /// To follow the file's name.
        let text: String
    }

    private static func parse(_ bytes: [UInt8]) throws -> [ClusterServer] {
        let parser = try JSONParser()
        return try bytes.withUnsafeBytes { bytes in
            let root = try parser.parse(bytes)
            guard root.kind == .array else { throw Problem(text: "is no list of servers") }
            let servers = try root.elements.map { try server($0) }
            guard !servers.isEmpty else { throw Problem(text: "names no server") }
            return servers
        }
    }

    private static func server(_ node: JSONNode) throws -> ClusterServer {
        guard node.kind == .object else { throw Problem(text: "holds something that is no server") }
        var server = ClusterServer(id: "", address: "")
        for (name, value) in node.members {
            switch String(decoding: name, as: UTF8.self).lowercased() {
            case "id": server.id = value.text ?? ""
            case "address": server.address = value.text ?? ""
            case "non_voter": server.suffrage = value.boolean == true ? .nonvoter : .voter
            default: break
            }
        }
        guard !server.id.isEmpty, !server.address.isEmpty else {
            throw Problem(text: "holds a server without id or address")
        }
        return server
    }
}
