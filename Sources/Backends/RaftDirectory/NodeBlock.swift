import Files
import JSON
import Storage

/// One of several `node` blocks: a node of a cluster that is written at once.
struct NodeBlock {
    let id: String
    let address: ClusterAddress
    /// In the form of `resolvedPath(_:)`.
    let path: String
    let isVoter: Bool

    var member: RaftDirectoryDestination.Member {
        RaftDirectoryDestination.Member(id: id, address: address.hostAndPort, isVoter: isVoter)
    }

    /// Most nodes of a cluster; more voters than a dozen no cluster has.
    private static let mostNodes = 64
    /// An id is a word, which a file `node-id` has room for.
    private static let mostIDBytes = 1024
    private static let names = ["id", "cluster_addr", "path", "non_voter"]

    /// Reads the blocks, which reach the backend as a JSON list.
    ///
    /// - Throws: `.configuration` with the block's place.
    static func read(_ settings: BackendSettings) throws(StorageError) -> [NodeBlock] {
        let place = settings.place(of: RaftDirectoryBackend.nodeOption)
        func refuse(_ message: String) -> StorageError { StorageError(.configuration, message, place: place) }
        let text = Array((settings.text(RaftDirectoryBackend.nodeOption) ?? "").utf8)
        let nodes: [NodeBlock]
        do {
            let parser = try JSONParser()
            nodes = try text.withUnsafeBytes { text in
                let root = try parser.parse(text)
                guard root.kind == .array else { return [] }
                return try root.elements.enumerated().map { number, block in
                    try NodeBlock(block, number + 1, refuse)
                }
            }
        } catch let error as StorageError {
            throw error
        } catch {
            throw refuse("node is a block of its own: node { id = \"node1\", cluster_addr = …, path = … }.")
        }
        guard !nodes.isEmpty, nodes.count <= mostNodes else {
            throw refuse(
                nodes.isEmpty
                    ? "node is a block of its own: node { id = \"node1\", cluster_addr = …, path = … }."
                    : "\(nodes.count) node blocks are more than a cluster has nodes.")
        }
        for (index, node) in nodes.enumerated() {
            for other in nodes[..<index] {
                func isSame(_ one: String, _ two: String) -> Bool { one.utf8.elementsEqual(two.utf8) }
                let what =
                    isSame(node.id, other.id)
                    ? "id \(StorageKey(node.id))"
                    : isSame(node.address.hostAndPort, other.address.hostAndPort)
                        ? "cluster_addr \(node.address.hostAndPort)" : nil
                for (one, two) in [(node.path, other.path), (other.path, node.path)]
                where liesWithin(one, "\(two).sealift-building") {
                    throw refuse("\(one) lies in the folder in which \(two) is built. Name another path.")
                }
                guard let what else { continue }
                throw refuse("Two node blocks have the \(what). Each node has its own.")
            }
        }
        guard nodes.contains(where: \.isVoter) else {
            throw refuse(
                "None of the node blocks is a voter: no node could ever lead. Remove non_voter from most of them.")
        }
        return nodes
    }

    private init(_ block: JSONNode, _ number: Int, _ refuse: (String) -> StorageError) throws(StorageError) {
        let which = "node block \(number)"
        var values: [String: String] = [:]
        for (name, value) in block.members {
            let name = String(decoding: name, as: UTF8.self)
            guard Self.names.contains(name) else {
                throw refuse(
                    "\(which) has no option \"\(StorageKey(name))\". It has \(Self.names.joined(separator: ", ")).")
            }
            guard values[name] == nil else { throw refuse("\(which) sets \(name) twice.") }
            guard let text = value.text ?? value.boolean.map({ "\($0)" }) ?? value.integer.map({ "\($0)" }) else {
                throw refuse("\(which): \(name) is a text.")
            }
            values[name] = text
        }
        func needed(_ name: String, _ example: String) throws(StorageError) -> String {
            guard let value = values[name], !value.isEmpty else {
                throw refuse("\(which) needs \(name), such as \(name) = \"\(example)\".")
            }
            guard !value.utf8.contains(0) else { throw refuse("\(which): \(name) holds a zero byte.") }
            return value
        }
        id = try needed("id", "node1")
        guard id.utf8.count <= Self.mostIDBytes else {
            throw refuse("\(which): an id has \(Self.mostIDBytes) bytes at most.")
        }
        do throws(StorageError) {
            address = try ClusterAddress(parsing: try needed("cluster_addr", "https://10.0.0.11:8201"))
        } catch {
            throw error.place == nil ? refuse("\(which): \(error.message)") : error
        }
        let path = try needed("path", "/opt/vault/data")
        guard !path.hasPrefix("~"), !["${", "$(", "{{"].contains(where: { path.contains($0) }) else {
            throw refuse(
                "\(which): path \(StorageKey(path)) has a placeholder, which nothing fills in. Write the whole path.")
        }
        self.path = resolvedPath(path)
        guard self.path.hasPrefix("/") else {
            throw StorageError(
                .io,
                "\(path): the working directory was removed, so that a relative path leads nowhere. Give an absolute path."
            )
        }
        switch values["non_voter"] {
        case nil, "false", "0": isVoter = true
        case "true", "1": isVoter = false
        case .some: throw refuse("\(which): non_voter is true or false.")
        }
    }
}
