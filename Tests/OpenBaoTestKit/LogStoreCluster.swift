import Foundation
import Synchronization
import TestSupport

/// Nodes of a Raft log store, each a process of the built program with a folder and ports of its own.
package final class LogStoreCluster: Sendable {
    package struct Place: Sendable {
        package let id: String
        package let data: String
        package let file: String
        package let apiPort: Int
        /// Where the others reach it.
        package let clusterPort: Int
        /// Where it listens for them; another port than the one above if something stands between.
        package let heardPort: Int

        package var api: String { "http://127.0.0.1:\(apiPort)" }
    }

    package let places: [Place]
    /// What opens the API; empty if nothing is needed.
    package let token: String
    private let folder: String
    private let processes = Mutex<[Int: ServerProcess]>([:])

    /// Prepares nodes; the first one begins the cluster, the others join it.
    ///
    /// - Parameters:
    ///   - multiplier: Of all time-outs; of 1 s for elections.
    ///   - storage: Further lines for the storage stanza.
    ///   - more: Further lines outside of the stanzas.
    ///   - hasWay: Whether nodes reach one another through ports on which the test listens.
    package init(
        _ count: Int, in folder: String, multiplier: Double = 0.5, storage: String = "", more: String = "",
        token: String = "", hasWay: Bool = false
    ) throws {
        self.folder = folder
        self.token = token
        if !token.isEmpty {
            let file = "\(folder)/token"
            try token.write(toFile: file, atomically: false, encoding: .utf8)
            chmod(file, 0o600)
        }
        let tokenLine = token.isEmpty ? "" : "  token_file      = \"\(folder)/token\"\n"
        var places: [Place] = []
        for number in 1...count {
            let port = try FreePort.take()
            let place = Place(
                id: "n\(number)", data: "\(folder)/n\(number)", file: "\(folder)/n\(number).hcl",
                apiPort: try FreePort.take(), clusterPort: port, heardPort: hasWay ? try FreePort.take() : port)
            let joining = places.first.map { "  retry_join {\n    leader_api_addr = \"\($0.api)\"\n  }\n" } ?? ""
            let text = """
                storage "raft" {
                  path                   = "\(place.data)"
                  node_id                = "\(place.id)"
                  performance_multiplier = \(multiplier)
                  \(storage)
                \(joining)}
                listener "tcp" {
                  address         = "127.0.0.1:\(place.apiPort)"
                  cluster_address = "127.0.0.1:\(place.heardPort)"
                  tls_disable     = true
                \(tokenLine)}
                cluster_addr = "http://127.0.0.1:\(place.clusterPort)"
                \(more)

                """
            try text.write(toFile: place.file, atomically: false, encoding: .utf8)
            places.append(place)
        }
        self.places = places
    }

    /// Addresses of all nodes' APIs, separated by commas.
    package var addresses: String { places.map(\.api).joined(separator: ",") }

    /// Starts a node, and waits until its API answers.
    ///
    /// - Parameters:
    ///   - wrapper: A program and its arguments that run what follows them.
    ///   - waits: `false` for a node that may end at once.
    package func start(_ number: Int, under wrapper: [String] = [], waits: Bool = true) throws {
        let place = places[number]
        let isNew = number == 0 && !FileManager.default.fileExists(atPath: "\(place.data)/log.mdb")
        let words =
            wrapper + [BuiltProgram.path, "raft", "server", "-config", place.file] + (isNew ? ["-bootstrap"] : [])
        let process = try ServerProcess(
            words[0], Array(words.dropFirst()),
            environment: ["PATH": "/usr/bin:/bin", "HOME": folder], log: logFile(number))
        processes.withLock { $0[number] = process }
        guard waits else { return }
        let api = api(number)
        try eventually("\(place.id) answers") {
            guard process.isRunning else { throw ServerFailure("\(place.id) ended:\n\(process.lastWords)") }
            return (try? api.send("GET", "sys/health", timeout: .seconds(2))) != nil
        }
    }

    /// Starts all nodes and waits until they all vote.
    package func form() throws {
        for number in places.indices { try start(number) }
        try waitForVoters(places.count)
    }

    package func waitForVoters(_ count: Int) throws {
        try eventually("\(count) nodes vote") {
            places.contains { place in
                let api = ServerAPI(url: place.api, token: token)
                let answer = try? api.ask("GET", "sys/storage/raft/configuration")
                let servers = answer?["data"]?["config"]?["servers"]?.elements ?? []
                return servers.count(where: { $0["voter"]?.boolean == true }) == count
            }
        }
    }

    /// The node that leads.
    package func leader() throws -> Int {
        var found: Int?
        try eventually("somebody leads") {
            found = places.indices.first { number in
                guard processes.withLock({ $0[number]?.isRunning ?? false }) else { return false }
                let answer = try? ServerAPI(url: places[number].api).ask("GET", "sys/leader")
                return answer?["is_self"]?.boolean == true
            }
            return found != nil
        }
        guard let found else { throw ServerFailure("nobody leads") }
        return found
    }

    /// The API of a node.
    package func api(_ number: Int) -> ServerAPI { ServerAPI(url: places[number].api, token: token) }

    /// The process of a node that runs; `setpriv` and wrappers give it theirs.
    package func process(_ number: Int) -> Int32? {
        processes.withLock { $0[number].flatMap { $0.isRunning ? $0.identifier : nil } }
    }

    /// Sends a signal to a node.
    package func signal(_ number: Int, _ signal: Int32) { processes.withLock { $0[number] }?.send(signal) }

    package func kill(_ number: Int) { processes.withLock { $0.removeValue(forKey: number) }?.end(with: SIGKILL) }

    package func stop(_ number: Int) { processes.withLock { $0.removeValue(forKey: number) }?.end(with: SIGTERM) }

    package func isRunning(_ number: Int) -> Bool { processes.withLock { $0[number]?.isRunning ?? false } }

    /// The file with everything that a node wrote.
    package func logFile(_ number: Int) -> String { "\(folder)/\(places[number].id).log" }

    /// The last lines that a node wrote.
    package func lastWords(_ number: Int) -> String {
        let text = (try? String(contentsOfFile: logFile(number), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").suffix(12).joined(separator: "\n")
    }

    package func stopAll() { for number in places.indices { stop(number) } }
}
