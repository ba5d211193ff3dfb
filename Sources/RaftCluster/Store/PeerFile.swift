import Files
import Glibc
import JSON
import RaftCore
import Sockets
import Storage

/// `peers.json` in a node's folder: the members of a cluster that has lost its majority, as the operator says they are now. In the
/// form that servers take (hashicorp/raft `ReadConfigJSON`): a list of `id`, `address`, `non_voter`. Read once, at a start, and
/// removed.
struct PeerFile {
    static let name = "peers.json"
    private static let mostBytes = 1 << 20

    let membership: Membership

    /// Reads the file.
    ///
    /// - Returns: `nil` if there is none.
    /// - Throws: `.configuration` for one that does not say what it must; it stays.
    init?(in folder: String, of node: NodeID) throws(ClusterError) {
        let path = "\(folder)/\(Self.name)"
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw ClusterError(.io, "open \(path): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: Self.mostBytes)
        let count = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
        guard count > 0, count < Self.mostBytes else {
            throw ClusterError(.configuration, "\(path) cannot be read, or is too large. Correct or remove it.")
        }
        let members: [Membership.Member]
        do {
            members = try Self.members(Array(bytes.prefix(count)))
        } catch {
            throw ClusterError(
                .configuration, "\(path): \(error). It must be a list of {\"id\", \"address\", \"non_voter\"}.")
        }
        membership = Membership(members)
        let isSound =
            Set(members.map(\.id)).count == members.count && Set(members.map(\.address)).count == members.count
            && members.allSatisfy { HostAddress(String(decoding: $0.address, as: UTF8.self)) != nil }
        guard isSound, !membership.voters.isEmpty else {
            throw ClusterError(
                .configuration,
                "\(path) must name each node once, with host and port of its own, and one voter at least. Correct it.")
        }
        guard membership.member(node) != nil else {
            throw ClusterError(
                .configuration,
                "\(path) does not name this node, \(StorageKey(node.bytes)). Correct it, the same on every node.")
        }
    }

    private static func members(_ text: [UInt8]) throws -> [Membership.Member] {
        let parser = try JSONParser()
        return try text.withUnsafeBytes { bytes in
            let list = try parser.parse(bytes)
            return list.elements.map { node in
                Membership.Member(
                    NodeID(Array((node["id"]?.text ?? "").utf8)), address: Array((node["address"]?.text ?? "").utf8),
                    node["non_voter"]?.boolean == true ? .nonVoter : .voter)
            }
        }
    }

    /// Removes the file, durably.
    static func remove(in folder: String) throws(ClusterError) {
        guard unlink("\(folder)/\(name)") == 0 else {
            throw ClusterError(.io, "remove \(folder)/\(name): \(String(cString: strerror(errno)))")
        }
        do throws(StorageError) { try syncFolder(at: folder) } catch { throw ClusterError(error) }
    }
}
