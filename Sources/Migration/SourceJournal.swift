import Glibc
import Storage
import Telemetry

/// The durable journal of a migration whose source is read over a network: what a run that was killed had read is not
/// read again.
///
/// It is only trusted while nothing can have been written to the source since: if the source still carries the very
/// migration marker that the earlier run set, which keeps every server from starting, or if the user vouches for it. What
/// was read beside a server at work is never trusted: the marker does not stop a server that runs already.
final class SourceJournal {
    private static let markerNote = "marker"
    private static let earlierMarkerNote = "earlier marker"
    private static let inUseNote = "in use"
    /// Stands in a journal that warm passes fill: what it holds is never taken for the source as it is, only compared.
    private static let warmNote = "warm"
    /// Generations beyond which a journal is begun anew, since what is gone stays in it.
    private static let mostPasses = 32
    private static let version = "sealift journal 2"

    let journal: EntryJournal
    /// Entries that an earlier run had read, directory markers among them.
    let entriesReadBefore: Int
    /// What earlier passes have put into the journal, for a pass that reads the source once more.
    let known: KnownEntries?
    /// The source's marker when the journal was found to be trusted.
    private let trustedMarker: [UInt8]?
    /// Whether a server is at work on the source while it is read; then the journal is of no use to another run.
    let isSourceInUse: Bool

    /// Opens the journal in the state folder, or begins it anew.
    ///
    /// - Parameters:
    ///   - partitionCount: How many partitions a new journal is to have.
    ///   - job: The fingerprint of the two stores.
    ///   - isSourceInUse: Whether a server is at work on the source now.
    ///   - isCancelled: Asked while what an earlier pass has left is looked through.
    init(
        _ source: any StorageSource, partitionCount: Int, job: String, in state: StateFolder,
        options: MigrationOptions, isSourceInUse: Bool, logger: Logger,
        isCancelled: () -> Bool
    ) throws {
        self.isSourceInUse = isSourceInUse
        let path = Self.path(in: state)
        // What was read eventually consistently is no beginning for a run that is to be consistent.
        var manner = source.traits.readsEventually ? "eventually consistent\n" : ""
        // Nor is what was read with entries of our own among the others, for a run that wants none, or the other way.
        if let amended = source as? SealUpgradedSource { manner += amended.manner }
        let header = Array("\(Self.version)\n\(job)\n\(try source.incarnation())\n\(manner)".utf8)
        let opened = try Self.open(path, logger)
        let marker = opened.header == nil ? nil : try source.get(.migrationMarker)
        if options.mode != .whole, opened.header == header, opened.note(Self.warmNote) != nil,
            opened.generation < Self.mostPasses
        {
            // A warm pass that was cut off goes on where it stopped; any other begins to read anew, with what is there at hand.
            let goesOn = options.mode == .warm && opened.generation == 0 && !opened.isFinished
            entriesReadBefore = goesOn ? opened.entryCount : 0
            known = try goesOn ? nil : Self.newGeneration(opened, state, isCancelled)
            trustedMarker = nil
            journal = opened
            return
        }
        known = nil
        if let refusal = Self.refusal(of: opened, header, marker, options, isSourceInUse) {
            if opened.entryCount > 0 {
                logger.warn("what an earlier run had read is read again", ["because": .string(refusal)])
            }
            try opened.begin(header: header, partitions: try source.partitions(partitionCount))
            if options.mode == .warm { try opened.setNote(Self.warmNote, [1]) }
            entriesReadBefore = 0
            trustedMarker = nil
        } else {
            entriesReadBefore = opened.entryCount
            trustedMarker = marker
        }
        journal = opened
    }

    private static func newGeneration(
        _ journal: EntryJournal, _ state: StateFolder, _ isCancelled: () -> Bool
    ) throws -> KnownEntries {
        try journal.beginGeneration()
        return try KnownEntries(
            journal, folder: state.path, pool: .digesting(keepsValues: true), isCancelled: isCancelled)
    }

    static func path(in state: StateFolder) -> String { "\(state.path)/journal.lmdb" }

    private static func open(_ path: String, _ logger: Logger) throws -> EntryJournal {
        do throws(StorageError) {
            return try EntryJournal(durableAt: path)
        } catch {
            guard error.code == .damagedStore else { throw error }
            logger.warn("the journal of an earlier run is damaged and removed", ["error": .string("\(error)")])
            EntryJournal.remove(at: path)
            return try EntryJournal(durableAt: path)
        }
    }

    /// Why a journal is not to be trusted; `nil` if it is.
    private static func refusal(
        of journal: EntryJournal, _ header: [UInt8], _ marker: [UInt8]?, _ options: MigrationOptions,
        _ isSourceInUse: Bool
    ) -> String? {
        guard let found = journal.header else { return "there is none" }
        guard found == header else { return "the source is not the store that was read then" }
        if journal.note(warmNote) != nil { return "a server may have been at work on the source while it was read" }
        if isSourceInUse { return "a server is at work on the source" }
        if journal.note(inUseNote) != nil { return "a server was at work on the source while it was read" }
        if options.isSourceUnchanged { return nil }
        if let marker, marker == journal.note(markerNote) || marker == journal.note(earlierMarkerNote) { return nil }
        return
            "the source does not carry that run's migration marker any more, so a server may have written to it since "
            + "(-source-unchanged says that none has)"
    }

    /// Notes the marker that is about to be set on the source.
    func expect(marker: [UInt8]) throws(StorageError) {
        guard journal.note(Self.warmNote) == nil else { return }
        guard !isSourceInUse else { return try journal.setNote(Self.inUseNote, [1]) }
        // A kill between the note and the marker leaves the earlier one on the source.
        if let trustedMarker { try journal.setNote(Self.earlierMarkerNote, trustedMarker) }
        try journal.setNote(Self.markerNote, marker)
    }
}
