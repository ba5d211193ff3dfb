import Bolt
import Glibc
import RaftFormat
import Storage

extension RaftDirectoryBackend {
    /// What the directory tells besides its data: position, members, and log entries that the data does not cover.
    static func remarks(on reader: BoltReader, in path: String) throws(StorageError) -> [String] {
        var remarks: [String] = []
        let position = try storageErrors { try latestPosition(of: reader) }
        guard let position else {
            remarks.append("vault.db has no latest_indexes: no server has applied a log entry to it yet.")
            return remarks
        }
        remarks.append("The data stands at log index \(position.index), term \(position.term).")
        let file = "\(path)/raft/raft.db"
        guard access(file, F_OK) == 0 else {
            if access("\(path)/raft/wal", F_OK) == 0 {
                remarks.append(
                    "The log is kept in raft/wal, which is not looked into: entries the node had not applied yet, if "
                        + "any, are not in the data. A node that was stopped cleanly has none.")
            }
            return remarks
        }
        if let remark = try tailRemark(file, position) { remarks.append(remark) }
        return remarks
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

    private static func tailRemark(_ file: String, _ position: LogPosition) throws(StorageError) -> String? {
        let tail: RaftLogFile.Tail
        do {
            let log = try BoltReader(path: file)
            defer { log.close() }
            tail = try RaftLogFile.tail(of: log, behind: position.index)
        } catch let error as BoltError where error.code == .inUse {
            throw StorageError(.inUse, "\(file) is locked: a server runs on this directory. Stop that node.")
        } catch {
            return "The log cannot be read, so it is unknown whether it holds writes that the data lacks: \(error)"
        }
        guard tail.entries > 0 else { return nil }
        let counts =
            "The log holds \(tail.entries) entries behind the data, up to index \(tail.lastIndex); "
            + "\(tail.commands) of them may be writes"
        let undecodable = tail.undecodable > 0 ? ", \(tail.undecodable) could not be decoded" : ""
        guard tail.commands + tail.undecodable > 0 else {
            return "\(counts): nothing is missing."
        }
        return "\(counts)\(undecodable). The node stopped before it applied them: they are not in the copy. Start the "
            + "node once and stop it cleanly, or take the directory of the node that was the leader."
    }
}
