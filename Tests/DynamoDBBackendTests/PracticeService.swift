import HTTPServer
import Practice
import Telemetry

/// A practice table in this process, served until the tests end.
final class PracticeService: Sendable {
    static let shared = Result { try PracticeService() }

    let endpoint: String
    private let table: PracticeTable
    private let server: HTTPServer

    init() throws {
        table = try PracticeTable(path: nil, logger: Logger(level: .error))
        server = try table.start(address: try SocketAddress("127.0.0.1:0"), allowsRemote: false)
        endpoint = "http://127.0.0.1:\(server.port)"
    }
}
