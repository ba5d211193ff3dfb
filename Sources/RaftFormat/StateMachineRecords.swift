/// Names inside `vault.db`, the state machine's file (Vault 1.14 `physical/raft/fsm.go`).
package enum StateMachineNames {
    /// Bucket of the entries: storage key to value.
    package static let data = Array("data".utf8)
    /// Bucket of the three records below.
    package static let config = Array("config".utf8)
    package static let latestIndexes = Array("latest_indexes".utf8)
    package static let latestConfiguration = Array("latest_config".utf8)
    package static let localNodeConfiguration = Array("local_node_config".utf8)
    /// Prefix of pieces of a large write whose rest never came.
    package static let chunkPrefix = Array("raftchunking/".utf8)
    /// Longest key bbolt keeps, bytes (bbolt `MaxKeySize`).
    package static let maximumKeyBytes = 32768
    /// Largest value one page run is kept to, bytes.
    package static let maximumValueBytes = 1 << 30
}

/// The log position that a state machine's data covers: record `latest_indexes`
/// (`IndexValue` in Vault 1.14 `physical/raft/types.proto`).
package struct LogPosition: Sendable, Equatable {
    package var term: UInt64
    package var index: UInt64

    package init(term: UInt64, index: UInt64) {
        self.term = term
        self.index = index
    }

    package var encoded: [UInt8] {
        var writer = ProtobufWriter()
        writer.write(field: 1, term)
        writer.write(field: 2, index)
        return writer.bytes
    }

    package init(decoding bytes: [UInt8]) throws(RaftFormatError) {
        self.init(term: 0, index: 0)
        var reader = ProtobufReader(bytes[...])
        while let field = try reader.next() {
            switch field {
            case .number(1, let value): term = value
            case .number(2, let value): index = value
            default: break
            }
        }
    }
}

/// A member of the cluster (`Server` in Vault 1.14 `physical/raft/types.proto`).
package struct ClusterServer: Sendable, Equatable {
    package enum Suffrage: Int, Sendable {
        case voter = 0
        case nonvoter = 1
        case staging = 2
    }

    package var suffrage: Suffrage
    package var id: String
    /// host:port of its cluster listener.
    package var address: String

    package init(suffrage: Suffrage = .voter, id: String, address: String) {
        self.suffrage = suffrage
        self.id = id
        self.address = address
    }
}

/// The cluster's membership and the log index that set it: record `latest_config`
/// (`ConfigurationValue` in Vault 1.14 `physical/raft/types.proto`).
package struct ClusterConfiguration: Sendable, Equatable {
    package var index: UInt64
    package var servers: [ClusterServer]

    package init(index: UInt64, servers: [ClusterServer]) {
        self.index = index
        self.servers = servers
    }

    package var encoded: [UInt8] {
        var writer = ProtobufWriter()
        writer.write(field: 1, index)
        for server in servers {
            var inner = ProtobufWriter()
            inner.write(field: 1, UInt64(server.suffrage.rawValue))
            inner.write(field: 2, Array(server.id.utf8))
            inner.write(field: 3, Array(server.address.utf8))
            writer.write(field: 2, inner.bytes, always: true)
        }
        return writer.bytes
    }

    package init(decoding bytes: [UInt8]) throws(RaftFormatError) {
        self.init(index: 0, servers: [])
        var reader = ProtobufReader(bytes[...])
        while let field = try reader.next() {
            switch field {
            case .number(1, let value): index = value
            case .bytes(2, let inner): servers.append(try Self.decodeServer(inner))
            default: break
            }
        }
    }

    private static func decodeServer(_ bytes: ArraySlice<UInt8>) throws(RaftFormatError) -> ClusterServer {
        var server = ClusterServer(id: "", address: "")
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch field {
            case .number(1, let value):
                guard let suffrage = Int(exactly: value).flatMap(ClusterServer.Suffrage.init(rawValue:)) else {
                    throw RaftFormatError("a server has the unknown suffrage \(value)")
                }
                server.suffrage = suffrage
            case .bytes(2, let text): server.id = String(decoding: text, as: UTF8.self)
            case .bytes(3, let text): server.address = String(decoding: text, as: UTF8.self)
            default: break
            }
        }
        return server
    }
}

/// What a node wants to be: record `local_node_config`
/// (`LocalNodeConfigValue` in Vault 1.14 `physical/raft/types.proto`).
package struct LocalNodeConfiguration: Sendable, Equatable {
    package var desiredSuffrage: String

    package static let voter = LocalNodeConfiguration(desiredSuffrage: "voter")
    package static let nonVoter = LocalNodeConfiguration(desiredSuffrage: "non-voter")

    package var encoded: [UInt8] {
        var writer = ProtobufWriter()
        writer.write(field: 1, Array(desiredSuffrage.utf8))
        return writer.bytes
    }
}
