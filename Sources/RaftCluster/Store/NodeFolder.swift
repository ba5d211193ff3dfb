import Digest
import Files
import Glibc
import RaftCore
import RaftFormat
import Storage
import Synchronization

/// A node's folder: `log.mdb` with what is durable of the log, `state-N.mdb` with what it amounts to, `node-id`.
///
/// The log names the file of the state machine that counts, so that another one takes its place in one transaction; others
/// of such names are what a crash has left. Whoever has `log.mdb` open has the folder.
final class NodeFolder: Sendable {
    let path: String
    let id: NodeID
    let log: LogStore
    let found: LogStore.Found
    let state: StateStore
    private let stateName: StateName

    /// Opens a node's folder, or makes one.
    ///
    /// - Parameters:
    ///   - id: The name that the configuration gives; it must be the one that the node always had.
    ///   - address: The node's own, for a cluster of one.
    ///   - bootstraps: Whether a new node is a cluster of one, with itself as voter.
    init(path: String, id: String?, address: String, bootstraps: Bool) throws(ClusterError) {
        self.path = path
        let isNew = try Self.prepare(path)
        self.id = try Self.nodeID(path, id, isNew: isNew)
        log = try LogStore(path: "\(path)/log.mdb")
        do throws(ClusterError) {
            var found = try log.load()
            if found.stateName == nil {
                guard isNew || found.outline.lastIndex == 0 else {
                    throw ClusterError.damaged(log.path, "it does not name the state machine's file")
                }
                found = try Self.begin(path, self.id, address, bootstraps, log)
            }
            let (state, stateName) = try Self.openState(path, found, log)
            if let peers = try PeerFile(in: path, of: self.id) {
                try Self.recover(peers.membership, found, state, log)
                found = try log.load()
                try PeerFile.remove(in: path)
            }
            self.found = found
            (self.state, self.stateName) = (state, stateName)
            try log.setClean(false)
            removeRemains(but: found.stateName ?? "")
        } catch {
            log.close()
            throw error
        }
    }

    /// Opens the folder of a stopped node, changing nothing.
    ///
    /// - Throws: `.configuration` if there is no node, `.inUse` if it runs.
    init(reading path: String) throws(ClusterError) {
        self.path = path
        guard access("\(path)/log.mdb", F_OK) == 0 else {
            throw ClusterError(.configuration, "\(path) holds no node of a Raft log store. Correct the path.")
        }
        id = try Self.nodeID(path, nil, isNew: false)
        log = try LogStore(path: "\(path)/log.mdb")
        do throws(ClusterError) {
            found = try log.load()
            (state, stateName) = try Self.openState(path, found, log)
        } catch {
            log.close()
            throw error
        }
    }

    private static func openState(
        _ path: String, _ found: LogStore.Found, _ log: LogStore
    ) throws(ClusterError) -> (StateStore, StateName) {
        guard let name = found.stateName, number(of: name) != nil else {
            throw ClusterError.damaged(log.path, "it does not name the state machine's file")
        }
        let statePath = "\(path)/\(name)"
        guard access(statePath, F_OK) == 0 else {
            throw ClusterError.damaged(statePath, "the state machine's file is gone")
        }
        let state = try StateStore(path: statePath, isChecked: !found.isClean)
        let applied = state.applied.index
        guard applied >= found.outline.base.index, applied <= found.outline.lastIndex else {
            state.close()
            throw ClusterError.damaged(
                statePath,
                "it stands at entry \(applied), and the log has entries \(found.outline.base.index + 1) to "
                    + "\(found.outline.lastIndex)")
        }
        return (state, StateName(name))
    }

