import CMicroHTTPD
import Glibc
import Synchronization

/// Answers HTTP requests on threads of its own, from ``init(address:threads:limits:allowsRemote:_:)`` to ``stop()``.
package final class HTTPServer: Sendable {
    /// What threads there are.
    package enum Threads: Sendable {
        /// A fixed number, each serving many connections: handlers must be quick.
        case pool(Int)
        /// One for each connection: handlers may block.
        case perConnection
    }

    /// What clients may ask of the server.
    package struct Limits: Sendable {
        /// Bytes of a request's body; a longer one is answered with status 413.
        package var requestBytes = 16 << 20
        /// Connections at once; further ones wait to be accepted or are closed.
        package var connections = 512
        /// Seconds without any traffic after which a connection is closed.
        package var idleSeconds = 120

        package init() {}
    }

    /// How a server proves itself, and whose certificates it asks for; PEM texts.
    package struct TLS: Sendable {
        package var certificate: String
        package var key: String
        /// Who vouches for clients; `nil` asks for no certificates of theirs.
        package var clientAuthority: String?

        package init(certificate: String, key: String, clientAuthority: String? = nil) {
            self.certificate = certificate
            self.key = key
            self.clientAuthority = clientAuthority
        }
    }

    /// Answers one request, whole; called on the server's threads, several at a time.
    package typealias Handler = @Sendable (HTTPServerRequest) -> HTTPServerResponse

    /// Looks at a request that has a body before that is read; what it gives is the answer, and nothing is kept of the body.
    package typealias Admission = @Sendable (HTTPServerRequest) -> HTTPServerResponse?

    /// Memory of a connection for request line, headers and what is read at once.
    private static let connectionMemory = 160 << 10

    /// The port listened on.
    package let port: UInt16
    /// The address listened on.
    package let address: SocketAddress
    private let daemon: Mutex<Daemon?>

    /// Starts to listen.
    ///
    /// - Parameters:
    ///   - tls: Versions 1.2 and newer; `nil` for none.
    ///   - allowsRemote: Whether an address that other machines can reach is accepted.
    ///   - admits: Asked about requests with a body; `nil` lets all be read.
    ///   - handler: Called with every request once its body is there.
    /// - Throws: `HTTPServerError` with a remedy.
    package init(
        address: SocketAddress, threads: Threads = .perConnection, limits: Limits = Limits(),
        tls: TLS? = nil, allowsRemote: Bool = false, admits: Admission? = nil, _ handler: @escaping Handler
    ) throws(HTTPServerError) {
        guard allowsRemote || address.isLoopback else {
            throw HTTPServerError(
                .notLoopback, "\(address.host) can be reached from other machines. Listen on 127.0.0.1.")
        }
        let service = Service(handler, admits, maximumBytes: limits.requestBytes, tls)
        let context = Unmanaged.passRetained(service).toOpaque()
        let poolSize: UInt32 =
            switch threads {
            case .pool(let count): UInt32(max(count, 1))
            case .perConnection: 0
            }
        let (started, failure) = try address.withSystemAddress { system throws(HTTPServerError) in
            errno = 0
            let daemon = sealift_http_start(
                system, poolSize, UInt32(max(limits.connections, Int(poolSize))), UInt32(limits.idleSeconds),
                Self.connectionMemory, service.certificate?.text, service.key?.text, service.clientAuthority?.text,
                serveRequest, forgetRequest, context)
            return (daemon, errno)
        }
        guard let started else {
            Unmanaged<Service>.fromOpaque(context).release()
            guard tls == nil || failure == EADDRINUSE || failure == EADDRNOTAVAIL || failure == EACCES else {
                throw HTTPServerError(
                    .cannotListen,
                    "\(address.authority(port: address.port)) cannot be served with TLS: certificate and key are no pair, or "
                        + "no PEM. Correct the files.")
            }
            throw HTTPServerError(
                .cannotListen,
                "listen on \(address.authority(port: address.port)): \(String(cString: strerror(failure))). "
                    + "Stop the program that uses it, or give another address; port 0 takes any free one.")
        }
        self.address = address
        self.port = sealift_http_port(started)
        self.daemon = Mutex(Daemon(handle: started, context: context))
    }

    /// Stops listening, lets requests under way end and closes all connections. Repeated calls do nothing.
    package func stop() {
        let daemon = daemon.withLock { daemon in
            defer { daemon = nil }
            return daemon
        }
        guard let daemon else { return }
        MHD_stop_daemon(daemon.handle)
        Unmanaged<Service>.fromOpaque(daemon.context).release()
    }
}

/// The library's handle and what it hands to its callbacks.
// Unchecked: both are used to start and to stop only, behind the server's mutex.
private struct Daemon: @unchecked Sendable {
    let handle: OpaquePointer
    let context: UnsafeMutableRawPointer
}
