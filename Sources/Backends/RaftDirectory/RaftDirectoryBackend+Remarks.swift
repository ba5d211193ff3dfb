import Bolt
import Glibc
import RaftFormat
import Storage
import Wording

extension RaftDirectoryBackend {
    /// What a directory tells besides its data.
    struct Look {
        var remarks: [String] = []
        /// Log entries that the data lacks, or may lack.
        var findings: [StoreFinding] = []
    }

    /// Looks at the position of the data, and at what the log holds behind it.
    static func look(at reader: BoltReader, in path: String) throws(StorageError) -> Look {
        var look = Look()
        let position = try storageErrors { try latestPosition(of: reader) }
        look.remarks.append(
            position.map { "The data stands at log index \($0.index), term \($0.term)." }
                ?? "vault.db has no latest_indexes: no server has applied a log entry to it yet.")
        try lookAtLog("\(path)/raft", behind: position?.index ?? 0, into: &look)
        return look
    }

    private static func latestPosition(of reader: BoltReader) throws -> LogPosition? {
        guard let config = try reader.bucket(StateMachineNames.config) else { return nil }
        let bytes = try StateMachineNames.latestIndexes.withUnsafeBytes { key in
            try config.withValue(forKey: key) { Array($0) }
        }
        guard let bytes else { return nil }
        do throws(RaftFormatError) {
            return try LogPosition(decoding: bytes)
        } catch {
            throw StorageError(.damagedStore, "vault.db: latest_indexes: \(error). Use an intact copy or a snapshot.")
        }
    }

    private static let waiver = "To migrate the data as it stands, add -allow-missing-log."

    private static func lookAtLog(_ folder: String, behind index: UInt64, into look: inout Look) throws(StorageError) {
        let file = "\(folder)/raft.db"
        func refuse(_ what: String) {
            look.findings.append(StoreFinding(.obstacle(.damagedStore), "\(what) \(waiver)", waiver: .missingLog))
        }
        // A server takes raft.db if it is there, whatever lies beside it.
        guard access(file, F_OK) == 0 else {
            let number = errno
            if access("\(folder)/wal", F_OK) == 0 {
                return refuse(
                    "The log is kept in \(folder)/wal, a form that cannot be read yet: it is unknown whether it holds "
                        + "writes that the data lacks. A node that was stopped cleanly has none.")
            }
            guard number == ENOENT || number == ENOTDIR else {
                return refuse(
                    "\(file) cannot be looked at (\(systemMessage(number))): it is unknown whether the log holds writes "
                        + "that the data lacks. Run as a user who may.")
            }
            return refuse(
                "\(file) is missing: writes that the node had logged and not applied yet, if any, are lost from the "
                    + "copy. Copy the whole directory of the stopped node, raft/ included.")
        }
        let tail: RaftLogFile.Tail
        do {
            let log = try BoltReader(path: file)
            defer { log.close() }
            tail = try RaftLogFile.tail(of: log, behind: index)
        } catch let error as BoltError where error.code == .inUse {
            throw StorageError(.inUse, "\(file) is locked: a server runs on this directory. Stop that node.")
        } catch {
            return refuse(
                "The log cannot be read, so it is unknown whether it holds writes that the data lacks: \(error)")
        }
        guard tail.hasLog else {
            return refuse(
                "The log cannot be read, so it is unknown whether it holds writes that the data lacks: \(file) has no "
                    + "bucket \"logs\". Take an intact copy of the directory.")
        }
        guard tail.entries > 0 else { return }
        let (text, lacksWrites) = describe(tail)
        if lacksWrites { refuse(text) } else { look.remarks.append(text) }
    }

    /// What is said of a log that runs on behind the data, and whether writes may be among its entries.
    private static func describe(_ tail: RaftLogFile.Tail) -> (text: String, lacksWrites: Bool) {
        let counts =
            "The log holds \(tail.entries) \(plural(tail.entries, "entry", "entries")) behind the data, up to index "
            + "\(tail.lastIndex); \(tail.commands) of them may be \(tail.commands == 1 ? "a write" : "writes")"
        let undecodable = tail.undecodable > 0 ? ", \(tail.undecodable) could not be decoded" : ""
        guard tail.commands + tail.undecodable > 0 else { return ("\(counts): nothing is missing.", false) }
        let advice =
            "The node stopped before it applied them: they are not in the copy. Start the node once and stop it "
            + "cleanly, or take the directory of the node that was the leader."
        return ("\(counts)\(undecodable). \(advice)", true)
    }
}
