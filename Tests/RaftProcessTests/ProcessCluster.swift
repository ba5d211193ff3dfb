import Foundation
import OpenBaoTestKit
import RaftClusterBackend
import Storage
import StorageTestKit
import TestSupport

/// A cluster of processes with a network between them that the test can cut.
final class ProcessCluster: Sendable {
    let nodes: LogStoreCluster
    let network: NodeNetwork
    private let folder: TemporaryFolder

    /// Three nodes for all tests that leave them as they were: whole, healed and running.
    static let three = Result { () throws -> ProcessCluster in
        atexit { ProcessCluster.endShared() }
        return try ProcessCluster(3)
    }

    private static func endShared() { (try? three.get())?.end() }

    /// The log is kept for so few entries that who was away for long needs a snapshot.
    init(_ count: Int) throws {
        folder = try TemporaryFolder()
        nodes = try LogStoreCluster(
            count, in: folder.path, multiplier: 0.4, storage: "trailing_logs = 64\n  snapshot_threshold = 64",
            hasWay: true)
        network = try NodeNetwork(between: nodes.places)
        try nodes.form()
    }

    /// Ends the nodes and removes their folders.
    func end() {
        for number in nodes.places.indices { nodes.kill(number) }
        try? FileManager.default.removeItem(atPath: folder.path)
    }

    var addresses: [String] { nodes.places.map(\.api) }

    func id(_ number: Int) -> String { nodes.places[number].id }

    /// All but one.
    func others(_ number: Int) -> [Int] { nodes.places.indices.filter { $0 != number } }

    /// Asks some of the nodes until one of them leads and can show it.
    func leader(among numbers: [Int]? = nil) throws -> Int {
        var found: Int?
        try waitUntil("one of the nodes leads") {
            found = (numbers ?? Array(nodes.places.indices)).first { number in
                guard nodes.isRunning(number) else { return false }
                let answer = try? nodes.api(number).send("GET", "sealift/list?prefix=00", timeout: .seconds(2))
                return answer?.status == 200
            }
            return found != nil
        }
        guard let found else { throw ServerFailure("nobody leads") }
        return found
    }

    /// A node that follows and can join the cluster anew.
    func follower() throws -> Int {
        let leader = try leader()
        guard let number = others(leader).last else { throw ServerFailure("there is one node only") }
        return number
    }

    /// Runs `sealift raft status -prove` on some of the nodes.
    func prove(_ numbers: [Int]? = nil) throws -> (code: Int32, nodes: [JSONValue]) {
        let process = Process()
        process.executableURL = URL(filePath: BuiltProgram.path)
        let addresses = (numbers ?? Array(nodes.places.indices)).map { nodes.places[$0].api }
        process.arguments = [
            "raft", "status", "-prove", "-format=json", "-address", addresses.joined(separator: ","),
        ]
        process.environment = ["PATH": "/usr/bin:/bin", "HOME": folder.path]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, try JSONValue(parsing: output)["nodes"]?.elements ?? [])
    }

    /// Waits until all nodes are there and up to date, and demands that they hold the same.
    func expectSame() throws {
        var last: [JSONValue] = []
        try eventually("all nodes hold the same") {
            let (code, nodes) = try prove()
            last = nodes
            let problems = nodes.compactMap { $0["problem"]?.text }.filter { $0.contains("quarantined") }
            guard problems.isEmpty else { throw ServerFailure("\(problems)") }
            return code == 0
        }
        let digests = Set(last.compactMap { $0["digest"]?.text })
        try demand(
            last.count == nodes.places.count && digests.count == 1 && !digests.contains(""),
            "one digest of all: \(last)")
    }

    /// Exports a stopped node, which must be refused and leave nothing.
    ///
    /// - Returns: What is said of it.
    func refusalOfExport(_ number: Int) throws -> String {
        let path = "\(folder.path)/exported-\(number)"
        var refusal: String?
        do {
            try BuiltProgram.run(
                [
                    "raft", "export", "-practice", "-allow-any-data", "-config", nodes.places[number].file, "-path",
                    path,
                ],
                home: folder.path)
        } catch {
            refusal = "\(error)"
        }
        try demand(!FileManager.default.fileExists(atPath: path), "nothing is left at \(path)")
        guard let refusal else { throw ServerFailure("\(id(number)) was exported") }
        return refusal
    }

    /// How often a node says something in its log.
    func count(_ text: String, inLogOf number: Int) throws -> Int {
        try String(contentsOfFile: nodes.logFile(number), encoding: .utf8).components(separatedBy: text).count - 1
    }

    /// The last lines of all nodes, for whoever looks into a failure.
    var lastWords: String {
        nodes.places.indices.map { "\(id($0)):\n\(nodes.lastWords($0))" }.joined(separator: "\n")
    }
}
