extension ClusterConfiguration {
    /// The servers as an entry of the log and a snapshot's call hold them: a msgpack map with one list
    /// (hashicorp/raft `EncodeConfiguration`). The index is the entry's own and not in it.
    package var packedServers: [UInt8] {
        let list = servers.map { server in
            MessagePack.map([
                "Suffrage": .signed(Int64(server.suffrage.rawValue)), "ID": .bytes(Array(server.id.utf8)),
                "Address": .bytes(Array(server.address.utf8)),
            ])
        }
        var bytes: [UInt8] = []
        MessagePack.map(["Servers": list.isEmpty ? .null : .array(list)]).write(to: &bytes)
        return bytes
    }

    /// Reads the servers of an entry.
    ///
    /// - Parameter index: The entry's.
    /// - Throws: If the bytes are no such list, whole and nothing else.
    package init(packedServers bytes: [UInt8], index: UInt64) throws(RaftFormatError) {
        var decoder = MessagePackDecoder(bytes[...])
        guard let value = try decoder.next(), decoder.position == bytes.count else {
            throw RaftFormatError("a configuration is not whole")
        }
        self.init(index: index, servers: [])
        for server in try MessageFields(value, "a configuration", names: ["Servers"]).list("Servers") {
            let fields = try MessageFields(server, "a server", names: ["Suffrage", "ID", "Address"])
            let number = try fields.number("Suffrage")
            guard let suffrage = Int(exactly: number).flatMap(ClusterServer.Suffrage.init(rawValue:)),
                let id = String(validating: try fields.bytes("ID"), as: UTF8.self),
                let address = String(validating: try fields.bytes("Address"), as: UTF8.self)
            else { throw RaftFormatError("a configuration holds a server that can be none") }
            servers.append(ClusterServer(suffrage: suffrage, id: id, address: address))
        }
    }
}
