import Glibc
import Synchronization

/// Ports that nobody listens on, below those that the system gives to whoever asks for any: a server may be told of its
/// port long before it listens there.
package enum FreePort {
    private static let next = Mutex(Int(getpid()) &* 97 % range.count)
    private static let range = 20_000..<32_000

    /// Each call gives another one.
    package static func take() throws -> Int {
        try next.withLock { next in
            for _ in range {
                next = (next + 1) % range.count
                let port = range.lowerBound + next
                if isFree(UInt16(port)) { return port }
            }
            throw NoFreePort(description: "no free port from \(range.lowerBound) to \(range.upperBound)")
        }
    }

    private static func isFree(_ port: UInt16) -> Bool {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { return false }
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}

private struct NoFreePort: Error, CustomStringConvertible {
    let description: String
}
