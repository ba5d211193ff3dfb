import Foundation
import TestSupport
import Testing

/// The practice table's life on a port and on a disk.
@Suite struct PracticeTableTests {
    @Test func itStartsAgainOnItsPortAfterAKill() throws {
        let sandbox = try Sandbox()
        var port = "0"
        for _ in 0..<3 {
            let running = try sandbox.start(["practice-table", "-address", "127.0.0.1:\(port)"])
            try Self.waitForPort(running)
            let endpoint = try #require(try text(of: running.output).firstMatch(of: /http:\/\/127\.0\.0\.1:(\d+)/))
            port = String(endpoint.1)
            // Two cannot share a port all the same.
            let second = try sandbox.sealift(["practice-table", "-address", "127.0.0.1:\(port)"])
            #expect(second.code == 1 && second.errors.contains("ddress already in use"), "\(second.errors)")
            // A connection that is open when it is killed keeps the port for a while.
            let client = try Self.connect(try #require(UInt16(port)))
            running.program.send(SIGKILL)
            #expect(try running.outcome().code == -SIGKILL)
            close(client)
        }
    }

    private static func waitForPort(_ running: Sandbox.Started) throws {
        try waitUntil("practice-table listens") {
            if running.program.ends(within: 5) {
                throw RunningProgram.Failure(description: "practice-table: \(try running.outcome().errors)")
            }
            return try text(of: running.output).contains("listening on")
        }
    }

    /// A connection over which a request was answered.
    private static func connect(_ port: UInt16) throws -> Int32 {
        let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Foundation.connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(client >= 0 && connected == 0)
        let request = Array("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".utf8)
        var byte: UInt8 = 0
        try #require(write(client, request, request.count) == request.count && read(client, &byte, 1) == 1)
        return client
    }

    @Test(arguments: [
        ("missing/table.sqlite", "the folder %/missing cannot be used"), ("missing/", "names a folder"),
        ("home", "names a folder"), ("home/output/", "names a folder"),
    ])
    func aPathThatCannotBeIsExplained(_ path: String, _ words: String) throws {
        let sandbox = try Sandbox()
        let outcome = try sandbox.sealift(
            ["practice-table", "-address", "127.0.0.1:0", "-path", "\(sandbox.path)/\(path)"])
        #expect(outcome.code == 1)
        #expect(outcome.errors.contains(words.replacing("%", with: sandbox.path)), "\(outcome.errors)")
    }

    /// A limit on the size of files stands for a full disk.
    @Test func aFullDiskIsToldInTheLogAndInTheAnswer() throws {
        let sandbox = try Sandbox()
        let running = try sandbox.startShell(
            "trap '' XFSZ; ulimit -f 4000; exec '\(Sandbox.program)' practice-table -address 127.0.0.1:0 -path "
                + "'\(sandbox.path)/table.sqlite'")
        defer { running.program.send(SIGKILL) }
        try Self.waitForPort(running)
        let endpoint = try #require(try text(of: running.output).firstMatch(of: /http:\/\/127\.0\.0\.1:\d+/)).0
        let source = try sandbox.makeLargeFileStore("src", count: 3000, seed: 9)
        let destination = Store.dynamodb(
            "made", endpoint: String(endpoint), ["create_table": "on-demand", "dynamodb_max_retries": "1"])
        let outcome = try sandbox.migrate(try sandbox.configuration(source, destination))
        #expect(outcome.code == 2, "\(outcome.errors)")
        #expect(outcome.errors.contains("The practice table cannot write or read its database"), "\(outcome.errors)")
        let log = try text(of: running.errors)
        #expect(log.contains("the database cannot be used") && log.contains("table.sqlite"), "\(log)")
    }
}
