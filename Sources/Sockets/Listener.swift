import Glibc
import Synchronization

/// Waits for connections on one address.
package final class Listener: Sendable {
    private let listening: Mutex<Int32>
    /// Written to, it ends the waiting.
    private let waker: (reading: Int32, writing: Int32)
    /// The port listened on.
    package let port: UInt16

    /// - Throws: `.system` if the address is taken or none of this machine.
    package init(_ address: HostAddress) throws(SocketError) {
        var failure: SocketError?
        let found = try address.resolve(isPassive: true) { info -> Int32? in
            do throws(SocketError) {
                return try Self.open(info, "\(address)")
            } catch {
                failure = error
                return nil
            }
        }
        guard let descriptor = found else {
            throw failure ?? SocketError(.configuration, "\(address) stands for no address.")
        }
        listening = Mutex(descriptor)
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            Glibc.close(descriptor)
            throw .system("pipe", "\(address)", errno)
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        waker = (ends[0], ends[1])
        port = Self.port(of: descriptor) ?? address.port
    }

    deinit {
        close()
        for end in [waker.reading, waker.writing] { Glibc.close(end) }
    }

    private static func open(_ info: UnsafePointer<addrinfo>, _ place: String) throws(SocketError) -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(info.pointee.ai_family, kind, 0)
        guard descriptor >= 0 else { throw .system("socket", place, errno) }
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        guard bind(descriptor, info.pointee.ai_addr, info.pointee.ai_addrlen) == 0, listen(descriptor, 128) == 0 else {
            defer { Glibc.close(descriptor) }
            throw .system("listen on", place, errno)
        }
        return descriptor
    }

    private static func port(of descriptor: Int32) -> UInt16? {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let failure = withUnsafeMutablePointer(to: &storage) { storage in
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
        }
        guard failure == 0 else { return nil }
        return withUnsafeBytes(of: &storage) { bytes in
            // Port and family lie alike in the addresses of both versions.
            UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        }
    }

    /// Waits for a connection, without shaking hands yet.
    ///
    /// - Returns: `nil` once ``stop()`` was called.
    package func accept() -> PendingConnection? {
        let descriptor = listening.withLock { $0 }
        while descriptor >= 0 {
            var entries = [
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: waker.reading, events: Int16(POLLIN), revents: 0),
            ]
            let count = poll(&entries, 2, -1)
            if entries[1].revents != 0 { break }
            guard count > 0 else { continue }
            let accepted = Glibc.accept(descriptor, nil, nil)
            if accepted >= 0 {
                _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
                _ = fcntl(accepted, F_SETFL, O_NONBLOCK)
                return PendingConnection(accepted)
            }
            // Out of descriptors or memory: others end in a while.
            if [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(errno) { usleep(50_000) }
        }
        close()
        return nil
    }

    /// Frees the address for others.
    private func close() {
        listening.withLock { descriptor in
            if descriptor >= 0 { Glibc.close(descriptor) }
            descriptor = -1
        }
    }

    /// Ends ``accept()``. May be called from any thread, repeatedly.
    package func stop() {
        var byte: UInt8 = 0
        _ = write(waker.writing, &byte, 1)
    }
}

/// A connection that was accepted and not spoken on.
package final class PendingConnection: Sendable {
    private let descriptor: Mutex<Int32>

    init(_ descriptor: Int32) {
        self.descriptor = Mutex(descriptor)
    }

    deinit {
        descriptor.withLock { if $0 >= 0 { Glibc.close($0) } }
    }

    /// Shakes hands, if there is TLS; once.
    package func begin(tls: TLSSettings?, timeout: Duration) throws(SocketError) -> Connection {
        let taken = descriptor.withLock { descriptor in
            defer { descriptor = -1 }
            return descriptor
        }
        guard taken >= 0 else { throw SocketError(.closed, "the connection was taken already") }
        return try Connection.accepted(taken, peer: Self.name(of: taken), tls: tls, timeout: timeout)
    }

    private static func name(of descriptor: Int32) -> String {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        var port = [CChar](repeating: 0, count: 32)
        let failure = withUnsafeMutablePointer(to: &storage) { storage in
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> Int32 in
                guard getpeername(descriptor, address, &size) == 0 else { return -1 }
                return getnameinfo(
                    address, size, &host, socklen_t(host.count), &port, socklen_t(port.count),
                    NI_NUMERICHOST | NI_NUMERICSERV)
            }
        }
        func text(_ characters: [CChar]) -> String {
            String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        return failure == 0 ? "\(text(host)):\(text(port))" : "an unknown address"
    }
}
