import CSystem
import Glibc
import Migration
import Storage

/// Where the server of a drill listens, and whether it reaches anything else.
struct CopyNetwork: Sendable {
    let isCut: Bool
    /// Of the listener that a server needs for its cluster; the API is asked by a socket of the file system.
    let port: Int
    let clusterPort: Int
    /// Why it is not cut off, if that was tried.
    let reason: String?

    /// Looks what is possible here.
    ///
    /// - Throws: Of kind `failed` if the network must be cut off and cannot, or if there is no free port.
    init(_ server: DrillSettings.Server) throws(MigrationFailure) {
        var reason: String?
        if server.network != .shared {
            let number = cs_can_cut_network()
            guard number != 0 else {
                (isCut, port, clusterPort, self.reason) = (true, 8200, 8201, nil)
                return
            }
            // What unshare(2) says where a limit on namespaces is 0, or reached.
            let why =
                number == ENOSPC
                ? "the limit on namespaces is reached, user.max_net_namespaces or user.max_user_namespaces"
                : systemMessage(number)
            reason = "the system does not let the server have a network of its own (\(why))"
            guard server.network == .cutIfAllowed else {
                throw MigrationFailure(
                    .failed,
                    "\(reason ?? ""). Allow user namespaces, run the drill as root, or say network = \"shared\" in the "
                        + "server block if the server may reach other machines.")
            }
        }
        isCut = false
        self.reason = reason
        port = try server.port == 0 ? Self.freePort() : server.port
        clusterPort = try server.clusterPort == 0 ? Self.freePort(besides: port) : server.clusterPort
    }

    /// A port of the loopback interface that nobody listens on at this moment.
    private static func freePort(besides other: Int = 0) throws(MigrationFailure) -> Int {
        for _ in 0..<10 {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            defer { if descriptor >= 0 { Glibc.close(descriptor) } }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let isBound = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    bind(descriptor, address, length) == 0 && getsockname(descriptor, address, &length) == 0
                }
            }
            let port = Int(UInt16(bigEndian: address.sin_port))
            if isBound, port != other { return port }
        }
        throw MigrationFailure(
            .failed, "there is no free port on 127.0.0.1 for the server. Name two with port and cluster_port.")
    }
}
