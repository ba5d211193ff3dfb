package import Bolt
import Wording

/// The log in `raft/raft.db` (raft-boltdb): bucket `logs`, index to msgpack entry.
package final class LogDatabase: StoredLog {
    package let name = "raft/raft.db"
    package let firstIndex: UInt64
    package let notes: [String]
    /// Term and vote are in it as well.
    package let reader: BoltReader
    private let path: String
    private let logs: BoltBucket

    /// - Returns: `nil` if the file has no bucket of a log; every log of a server has.
    /// - Throws: `BoltError`, also if the file is locked; ``RaftFormatError`` if the log begins with what is no entry.
    package init?(path: String) throws {
        self.path = path
        reader = try BoltReader(path: path)
        do {
            guard let logs = try reader.bucket(RaftLogFile.logBucket) else {
                reader.close()
                return nil
            }
            var first: UInt64?
            var strays = 0
            try logs.visit(from: nil, to: nil) { key, _ in
                // Taken for an empty log it would hide every entry behind it.
                let index = RaftLogFile.number(key)
                if first != nil, index == nil { strays += 1 }
                guard first == nil else { return true }
                guard let index, index > 0 else {
                    throw RaftFormatError(
                        "\(path): the log's first key is \(key.count == 8 ? "0" : "\(key.count) bytes long"), and an "
                            + "entry's is its index, 8 bytes, from 1 on: the log is damaged. Use an intact copy of the "
                            + "directory")
                }
                first = index
                return true
            }
            firstIndex = first ?? 0
            // Such a key lies wherever its bytes belong, not where the entry would that it was meant for.
            notes =
                reader.notes
                + (strays == 0
                    ? []
                    : [
                        "\(path): \(strays) \(plural(strays, "key")) of the log \(plural(strays, "is", "are")) no index: "
                            + "which \(plural(strays, "entry was", "entries were")) meant is unknown."
                    ])
            self.logs = logs
        } catch {
            reader.close()
            throw error
        }
    }

    package func close() { reader.close() }

    package func visit(from index: UInt64, _ body: (Result<StoredEntry, DamagedEntry>) throws -> Bool) throws {
        try logs.visit(from: RaftLogFile.bigEndian(index), to: nil) { key, value in
            guard let index = RaftLogFile.number(key) else {
                return try body(
                    .failure(DamagedEntry(index: nil, reason: "\(path): a key of the log is no index")))
            }
            return try body(entry(index, value))
        }
    }

    package func withEntry<Answer>(_ index: UInt64, _ body: (StoredEntry) throws -> Answer) throws -> Answer {
        let answer = try RaftLogFile.bigEndian(index).withUnsafeBytes { key in
            try logs.withValue(forKey: key) { value in
                switch entry(index, value) {
                case .success(let entry): return try body(entry)
                case .failure(let damage): throw RaftFormatError(damage.reason)
                }
            }
        }
        guard let answer else { throw RaftFormatError("\(path) has no entry \(index)") }
        return answer
    }

    private func entry(_ index: UInt64, _ value: UnsafeRawBufferPointer) -> Result<StoredEntry, DamagedEntry> {
        func refuse(_ reason: String) -> Result<StoredEntry, DamagedEntry> {
            .failure(DamagedEntry(index: index, reason: "\(path): entry \(index) is damaged: \(reason)"))
        }
        do throws(RaftFormatError) {
            let entry = try StoredEntry(decoding: value)
            return entry.index == index ? .success(entry) : refuse("it calls itself \(entry.index)")
        } catch {
            return refuse(error.description)
        }
    }
}
