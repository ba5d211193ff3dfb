package import Storage

/// How much of a log that runs on behind the data is read with it.
package enum ApplyLog: String, Sendable, CaseIterable {
    /// What the directory proves to be committed.
    case committed
    /// Everything, committed or not: what a server's recovery with `peers.json` does.
    case all
    /// Nothing: the data as it stands.
    case nothing = "none"
}

extension RaftDirectoryBackend {
    /// What is done with log entries that the data lacks.
    package static let applyLogOption = BackendOption(
        "apply_log", .words(ApplyLog.allCases.map(\.rawValue)), isOwn: true,
        """
        As a source: which log entries behind the data are read with it. all: every one, committed or not, as a \
        server's recovery with peers.json does. committed: those that the directory proves to be committed; with one \
        voter all of them, else up to where later entries show it. none: the data as it stands. Unset, writes among \
        them are an obstacle.
        """)
}
