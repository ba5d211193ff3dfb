import Flags
import HTTPServer
import Migration
import RaftClusterBackend
import Report
import Storage
import Telemetry

/// Serves the report of a run while it goes on: a page, its changes as server-sent events, and metrics. It only reads,
/// and nothing of it can end or change the run.
final class LiveView: Sendable {
    /// Connections at once, and of them those that are told of changes.
    private static let mostConnections = 32
    private static let mostStreams = 12
    /// How long the last events may take.
    private static let farewell = Duration.seconds(3)

    /// Who is told by the run what it has found.
    let watcher: RunWatcher
    private let state: LiveState
    private let server: HTTPServer
    private let access: LiveAccess

    static let flags: [FlagSpec] = [
        .string(
            "ui", placeholder: "address",
            help:
                "Serve a page of the run at this address and port while it goes on, with metrics at /metrics; on this "
                + "machine only, unless -ui-token-file is given."),
        .string(
            "ui-token-file", placeholder: "path",
            help: "A file of mode 0600 with the token that opens the page of -ui.", completion: .file),
    ]

    /// Starts to serve, if the flags ask for it.
    ///
    /// - Throws: If the address cannot be listened on, or is open to others without a token.
    static func start(_ flags: ParsedFlags, _ counters: ProgressCounters) throws(MigrationFailure) -> LiveView? {
        let (address, tokenFile) = (flags.string("ui"), flags.string("ui-token-file"))
        guard !address.isEmpty else {
            if tokenFile.isEmpty { return nil }
            throw MigrationFailure(.configuration, "-ui-token-file is for -ui, which is not given.")
        }
        do {
            let token = tokenFile.isEmpty ? nil : try TokenFile.read(tokenFile)
            return try LiveView(SocketAddress(address), token: token, counters)
        } catch let error as HTTPServerError where error.code == .notLoopback {
            throw MigrationFailure(
                .configuration,
                "-ui \(address): other machines can reach this address, and names of entries stand in the page. Listen on "
                    + "127.0.0.1 and come through a tunnel (ssh -L), or give -ui-token-file. Nothing was read or written."
            )
        } catch {
            throw MigrationFailure(.configuration, "-ui \(address): \(error) Nothing was read or written.")
        }
    }

    private init(_ address: SocketAddress, token: String?, _ counters: ProgressCounters) throws {
        let watcher = RunWatcher()
        let state = LiveState(counters, watcher)
        let access = try LiveAccess(token: token, address: address)
        self.watcher = watcher
        self.state = state
        self.access = access
        var limits = HTTPServer.Limits()
        limits.requestBytes = 0
        limits.connections = Self.mostConnections
        limits.idleSeconds = 30
        server = try HTTPServer(
            address: address, threads: .perConnection, limits: limits, allowsRemote: token != nil,
            admits: { _ in .live(400, "Nothing is taken here.\n") },
            { request in Self.answer(request, state, access) })
    }

    /// Where the page is.
    var url: String { "http://\(server.address.authority(port: server.port))/" }

    private static func answer(
        _ request: HTTPServerRequest, _ state: LiveState, _ access: LiveAccess
    ) -> HTTPServerResponse {
        if case .refused(let answer) = access.decide(request) { return answer }
        guard request.method == "GET" || request.method == "HEAD" else {
            var answer = HTTPServerResponse.live(405, "This view can only be read.\n")
            answer.headers.append(("Allow", "GET, HEAD"))
            return answer
        }
        switch request.path {
        case "/":
            var answer = HTTPServerResponse.live(200, state.html, type: "text/html; charset=utf-8")
            answer.headers.append(("Content-Security-Policy", PagePolicy.live))
            return answer
        case "/events": return events(request, state)
        case "/metrics":
            return .live(200, LiveMetrics.text(state), type: "text/plain; version=0.0.4; charset=utf-8")
        default: return .live(404, "There is / , /events and /metrics.\n")
        }
    }

    private static func events(_ request: HTTPServerRequest, _ state: LiveState) -> HTTPServerResponse {
        var answer = HTTPServerResponse.live(200, "", type: "text/event-stream")
        guard request.method == "GET" else { return answer }
        guard state.openStream(most: mostStreams) else {
            return .live(503, "As many as may are looking already. Close a window, or load the page by hand.\n")
        }
        answer.stream = LiveStream(state)
        return answer
    }

    /// Shows what the run came to, to whoever is looking, and ends. Repeated calls do nothing.
    ///
    /// - Parameter failure: Why the run failed; `nil` if it did not.
    func finish(_ failure: String?) {
        state.end(failure)
        state.waitForStreams(Self.farewell)
        server.stop()
    }
}
