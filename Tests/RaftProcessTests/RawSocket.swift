import Glibc

/// Sends bytes on a connection of their own to this machine and reads until the other side closes it.
///
/// - Parameter endsStream: Whether the other side is told that nothing more comes.
@discardableResult
func exchange(_ bytes: [UInt8], on port: Int, endsStream: Bool = true) -> [UInt8] {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { return [] }
    defer { close(socket) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let isConnected = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
    }
    guard isConnected else { return [] }
    // Whoever never answers fails the test.
    var limit = timeval(tv_sec: 30, tv_usec: 0)
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var done = 0
    while done < bytes.count {
        let count = bytes[done...].withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        guard count > 0 else { break }
        done += count
    }
    if endsStream { shutdown(socket, Int32(SHUT_WR)) }
    var answer: [UInt8] = []
    var room = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = recv(socket, &room, room.count, 0)
        guard count > 0 else { return answer }
        answer += room.prefix(count)
    }
}
