import Barrier
package import Storage
package import Telemetry
package import Workers

/// What the user asked of a migration besides its configuration file.
package struct MigrationOptions: Sendable {
    /// Whether this is all of the migration, or one pass of several.
    package var mode = MigrationMode.whole
    /// Copy only these keys.
    package var scope = KeyScope()
    /// Copy only keys that are bytewise at least this; then the destination may hold others.
    package var start: StorageKey? { scope.start }
    /// For a repair, the only differences that are to be put right; `nil` for all.
    package var reported: ReportedDifferences?
    /// For a repair, whether entries that only the destination has are removed.
    package var removesExtra = false
    /// For a rollback, what is taken back.
    package var rollback: MigrationToRollBack?
    /// Leave out even what a server cannot start without.
    package var isForced = false
    /// Threads that may read at once.
    package var maximumParallel = 10
    /// Look at everything, write nothing.
    package var isDryRun = false
    /// Copy a source that is not an initialised Vault store.
    package var allowsAnyData = false
    /// Migrate without the entries that a crash left as files of zero length.
    package var allowsLostEntries = false
    /// Migrate a Raft directory whose log is missing, cannot be read, or holds writes that the data lacks.
    package var allowsMissingLog = false
    /// Allow addresses no real cluster could use.
    package var isPractice = false
    /// Set no marker on the source.
    package var hasReadOnlySource = false
    /// Read a source on which a server still seems to run.
    package var allowsSourceInUse = false
    /// Read back what the disk holds, rather than what the system still holds in memory of what was written.
    package var readsBackFromDisk = true
    /// Leave out entries that the source's own listing cannot see.
    package var listedOnly = false
    /// The user vouches that nothing was written to the source since an earlier run stopped, so that what that run has
    /// read need not be read again although its migration marker is gone.
    package var isSourceUnchanged = false
    /// Start afresh: remove what earlier runs have left in the state folder.
    package var discardsState = false
    /// Whether what is read over a network is kept for a run that goes on where this one was cut off.
    package var keepsJournal = true
    /// Folder for lock, manifest, report and scratch files; `nil` for the default.
    package var stateFolder: String?
    /// The name of a backup that the source's service makes before anything is read; `nil` for none.
    package var sourceBackup: String?
    /// Owner of what is created.
    package var owner: FileOwner?
    /// Signs manifest and report.
    package var signer: EvidenceSigner?
    /// The secret of a keyed manifest to be written beside the other.
    package var manifestKey: ManifestKey?
    /// What is to be done with key shares; `nil` if none are asked for.
    package var shares: ShareRequest?
    /// What authenticates every entry that is read back, once the shares are known.
    var barrier: OpenedBarrier?

    package init() {}

    /// What of a destination counts: all of it, whatever was selected, but a repair of a part has no business with the rest.
    var destinationScope: KeyScope { mode == .repair ? scope : scope.withoutSelection }

    /// With what a warm pass implies: the source stays as it is, and a server may be at work on it.
    var ofTheirMode: MigrationOptions {
        guard mode == .warm else { return self }
        var options = self
        options.hasReadOnlySource = true
        options.allowsSourceInUse = true
        return options
    }
}

/// What a run works with besides its options: how it tells what it does, and how it is told to stop.
package struct RunContext: Sendable {
    package let logger: Logger
    package let counters: ProgressCounters
    package let cancellation: CancellationToken
    package let environment: [String: String]
    /// Sealift's version, for reports.
    package let version: String
    /// Whether somebody watches who wants to know how long it will take: then the entries of a store that cannot tell
    /// its size are counted while they are copied.
    package let isWatched: Bool
    /// Who is shown the run while it goes on; `nil` if nobody is.
    package let watcher: RunWatcher?

    package init(
        logger: Logger, counters: ProgressCounters, cancellation: CancellationToken, environment: [String: String],
        version: String, isWatched: Bool = false, watcher: RunWatcher? = nil
    ) {
        self.logger = logger
        self.counters = counters
        self.cancellation = cancellation
        self.environment = environment
        self.version = version
        self.isWatched = isWatched
        self.watcher = watcher
    }
}

