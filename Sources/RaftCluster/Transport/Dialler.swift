import RaftFormat
import Sockets

/// Makes connections to one other node.
struct Dialler: Sendable {
    /// For a connection to stand, TLS included; for a call to be answered, as servers have it.
    static let connectTimeout = Duration.seconds(5)
    static let callTimeout = Duration.seconds(10)

    let address: String
    let tls: @Sendable () -> TLSSettings?
    let serverName: String?
    let budget: ByteBudget

    func connect() throws(SocketError) -> Connection {
        guard let address = HostAddress(address) else {
            throw SocketError(.configuration, "\(address) is no host and port.")
        }
        return try Connection.connect(to: address, tls: tls(), serverName: serverName, timeout: Self.connectTimeout)
    }

    /// Makes one call on a connection.
    func call(
        _ request: WireRequest, as kind: WireResponse.Kind, on connection: Connection, _ reader: FrameReader
    ) throws -> WireResponse {
        try connection.write(request.encoded, timeout: Self.callTimeout)
        return try reader.nextResponse(to: kind, timeout: Self.callTimeout)
    }
}

/// How long to wait before the next attempt: 10 ms, doubled up to about a second.
struct Backoff {
    private var step = 0
    private var until = ContinuousClock.now

    /// Whether it is too early.
    var isWaiting: Bool { ContinuousClock.now < until }

    mutating func note(success: Bool) {
        step = success ? 0 : min(step + 1, 7)
        until = success ? .now : .now + .milliseconds(10 << step)
    }
}
