import Digest
import Glibc
import HTTPClient
import JSON
import RaftFormat
package import Storage
import Synchronization

/// A store on a cluster of Sealift's own nodes, which replicate it by Raft: everything that is acknowledged is durable on most
/// of them, and reads see it.
package final class RaftClusterBackend: KeyValueStore, StorageDestination {
    package let kind = "raft_cluster"
    package let location: String
    package let identity: StoreIdentity
    let client: ClusterClient
    let sessions = CommandSessions()
    /// Nodes that must prove their copy; `nil` for every voter.
    let replicas: Int?
    private let isClosed = Mutex(false)

    package init(_ settings: ClusterClient.Settings, replicas: Int? = nil) throws(StorageError) {
        location = settings.addresses.joined(separator: ", ")
        identity = StoreIdentity("raft_cluster:\(settings.addresses.sorted().joined(separator: ","))")
        client = ClusterClient(settings)
        self.replicas = replicas
    }

    package var traits: SourceTraits { SourceTraits(isAscending: true) }

    package var serverUse: ServerUse? { nil }

    package var isRemote: Bool { true }

    package var rules: EntryRules { [.emptyKey, .longerKey(than: 32768), .largerValue(than: 60 << 20)] }

    package func letIdleGo() { client.letIdleGo() }

    package func close() {
        isClosed.withLock { $0 = true }
        client.letIdleGo()
    }

    func checkOpen() throws(StorageError) {
        if isClosed.withLock({ $0 }) { throw StorageError(.io, "\(location): the store was closed.") }
    }

    // MARK: Single entries

    package func get(_ key: StorageKey) throws(StorageError) -> [UInt8]? {
        try checkOpen()
        guard !key.bytes.isEmpty else { return nil }
        let answer = try client.perform("GET", "sealift/entry?key=\(Self.hexadecimal(key.bytes))")
        switch answer.status {
        case 200: return answer.withBody { Array($0) }
        case 204: return nil
        default: throw StorageError(.io, "\(client.address) answers with status \(answer.status) instead of an entry.")
        }
    }

    package func put(_ key: StorageKey, _ value: [UInt8]) throws(StorageError) {
        _ = try write(key, value, expected: nil)
    }

    package func delete(_ key: StorageKey) throws(StorageError) {
        try checkOpen()
        guard !key.bytes.isEmpty else { return }
        var command = LogCommandWriter()
        key.bytes.withUnsafeBytes { command.delete($0) }
        let index = try send(command).index
        if key == .migrationMarker { try waitForAll(index) }
    }

    package func delete(_ keys: [StorageKey]) throws(StorageError) {
        guard !keys.contains(.migrationMarker) else {
            for key in keys { try delete(key) }
            return
        }
        try checkOpen()
        var command = LogCommandWriter()
        for key in keys where !key.bytes.isEmpty {
            key.bytes.withUnsafeBytes { command.delete($0) }
            if command.bytes.count >= RaftClusterLoader.commandBytes {
                _ = try send(command)
                command.removeAll()
            }
        }
        if command.count > 0 { _ = try send(command) }
    }

    /// Waits until every voter has applied an entry, so that nodes which are stopped right after a migration are done with it.
    private func waitForAll(_ index: Int) throws(StorageError) {
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline {
            let nodes = try nodes().filter { $0.isVoter && $0.isReachable }
            if nodes.allSatisfy({ $0.appliedIndex >= index }) { return }
            usleep(20_000)
        }
    }

    package func replace(
        _ key: StorageKey, _ expected: [UInt8]?, with value: [UInt8]
    ) throws(StorageError) -> Bool {
        var condition: [UInt8] = []
        if let expected {
            do {
                condition = try Self.digest(expected)
            } catch {
                throw StorageError(.io, "\(error)")
            }
        }
        return try write(key, value, expected: condition)
    }

    private static func digest(_ bytes: [UInt8]) throws -> [UInt8] {
        try bytes.withUnsafeBytes { try SHA256Digest.of($0).bytes }
    }

    private func write(_ key: StorageKey, _ value: [UInt8], expected: [UInt8]?) throws(StorageError) -> Bool {
        try checkOpen()
        if let objection = key.bytes.withUnsafeBytes({ rules.objection(to: $0, valueCount: value.count) }) {
            throw StorageError(.limit, "\(location): the entry \(key) cannot be kept: \(objection).", key: key)
        }
        var command = LogCommandWriter()
        key.bytes.withUnsafeBytes { key in value.withUnsafeBytes { command.put(key, $0, expected: expected) } }
        return try !send(command).isConflict
    }

    /// Sends a command until it is known to have taken effect.
    ///
    /// - Returns: Its place in the log, and whether something was not what it expected.
    private func send(_ command: LogCommandWriter) throws(StorageError) -> (index: Int, isConflict: Bool) {
        var session = try sessions.take()
        var command = command
        command.setOrigin(session.next())
        let answer = try client.perform("POST", "sealift/entries", body: command.bytes)
        sessions.put(session)
        return (try Self.index(answer), try Self.read(answer) { $0["is_conflict"]?.boolean == true })
    }

    /// The place in the log that an answer names.
    ///
    /// - Throws: `.io` if it names none: then nothing was acknowledged.
    static func index(_ answer: HTTPResponse) throws(StorageError) -> Int {
        let index = try read(answer) { $0["index"]?.integer ?? 0 }
        guard index > 0 else {
            throw StorageError(.io, "The cluster does not say where in its log the command stands.")
        }
        return index
    }

    static func read<Result>(
        _ answer: HTTPResponse, _ body: (JSONNode) throws -> Result
    ) throws(StorageError) -> Result {
        do {
            let parser = try JSONParser()
            return try answer.withBody { try body(parser.parse($0)) }
        } catch {
            throw StorageError(.io, "The cluster answers with something else than JSON: \(error)")
        }
    }

    static func hexadecimal(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        bytes.withUnsafeBytes { appendHexadecimal($0, to: &text) }
        return String(decoding: text, as: UTF8.self)
    }

    // MARK: Many entries

    package func list(_ prefix: StorageKey) throws(StorageError) -> [StorageKey] {
        try checkOpen()
        let answer = try client.perform("GET", "sealift/list?prefix=\(Self.hexadecimal(prefix.bytes))")
        var names: [StorageKey] = []
        try Self.forEach(answer) { key, _ in names.append(StorageKey(copying: key)) }
        return names
    }

    package func partitions(_ count: Int) throws(StorageError) -> [StoragePartition] {
        try checkOpen()
        return [.whole]
    }

    package func scan(
        _ request: ScanRequest, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        try checkOpen()
        let part = request.partition
        var after = request.cursor?.bytes
        let isCancelled = request.isCancelled
        var batch = request.pool.take()
        while true {
            if isCancelled() { throw StorageError.cancelled }
            var query = "sealift/entries?bytes=\(request.pageEntries == nil ? 4 << 20 : 1 << 20)"
            if let lower = part.lower { query += "&from=\(Self.hexadecimal(lower.bytes))" }
            if let upper = part.upper { query += "&to=\(Self.hexadecimal(upper.bytes))" }
            if let after { query += "&after=\(Self.hexadecimal(after))" }
            if let entries = request.pageEntries { query += "&entries=\(max(entries, 1))" }
            if request.content == .keys { query += "&keys=true" }
            let answer = try client.perform("GET", query, isCancelled: isCancelled)
            guard let end = answer.headers["x-sealift-end"] else {
                throw StorageError(.io, "\(client.address) answers with something else than entries.")
            }
            var goesOn = true
            try Self.forEach(answer) { key, value throws(StorageError) in
                guard goesOn else { return }
                batch.append(key: key, value: value)
                after = Array(key)
                guard batch.isFull else { return }
                if isCancelled() { throw StorageError.cancelled }
                batch.cursor = ScanCursor(Array(key))
                goesOn = try deliver(batch)
                batch = request.pool.take()
            }
            guard goesOn else { return }
            if end == "true" { break }
        }
        guard batch.count > 0 else { return }
        if isCancelled() { throw StorageError.cancelled }
        if let after { batch.cursor = ScanCursor(after) }
        _ = try deliver(batch)
    }

    private static func forEach(
        _ answer: HTTPResponse, _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(StorageError) -> Void
    ) throws(StorageError) {
        try answer.withBody { bytes throws(StorageError) in
            var place = 0
            while place < bytes.count {
                let found: (EntryFrame.Content, count: Int)?
                do throws(RaftFormatError) {
                    found = try EntryFrame.next(
                        in: UnsafeRawBufferPointer(rebasing: bytes[place...]), most: 80 << 20)
                } catch {
                    throw StorageError(.io, "The cluster answers with damaged entries: \(error).")
                }
                guard case (.entry(let key, let value), let count)? = found else {
                    throw StorageError(.io, "The cluster answers with entries that are cut off.")
                }
                try body(key, value)
                place += count
            }
        }
    }

    // MARK: As destination

    package func destinationFindings() throws(StorageError) -> [StoreFinding] {
        let nodes = try nodes()
        let voters = nodes.filter(\.isVoter)
        if let replicas, replicas > nodes.count {
            return [
                StoreFinding(
                    .obstacle(.configuration),
                    "\(location) has \(nodes.count) nodes, and replicas is \(replicas). Let more join, or lower replicas."
                )
            ]
        }
        let away = nodes.filter { !$0.isReachable || !$0.problem.isEmpty }
        guard away.isEmpty else {
            let names = away.map { "\($0.id) (\($0.problem.isEmpty ? "not reachable" : $0.problem))" }
            return [
                StoreFinding(
                    .remark,
                    "not every node takes part: \(names.joined(separator: "; ")). The migration ends only when "
                        + "\(replicas.map(String.init) ?? "all \(voters.count) voting") nodes have proven their copy.")
            ]
        }
        return []
    }

    package func bulkLoader(_ plan: LoadPlan) throws(StorageError) -> any BulkLoader {
        try checkOpen()
        return RaftClusterLoader(self, plan)
    }

    package func serverGuide(largestEntry: Int, seal: SealDescription?) -> ServerGuide? {
        ServerGuide(
            stanza: [
                "# No server runs on a Raft log store itself; each node's copy becomes a server's directory:",
                "#   sealift raft export -config node.hcl -path /opt/vault/raft …",
            ],
            steps: [
                "Look at the nodes: sealift raft status.",
                "Stop the nodes, and on each run sealift raft export with the file it was started with.",
                "Start a server on each directory and unseal it: the cluster forms by itself.",
            ])
    }
}