/// What a migration did, or what a dry run would do.
package struct MigrationSummary: Sendable {
    package var sourceKind = ""
    package var sourceLocation = ""
    /// What became of each destination; one at least.
    package var destinations: [DestinationOutcome] = []
    package var isDryRun = false
    package var mode = MigrationMode.whole
    /// The keys wanted; if not all were, what was copied is a part.
    package var scope = KeyScope()
    /// Whether an earlier run that was cut off was taken up again.
    package var isContinuation = false
    /// Whether the migration was done before, so that nothing was copied and both sides were compared once more.
    package var isRepeat = false
    /// What a repair has put right; `nil` for anything else.
    package var repaired: EntryChanges?
    /// How this pass stands to those before it; `nil` for a migration in one pass.
    package var pass: PassOutcome?
    /// What the source's service made of it before anything was read; `nil` if nobody asked for it.
    package var sourceBackup: SourceBackup?
    /// Entries that an earlier run had read and this one did not read again.
    package var entriesReadBefore = 0
    package var totals = KeyspaceTotals()
    /// SHA-256 over the manifest's lines, hexadecimal.
    package var keyspaceDigest = ""
    /// Seconds from the first write to the end of the comparison.
    package var seconds = 0.0
    /// Of them, copying and making durable.
    package var copySeconds = 0.0
    /// Entries left out on purpose, by reason.
    package var leftOut: [String: Int] = [:]
    /// What else was found in the source, by kind.
    package var notes: [ScanNote.Reason: Int] = [:]
    package var noteExamples: [ScanNote] = []
    /// Entries of the source of which only the name is left.
    package var lost = LostEntries()
    /// A file that names all of them, if there are any.
    package var lostPath: String?
    /// A file that names every entry which the source's listing cannot see, if there are any.
    package var unlistedPath: String?
    /// What was asked of the source's service.
    package var sourceActivity: StoreActivity?
    package var remarks: [String] = []
    /// How the source is sealed, if it says so in clear.
    package var seal: SealDescription?
    /// The file that the stores came from; `nil` if they did not come from one.
    package var configurationPath: String?
    package var manifestPath: String?
    package var reportPath: String?
    /// The report as a page.
    package var pagePath: String?
    /// How the run went over time, and what each phase has done.
    package var samples: [ProgressHistory.Sample] = []
    package var phases: [ProgressHistory.PhaseSum] = []
    package var keyedManifestPath: String?
    /// Where the signatures of those stand, if they are signed.
    package var keyedManifestSignaturePath: String?
    package var manifestSignaturePath: String?
    package var reportSignaturePath: String?
    /// The commands that verify them.
    package var verification: [String] = []
    /// What came of the proof with key shares; `nil` if none was asked for, or it was not come so far.
    package var proof: ProofOutcome?
    /// What the upgrade of the seal makes otherwise than the source has it; `nil` if there is none.
    package var sealUpgrade: SealUpgradeOutcome?
    /// Whether `core/raft/tls` was made for the destination, which the source lacks.
    package var hasMadeKeyRing = false

    package init() {}
}

/// What a run did with one destination.
package struct DestinationOutcome: Sendable {
    package let kind: String
    package let location: String
    package var comparison = ComparisonCounts()
    /// Where what was compared came from, of what this run has written; `nil` if nothing was read back.
    package var readBack: ReadBackOrigin?
    /// What each copy says that the store keeps on machines of its own.
    package var copies: [CopyProof] = []
    /// The destination of the same run, read back and equal, of which this one is a copy byte for byte; `nil` for one that was
    /// compared entry by entry.
    package var original: String?
    /// What was asked of its service.
    package var activity: StoreActivity?
    package var guide: ServerGuide?

    init(_ store: any StorageDestination) {
        kind = store.kind
        location = store.location
    }
}

extension MigrationSummary {
    /// Whether nothing is left to do: a warm pass is never the end.
    package var isFinal: Bool { mode != .warm && !isDryRun }

    /// Whether every destination was compared and holds exactly what the source gave.
    package var isProven: Bool { !destinations.isEmpty && destinations.allSatisfy(\.comparison.isAllSame) }

    /// Folders at the top of the source in which no server keeps entries: snapshots, old backups, other products' data.
    package var foreignPrefixes: [PrefixTally] {
        totals.prefixes.filter { tally in
            tally.prefix.last == UInt8(ascii: "/") && !StorageKey.serverFolders.contains(StorageKey(tally.prefix))
        }
    }
}
