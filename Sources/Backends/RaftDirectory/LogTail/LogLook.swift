import Bolt
import Glibc
import RaftFormat
import Storage
import Wording

/// What a directory tells besides its data: the position that the data covers, and what its log holds behind that.
struct LogLook {
    private(set) var remarks: [String] = []
    /// Log entries that the data lacks, or may lack.
    private(set) var findings: [StoreFinding] = []
    /// The changes of the entries that are read with the data; `nil` if there are none.
    private(set) var tail: AppliedTail?
    /// Which entries are read with the data; empty if none are.
    private(set) var manner = ""
    /// What whoever reads the store should know of its log.
    private(set) var warnings: [String] = []

    private let applyLog: ApplyLog?
    private let path: String

    /// - Throws: `.damagedStore` if entries that are to be applied cannot be; `.inUse`; `.cancelled`; `.io`.
    init(
        at reader: BoltReader, _ data: BoltBucket, in path: String, _ applyLog: ApplyLog?, _ isCancelled: () -> Bool
    ) throws(StorageError) {
        self.applyLog = applyLog
        self.path = path
        let position = try Self.record(StateMachineNames.latestIndexes, of: reader) { bytes throws(RaftFormatError) in
            try LogPosition(decoding: bytes)
        }
        remarks.append(
            position.map { "The data stands at log index \($0.index), term \($0.term)." }
                ?? "vault.db has no latest_indexes: no server has applied a log entry to it yet.")
        let configuration = try membership(reader)
        switch try NodeLog(in: path) {
        case .closed(let reason): try setAside(reason)
        case .open(let log):
            if log is LogDatabase, access("\(path)/raft/wal", F_OK) == 0 {
                remarks.append("\(path)/raft/wal is left out: servers do not look at it beside a raft.db.")
            }
            do throws(StorageError) {
                try look(at: log, data, behind: position ?? LogPosition(term: 0, index: 0), configuration, isCancelled)
            } catch {
                log.close()
                throw error
            }
            if tail == nil { log.close() }
        }
        if applyLog != nil { warnings += remarks.dropFirst() }
    }

    /// The membership in `vault.db`: what is committed cannot be told without it.
    private mutating func membership(_ reader: BoltReader) throws(StorageError) -> ClusterConfiguration? {
        do throws(StorageError) {
            return try Self.record(StateMachineNames.latestConfiguration, of: reader) {
                bytes throws(RaftFormatError) in try ClusterConfiguration(decoding: bytes)
            }
        } catch {
            guard applyLog != .committed else {
                throw StorageError(
                    error.code,
                    "\(error.message) Without the membership nothing tells which entries of the log are committed. "
                        + LogTailAdvice.otherwise)
            }
            remarks.append("The membership cannot be read: \(error.message)")
            return nil
        }
    }

    /// A record of `vault.db`; `nil` if there is none.
    private static func record<Record>(
        _ name: [UInt8], of reader: BoltReader, _ decode: ([UInt8]) throws(RaftFormatError) -> Record
    ) throws(StorageError) -> Record? {
        let bytes = try storageErrors { () throws -> [UInt8]? in
            guard let config = try reader.bucket(StateMachineNames.config) else { return nil }
            return try name.withUnsafeBytes { key in try config.withValue(forKey: key) { Array($0) } }
        }
        guard let bytes else { return nil }
        do throws(RaftFormatError) {
            return try decode(bytes)
        } catch {
            throw StorageError(
                .damagedStore,
                "vault.db: \(String(decoding: name, as: UTF8.self)): \(error). Use an intact copy or a snapshot.")
        }
    }

    private mutating func refuse(_ what: String) {
        warnings.append(what)
        findings.append(
            StoreFinding(
                .obstacle(.damagedStore), "\(what) To migrate the data as it stands, add -allow-missing-log.",
                waiver: .missingLog))
    }

    /// A log that cannot be read, or not be put together with the data.
    private mutating func setAside(_ reason: String) throws(StorageError) {
        switch applyLog {
        case nil: refuse(reason)
        case .nothing: remarks.append("\(reason) With apply_log = \"none\" the data is read as it stands.")
        case .all, .committed: throw StorageError(.damagedStore, "\(reason) \(LogTailAdvice.otherwise)")
        }
    }

    private mutating func look(
        at log: any StoredLog, _ data: BoltBucket, behind position: LogPosition,
        _ configuration: ClusterConfiguration?, _ isCancelled: () -> Bool
    ) throws(StorageError) {
        let survey: TailSurvey
        do {
            survey = try TailSurvey(log, behind: position, configuration: configuration, isCancelled: isCancelled)
        } catch is CancelledSurvey {
            throw .cancelled
        } catch {
            return try setAside(
                "The log cannot be read, so it is unknown whether it holds writes that the data lacks: \(error).")
        }
        remarks += log.notes
        if let contradiction = survey.contradiction {
            return try setAside("\(contradiction). Copy the whole directory of the stopped node at one time.")
        }
        guard survey.entries > 0 else { return }
        guard survey.mayHoldWrites else {
            remarks.append("\(survey.counts): nothing is missing.")
            return
        }
        switch applyLog {
        case nil: refuse(undecided(survey))
        case .nothing:
            remarks.append(
                survey.entries == 1
                    ? "\(survey.counts). With apply_log = \"none\" it is not read with the data: what it writes is not "
                        + "in it."
                    : "\(survey.counts). With apply_log = \"none\" none is read with the data: writes that they hold "
                        + "are not in it.")
        case .all: try apply(log, to: data, survey, through: survey.lastIndex, isCancelled)
        case .committed: try apply(log, to: data, survey, through: survey.provenIndex, isCancelled)
        }
    }

