import Digest
import Glibc
package import Storage
import Synchronization

/// What a comparison has read of stores that give their entries in no order, in files beside ``CheckProgressFile``: keys and
/// digests, and where the reading stands. A comparison that was cut off while it read a table goes on reading there.
///
/// Not for two threads at once.
// Unchecked: the files are opened before any thread reads, and their paths do not change.
package final class CheckJournals: @unchecked Sendable {
    private static let title = "sealift check journal 1"
    private static let mostReaders = 24

    private let path: String
    private let comparison: [String]
    private let isUnchanged: Bool
    private var journals: [(path: String, journal: EntryJournal)] = []
    /// Entries that an earlier run had read and this one need not; markers of directories among them.
    package private(set) var entriesReadBefore = 0
    /// Entries that an earlier run had read and that are read again, because nobody says that they are still so; what it has
    /// left stays as it is meanwhile.
    package private(set) var entriesDoubted = 0

    /// - Parameters:
    ///   - path: What the names of the files begin with.
    ///   - comparison: Whatever must be the same for a run that goes on.
    ///   - isUnchanged: Whether the user vouches that nothing was written to the stores since.
    package init(_ path: String, comparison: [String], isUnchanged: Bool) {
        self.path = path
        self.comparison = comparison
        self.isUnchanged = isUnchanged
    }

    deinit { for (_, journal) in journals { journal.close() } }

    /// Whether what was read of a store is worth being kept.
    package static func serves(_ store: any StorageSource) -> Bool { store.isRemote && !store.traits.isAscending }

    /// Takes up what an earlier run has read of a store, or begins a file for it.
    ///
    /// - Parameters:
    ///   - side: The store's place in the comparison.
    ///   - readers: Threads that may read.
    /// - Throws: `MigrationFailure` if the file is anything but what a run of the same comparison has left.
    package func open(_ store: any StorageSource, _ side: String, readers: Int) throws {
        let path = "\(path).\(side)"
        try refuseForeign(path)
        try refuseForeignBeginning(JournalFile.temporaryPath(path))
        let lines = [Self.title, side] + comparison
        let digest = try Array(lines.joined(separator: "\n").utf8).withUnsafeBytes { try SHA256Digest.of($0) }
        let header = Array("\(Self.title) \(digest.hexadecimal)".utf8)
        let journal: EntryJournal
        do throws(StorageError) {
            journal = try EntryJournal(durableAt: path)
        } catch {
            throw error.code == .damagedStore ? foreign(path) : error
        }
        if let found = journal.header, found != header {
            journal.close()
            throw MigrationFailure(
                .configuration,
                "\(path) is of another comparison: of other stores, other keys or other flags. Nothing was compared. Repeat the flags "
                    + "of the run that made it, or name another file with -resume.")
        }
        journals.append((path, journal))
        if isUnchanged {
            entriesReadBefore += journal.entryCount
        } else {
            entriesDoubted += journal.entryCount
            guard journal.entryCount == 0 else { return }
        }
        if journal.header == nil || journal.entryCount == 0 {
            try journal.begin(header: header, partitions: try store.partitions(min(readers, Self.mostReaders)))
        }
        sides[side] = journal
    }

    private var sides: [String: EntryJournal] = [:]
    /// Sides whose file has no name any more, with the error that left it its name, or 0.
    private let forgotten = Mutex<[String: Int32]>([:])

    /// Reads what is not read yet of a store.
    ///
    /// - Parameters:
    ///   - request: How to read; its batches are digested and keep no values.
    ///   - tell: Told of each batch, from any thread.
    /// - Returns: The journal with all of it; `nil` if none was opened for the side.
    func read(
        _ store: any StorageSource, _ side: String, _ request: ScanRequest,
        tell: @escaping @Sendable (EntryBatch) -> Void
    ) throws -> EntryJournal? {
        guard let journal = sides[side] else { return nil }
        var request = request
        request.includesDirectoryMarkers = store.traits.keepsDirectoryMarkers
        request.pool = .digesting(keepsValues: false)
        let (note, passesOver) = (request.note, request.passesOver)
        request.note = { [self] found in
            forget(side)
            note(found)
        }
        request.passesOver = { [self] error in
            forget(side)
            return passesOver(error)
        }
        try JournaledRead(
            store: store, journal: journal, request: request, readers: min(request.readers, Self.mostReaders)
        ).run(tell: tell)
        if let problem = forgotten.withLock({ $0[side] }), problem != 0 {
            throw StorageError.system("remove", "\(path).\(side)", errno: problem)
        }
        return journal
    }

    /// Whether what is read of a side is kept.
    func keeps(_ side: String) -> Bool { sides[side] != nil }

    /// Whether a file's name was taken away.
    func hasForgotten(_ side: String) -> Bool { forgotten.withLock { $0[side] != nil } }

    /// Takes a file's name away, so that no later run goes on with it: what was odd about the entries that are read is not in it.
    /// By any thread.
    private func forget(_ side: String) {
        forgotten.withLock { forgotten in
            guard forgotten[side] == nil else { return }
            let isGone = unlink("\(path).\(side)") == 0 || errno == ENOENT
            forgotten[side] = isGone ? 0 : errno
        }
    }

    /// Removes the files, when the result was told.
    package func finish() {
        for (_, journal) in journals { journal.remove() }
        journals = []
        sides = [:]
    }

    /// Refuses what is no database of LMDB, whose pages have a number behind their header of 16 bytes (LMDB `mdb.c`,
    /// `MDB_MAGIC`); one that was just made is empty.
    private func refuseForeign(_ path: String) throws {
        var info = stat()
        guard lstat(path, &info) == 0 else {
            guard errno == ENOENT else { throw StorageError.system("stat", path, errno: errno) }
            return
        }
        guard info.st_mode & S_IFMT == S_IFREG else { throw foreign(path) }
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw StorageError.system("open", path, errno: errno) }
        defer { close(descriptor) }
        var head = [UInt8](repeating: 0, count: 20)
        let count = Glibc.read(descriptor, &head, head.count)
        guard count == 0 || count == head.count && head[16...].elementsEqual([0xde, 0xc0, 0xef, 0xbe]) else {
            throw foreign(path)
        }
    }

    /// Refuses what stands where a file is begun, unless it is one that was just begun, without anything in it, or has our title:
    /// it is removed.
    private func refuseForeignBeginning(_ path: String) throws {
        try refuseForeign(path)
        var info = stat()
        // Two pages say where the data is, and there is none.
        guard lstat(path, &info) == 0, info.st_size > 2 * getpagesize() else { return }
        let header: [UInt8]?
        do throws(StorageError) {
            let existing = try JournalFile.existing(at: path)
            existing?.0.close()
            header = existing?.1.header
        } catch {
            throw foreign(path)
        }
        guard header.map({ $0.starts(with: Self.title.utf8) }) ?? true else { throw foreign(path) }
    }

    private func foreign(_ path: String) -> MigrationFailure {
        MigrationFailure(
            .configuration,
            "\(path) is nothing that -resume has written, or is damaged. Nothing was compared. Name another file with -resume, or "
                + "remove this one and begin anew.")
    }
}
