import COpenSSL
import Glibc
import Synchronization

/// A stream of bytes to another program, with TLS or without. One thread may read while another writes.
// Unchecked: the descriptor never changes until `deinit`, and the session is used by whoever holds the mutex.
package final class Connection: @unchecked Sendable {
    private let descriptor: Int32
    private let session: OpaquePointer?
    /// The library's sessions are not for two threads at once.
    private let using = Mutex(())
    /// Who is at the other end, for messages.
    package let peer: String

    private init(_ descriptor: Int32, _ session: OpaquePointer?, peer: String) {
        self.descriptor = descriptor
        self.session = session
        self.peer = peer
    }

    deinit {
        if let session { SSL_free(session) }
        Glibc.close(descriptor)
    }

    /// Connects, and proves both sides to one another with TLS.
    ///
    /// - Parameters:
    ///   - tls: `nil` for a connection without TLS.
    ///   - serverName: The name in the other side's certificate; that of the address if `nil`.
    package static func connect(
        to address: HostAddress, tls: TLSSettings?, serverName: String? = nil, timeout: Duration
    ) throws(SocketError) -> Connection {
        let deadline = ContinuousClock.now + timeout
        var failure: SocketError?
        let found = try address.resolve(isPassive: false) { info -> Int32? in
            do throws(SocketError) {
                return try open(info, "\(address)", deadline)
            } catch {
                failure = error
                return nil
            }
        }
        guard let descriptor = found else {
            throw failure ?? SocketError(.unreachable, "\(address) stands for no address.")
        }
        guard let tls else { return Connection(descriptor, nil, peer: "\(address)") }
        return try secure(descriptor, tls, peer: "\(address)", deadline) { session in
            let name = serverName ?? address.host
            nameServer(session, name)
            SSL_set_connect_state(session)
        }
    }

    private static func open(
        _ info: UnsafePointer<addrinfo>, _ place: String, _ deadline: ContinuousClock.Instant
    ) throws(SocketError) -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(info.pointee.ai_family, kind, 0)
        guard descriptor >= 0 else { throw .system("socket", place, errno) }
        setUp(descriptor)
        do throws(SocketError) {
            if Glibc.connect(descriptor, info.pointee.ai_addr, info.pointee.ai_addrlen) != 0 {
                guard errno == EINPROGRESS else { throw .system("connect", place, errno) }
                try wait(descriptor, POLLOUT, place, deadline)
                var number: Int32 = 0
                var size = socklen_t(MemoryLayout<Int32>.size)
                guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &number, &size) == 0, number == 0 else {
                    throw .system("connect", place, number)
                }
            }
            return descriptor
        } catch {
            Glibc.close(descriptor)
            throw error
        }
    }

    /// Takes over a connection that was accepted.
    static func accepted(
        _ descriptor: Int32, peer: String, tls: TLSSettings?, timeout: Duration
    ) throws(SocketError) -> Connection {
        setUp(descriptor)
        guard let tls else { return Connection(descriptor, nil, peer: peer) }
        return try secure(descriptor, tls, peer: peer, .now + timeout) { SSL_set_accept_state($0) }
    }

    private static func setUp(_ descriptor: Int32) {
        var one: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, size)
        setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &one, size)
    }

    /// Shakes hands; closes the descriptor if that fails.
    private static func secure(
        _ descriptor: Int32, _ tls: TLSSettings, peer: String, _ deadline: ContinuousClock.Instant,
        _ prepare: (OpaquePointer) -> Void
    ) throws(SocketError) -> Connection {
        ERR_clear_error()
        guard let session = SSL_new(tls.context), SSL_set_fd(session, descriptor) == 1 else {
            Glibc.close(descriptor)
            throw SocketError(.system, "\(peer): OpenSSL gives no session: \(TLSSettings.reason())")
        }
        let connection = Connection(descriptor, session, peer: peer)
        prepare(session)
        _ = try connection.attempt(deadline) { Int(SSL_do_handshake(session)) }
        return connection
    }

    // MARK: Reading and writing

    /// Reads what has come, waiting for something.
    ///
    /// - Returns: How many bytes; 0 if the other side has closed the connection in good order.
    package func read(into room: UnsafeMutableRawBufferPointer, timeout: Duration? = nil) throws(SocketError) -> Int {
        guard let base = room.baseAddress, room.count > 0 else { return 0 }
        let deadline = timeout.map { ContinuousClock.now + $0 }
        guard let session else {
            while true {
                let count = recv(descriptor, base, room.count, 0)
                if count >= 0 { return count }
                guard try Self.mayRetry("read from", peer) else { continue }
                try Self.wait(descriptor, POLLIN, peer, deadline)
            }
        }
        let most = Int32(clamping: room.count)
        return try attempt(deadline) { Int(SSL_read(session, base, most)) }
    }

    /// Writes all bytes.
    package func write(_ bytes: UnsafeRawBufferPointer, timeout: Duration? = nil) throws(SocketError) {
        let deadline = timeout.map { ContinuousClock.now + $0 }
        var done = 0
        while done < bytes.count, let base = bytes.baseAddress {
            let rest = bytes.count - done
            guard let session else {
                let count = send(descriptor, base + done, rest, Int32(MSG_NOSIGNAL))
                if count >= 0 {
                    done += count
                } else if try Self.mayRetry("write to", peer) {
                    try Self.wait(descriptor, POLLOUT, peer, deadline)
                }
                continue
            }
            let most = Int32(clamping: min(rest, 1 << 20))
            let count = try attempt(deadline) { Int(SSL_write(session, base + done, most)) }
            guard count > 0 else { throw SocketError(.closed, "write to \(peer): the connection was closed") }
            done += count
        }
    }

    package func write(_ bytes: [UInt8], timeout: Duration? = nil) throws(SocketError) {
        let failure = bytes.withUnsafeBytes { bytes -> SocketError? in
            do throws(SocketError) {
                try write(bytes, timeout: timeout)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
    }

    /// Ends the connection: whoever reads or writes is woken. May be called from any thread, repeatedly.
    package func shutDown() {
        Glibc.shutdown(descriptor, Int32(SHUT_RDWR))
    }

    /// Whether a failed call is to be tried again, after waiting; `false` for at once.
    private static func mayRetry(_ call: String, _ peer: String) throws(SocketError) -> Bool {
        switch errno {
        case EAGAIN: return true
        case EINTR: return false
        default: throw .system(call, peer, errno)
        }
    }

    /// Runs a call of the library until it is done.
    ///
    /// - Returns: What it returned; 0 at the end of the stream.
    private func attempt(
        _ deadline: ContinuousClock.Instant?, _ call: () -> Int
    ) throws(SocketError) -> Int {
        while true {
            let (count, outcome, number, reason) = using.withLock { _ in
                ERR_clear_error()
                errno = 0
                let count = call()
                let number = errno
                let outcome = count > 0 ? SSL_ERROR_NONE : SSL_get_error(session, Int32(clamping: count))
                return (count, outcome, number, outcome == SSL_ERROR_SSL ? TLSSettings.reason() : "")
            }
            switch outcome {
            case SSL_ERROR_NONE: return count
            case SSL_ERROR_ZERO_RETURN: return 0
            case SSL_ERROR_WANT_READ: try Self.wait(descriptor, POLLIN, peer, deadline)
            case SSL_ERROR_WANT_WRITE: try Self.wait(descriptor, POLLOUT, peer, deadline)
            case SSL_ERROR_SYSCALL:
                guard number != 0 else { throw SocketError(.closed, "\(peer): the connection was closed") }
                throw .system("TLS with", peer, number)
            default: throw SocketError(.notTrusted, "TLS with \(peer): \(reason)")
            }
        }
    }

    private static func wait(
        _ descriptor: Int32, _ event: Int32, _ peer: String, _ deadline: ContinuousClock.Instant?
    ) throws(SocketError) {
        while true {
            var milliseconds: Int32 = -1
            if let deadline {
                let left = (deadline - .now) / .milliseconds(1)
                guard left > 0 else { throw SocketError(.timedOut, "\(peer): nothing moved in time") }
                milliseconds = Int32(min(left.rounded(.up), 1_000_000))
            }
            var entry = pollfd(fd: descriptor, events: Int16(event), revents: 0)
            let count = poll(&entry, 1, milliseconds)
            if count > 0 { return }
            guard count == 0 || errno == EINTR else { throw .system("poll", peer, errno) }
        }
    }
}

/// Names the server that is meant, and has its certificate checked for that name or address.
private func nameServer(_ session: OpaquePointer, _ name: String) {
    let parameters = SSL_get0_param(session)
    var four = in_addr()
    var six = in6_addr()
    if inet_pton(AF_INET, name, &four) == 1 || inet_pton(AF_INET6, name, &six) == 1 {
        X509_VERIFY_PARAM_set1_ip_asc(parameters, name)
    } else {
        _ = sealift_tls_set_server_name(session, name)
        X509_VERIFY_PARAM_set1_host(parameters, name, 0)
    }
}
