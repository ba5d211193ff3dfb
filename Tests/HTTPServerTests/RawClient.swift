import Glibc

/// Sends bytes to a server and reads what comes back until it closes the connection.
struct RawClient {
    let port: UInt16

    /// - Parameter pieces: Sent one after the other.
    func exchange(_ pieces: [[UInt8]]) -> [UInt8] {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var limit = timeval(tv_sec: 100, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { return [] }
        for piece in pieces { _ = send(descriptor, piece, piece.count, Int32(MSG_NOSIGNAL)) }
        var answer: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = recv(descriptor, &room, room.count, 0)
            guard count > 0 else { return answer }
            answer += room.prefix(count)
        }
    }

    /// One request whose connection is closed behind the answer.
    func request(
        _ method: String = "POST", _ target: String = "/", headers: [String] = [], body: [UInt8] = []
    ) -> (head: String, body: [UInt8]) {
        let lines =
            ["\(method) \(target) HTTP/1.1", "Host: 127.0.0.1", "Connection: close", "Content-Length: \(body.count)"]
            + headers
        let answer = exchange([Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8), body])
        let end = answer.indices.first { answer[$0...].starts(with: [13, 10, 13, 10]) } ?? answer.count
        return (String(decoding: answer[..<end], as: UTF8.self), Array(answer[end...].dropFirst(4)))
    }
}