    /// Takes everything that is held for committed, and has other members from there on. May be done again after a kill.
    private static func recover(
        _ membership: Membership, _ found: LogStore.Found, _ state: StateStore, _ log: LogStore
    ) throws(ClusterError) {
        let last = found.outline.lastIndex
        while state.applied.index < last {
            let entries = try log.entries(from: state.applied.index + 1, to: last, bytes: 8 << 20)
            guard !entries.isEmpty else { throw ClusterError.damaged(log.path, "entries are missing") }
            _ = try state.apply(entries)
        }
        try state.setMembership(ClusterConfiguration(membership, index: max(last, 1)))
        try state.sync()
        try log.install(found.outline.recovered(membership), stateName: found.stateName ?? "")
    }

    /// The name of the state machine's file that counts.
    private final class StateName: Sendable {
        private let name: Mutex<String>

        init(_ name: String) {
            self.name = Mutex(name)
        }

        func withLock<Result: Sendable>(_ body: (inout String) -> Result) -> Result {
            name.withLock { body(&$0) }
        }
    }

    /// - Returns: Whether the folder has no node yet.
    private static func prepare(_ path: String) throws(ClusterError) -> Bool {
        if mkdir(path, 0o700) != 0, errno != EEXIST {
            throw ClusterError(.io, "mkdir \(path): \(String(cString: strerror(errno)))")
        }
        guard access("\(path)/log.mdb", F_OK) != 0 else { return false }
        let own = ["node-id", "log.mdb-lock", PeerFile.name, Quarantine.fileName, "lost+found"]
        let foreign = try names(in: path).filter { !own.contains($0) && number(of: $0) == nil }
        guard foreign.isEmpty else {
            let what = foreign.contains("vault.db") ? "the directory of a server" : "something else"
            throw ClusterError(
                .configuration,
                "\(path) holds \(what) (\(StorageKey(foreign.sorted()[0]))). Give the node a folder of its own.")
        }
        return true
    }

    private static func names(in path: String) throws(ClusterError) -> [String] {
        do throws(StorageError) {
            let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard descriptor >= 0 else { throw StorageError.system("open", path, errno: errno) }
            defer { Glibc.close(descriptor) }
            return try Files.names(in: descriptor, ".", shown: path)
        } catch {
            throw ClusterError(error)
        }
    }

    /// A crash before the log named one leaves empty state machines at most; one with entries has lost its log.
    private static func refuseEntries(in path: String) throws(ClusterError) {
        for name in try names(in: path).sorted() where number(of: name) != nil && !name.hasSuffix("-lock") {
            let advice = "Put log.mdb back, or move \(name) away to begin with an empty node."
            let entries: UInt64
            do throws(ClusterError) {
                let state = try StateStore(path: "\(path)/\(name)", isChecked: true)
                defer { state.close() }
                entries = state.applied.entries
            } catch {
                guard error.code == .damaged else { throw error }
                throw ClusterError(
                    .configuration,
                    "\(path)/\(name) cannot be read, and the log.mdb that belongs to it is gone or empty. \(advice)")
            }
            guard entries == 0 else {
                throw ClusterError(
                    .configuration,
                    "\(path)/\(name) holds entries (\(entries)), and the log.mdb that belongs to it is gone or empty. \(advice)"
                )
            }
        }
    }

    private static func nodeID(_ path: String, _ wanted: String?, isNew: Bool) throws(ClusterError) -> NodeID {
        let file = "\(path)/node-id"
        var known: [UInt8]?
        if let handle = fopen(file, "re") {
            var bytes = [UInt8](repeating: 0, count: 1024)
            let count = fread(&bytes, 1, bytes.count, handle)
            fclose(handle)
            known = Array(bytes.prefix(count))
        } else if errno != ENOENT {
            throw ClusterError(.io, "open \(file): \(String(cString: strerror(errno)))")
        }
        if let known, !known.isEmpty {
            if let wanted, !known.elementsEqual(wanted.utf8) {
                throw ClusterError(
                    .configuration,
                    "\(path) is the folder of node \(StorageKey(known)), and node_id is \(StorageKey(wanted)). A node "
                        + "keeps its name: correct node_id, or give another path.")
            }
            return NodeID(known)
        }
        guard isNew || wanted != nil else {
            throw ClusterError(
                .configuration,
                "\(path) is the folder of a node, and \(file), which has its name, is gone or empty. Write the name that "
                    + "sealift raft list-peers shows for it into that file, or give it as node_id.")
        }
        do {
            let id = try wanted ?? randomUUID()
            try replaceFile(file, Array(id.utf8))
            return NodeID(Array(id.utf8))
        } catch {
            throw ClusterError(.io, "\(error)")
        }
    }