    /// What is said of entries of which nobody has said what is to become of them.
    private func undecided(_ survey: TailSurvey) -> String {
        let isOne = survey.entries == 1
        let committed =
            if survey.isDamageCommitted {
                "which is refused here, since all are committed and not all can be decoded"
            } else if survey.provenIndex >= survey.lastIndex {
                "here \(isOne ? "this one" : "all of them")"
                    + (survey.hasOneVoter ? ", since the cluster has one voter" : "")
            } else if survey.provenIndex > survey.position.index {
                "here up to \(survey.provenIndex)"
            } else {
                "here none"
            }
        let pending =
            access("\(path)/raft/peers.json", F_OK) == 0
            ? " (a peers.json is there: the node's next start does so)" : ""
        let (them, stay) = isOne ? ("it", "it is") : ("them", "they are")
        return [
            "\(survey.counts). The node stopped before it applied \(them): \(stay) not in the data. Say in the",
            "source's block what is to become of \(them): apply_log = \"all\" reads every one with the data, committed",
            "or not, as a server's recovery with peers.json does\(pending); \"committed\" those that the directory",
            "proves to be committed, \(committed); \"none\" reads the data as it stands. Or start the node once and",
            "stop it cleanly, or take the directory of the node that was the leader.",
        ].joined(separator: " ")
    }

    private mutating func apply(
        _ log: any StoredLog, to data: BoltBucket, _ survey: TailSurvey, through last: UInt64, _ isCancelled: () -> Bool
    ) throws(StorageError) {
        if let damage = survey.damage {
            guard applyLog == .committed, !survey.isDamageCommitted else {
                throw StorageError(.damagedStore, "\(damage). \(LogTailAdvice.otherwise)")
            }
            remarks.append("\(damage). Nothing in the directory tells whether it is committed: it was left out.")
        }
        var last = last
        var isAhead = false
        if applyLog == .committed, last < survey.lastIndex {
            let lead = try logErrors {
                try LeadWindow(log, behind: survey.position).lead(
                    beyond: last, reached: survey.reached, data, isCancelled)
            }
            if let lead {
                last = lead
                isAhead = true
            }
        }
        var applier = TailApplier(log, to: data, at: survey.position)
        let outcome = try logErrors { [last] in try applier.run(through: last, isCancelled: isCancelled) }
        if last > survey.position.index {
            let applied = AppliedTail(applier.changes.all(), applier.values)
            tail = applied
            manner = "log entries \(survey.position.index + 1) to \(last)"
            remarks.append(said(of: outcome, log, survey, through: last, isAhead, keys: applied.changes.count))
        }
        remarks += oddities(outcome, log)
        if last < survey.lastIndex { remarks.append(leftOut(survey, behind: last)) }
    }

    private func said(
        of outcome: TailApplier.Outcome, _ log: any StoredLog, _ survey: TailSurvey, through last: UInt64,
        _ isAhead: Bool, keys: Int
    ) -> String {
        let span = EntrySpan(survey.position.index + 1, last)
        let reason =
            if applyLog == .all {
                "committed or not, as a server's recovery with peers.json does"
            } else if survey.hasOneVoter, last == survey.lastIndex {
                "all committed: the cluster has one voter, and what it logs is committed"
            } else if isAhead {
                "whose writes it holds already: a node applies only what is committed"
            } else if survey.reached > survey.position.index {
                "which later entries, or the membership in vault.db, prove to be committed"
            } else {
                "which later entries prove to be committed"
            }
        return
            "\(span.capitalized) of \(log.name) \(span.choose("was", "were")) read with the data, \(reason): "
            + "\(outcome.commands) "
            + "\(plural(outcome.commands, "command")), \(keys) \(plural(keys, "key"))."
    }

    private func oddities(_ outcome: TailApplier.Outcome, _ log: any StoredLog) -> [String] {
        var said: [String] = []
        if outcome.conflicts > 0 {
            said.append(
                "\(outcome.conflicts) \(plural(outcome.conflicts, "transaction")) of \(log.name) took no effect: what "
                    + "\(plural(outcome.conflicts, "it", "they")) had read was changed before, and the server's "
                    + "clients were told so.")
        }
        if outcome.completed > 0 {
            said.append(
                "\(outcome.completed) large \(plural(outcome.completed, "write")) whose first pieces stand in front of "
                    + "the data's position \(plural(outcome.completed, "was", "were")) completed from \(log.name). A "
                    + "server that is started on this directory loses \(plural(outcome.completed, "it", "them")).")
        }
        if outcome.strayChunks > 0 {
            said.append(
                "\(outcome.strayChunks) \(plural(outcome.strayChunks, "piece")) of large writes whose rest is not "
                    + "there \(plural(outcome.strayChunks, "stays", "stay")) under raftchunking/, as on a server.")
        }
        return said
    }

    private func leftOut(_ survey: TailSurvey, behind last: UInt64) -> String {
        let span = EntrySpan(last + 1, survey.lastIndex)
        let them = span.choose("it", "them")
        return "\(span.capitalized) \(span.choose("was", "were")) left out: nothing in the directory tells whether "
            + "\(span.choose("it is", "they are")) committed. Recovery with peers.json would apply \(them), as "
            + "apply_log = \"all\" does; the leader's directory, or a start of the cluster, tells what became of "
            + "\(them)."
    }
}