    /// Makes the files of a new node.
    private static func begin(
        _ path: String, _ id: NodeID, _ address: String, _ bootstraps: Bool, _ log: LogStore
    ) throws(ClusterError) -> LogStore.Found {
        var outline = LogOutline()
        var hard = HardState()
        let name = stateName(1)
        try refuseEntries(in: path)
        // What a crash before has left was never named by the log.
        for suffix in ["", "-lock"] { unlink("\(path)/\(name)\(suffix)") }
        let receiver = try SnapshotReceiver(path: "\(path)/\(name)")
        if bootstraps {
            // Nothing but a snapshot brings a newcomer to this base, whatever its own log begins with.
            outline = LogOutline(
                base: EntryPosition(index: 1, term: 1),
                membership: Membership([Membership.Member(id, address: Array(address.utf8))]))
            hard.term = 1
        }
        try receiver.finish(
            SnapshotHead(
                position: outline.base, membership: outline.membership, membershipIndex: outline.base.index, size: 0))
        do throws(StorageError) { try syncFolder(at: path) } catch { throw ClusterError(error) }
        try log.install(outline, stateName: name, hard: hard)
        return try log.load()
    }

    /// The name of a state machine's file.
    static func stateName(_ number: UInt64) -> String { "state-\(number).mdb" }

    /// The number in such a name, also in that of its lock file; `nil` for any other name.
    private static func number(of name: String) -> UInt64? {
        let plain = name.hasSuffix("-lock") ? String(name.dropLast(5)) : name
        guard plain.hasPrefix("state-"), plain.hasSuffix(".mdb") else { return nil }
        let digits = plain.dropFirst(6).dropLast(4)
        guard let number = UInt64(digits), String(number) == digits else { return nil }
        return number
    }

    /// Makes a file for a snapshot that comes in.
    func newReceiver() throws(ClusterError) -> (SnapshotReceiver, name: String) {
        let name = stateName.withLock { Self.stateName((Self.number(of: $0) ?? 1) + 1) }
        discard(name)
        return (try SnapshotReceiver(path: "\(path)/\(name)"), name)
    }

    /// Removes a file that was to become the state machine's.
    func discard(_ name: String) {
        guard Self.number(of: name) != nil, stateName.withLock({ $0 != name }) else { return }
        for suffix in ["", "-lock"] { unlink("\(path)/\(name)\(suffix)") }
    }

    /// Puts a finished file in the place of log and state machine, durably, and removes the old one.
    func adopt(_ name: String, _ outline: LogOutline) throws(ClusterError) -> StateStore {
        do throws(StorageError) { try syncFolder(at: path) } catch { throw ClusterError(error) }
        let store = try StateStore(path: "\(path)/\(name)", isChecked: false)
        try log.install(outline, stateName: name)
        stateName.withLock { $0 = name }
        // Whoever still reads the old one has it open.
        removeRemains(but: name)
        return store
    }

    func close() {
        state.close()
        log.close()
    }

    /// Removes files of state machines that do not count.
    func removeRemains(but name: String) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        defer { Glibc.close(descriptor) }
        guard let names = try? Files.names(in: descriptor, ".", shown: path) else { return }
        for other in names where Self.number(of: other) != nil && other != name && other != "\(name)-lock" {
            unlinkat(descriptor, other, 0)
        }
    }
}
