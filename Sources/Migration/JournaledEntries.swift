import Storage

/// The entries of a store that was read into a journal, as a run takes them: in key order, without markers of directories
/// and without what the run leaves out.
struct JournaledEntries {
    let journal: EntryJournal
    let store: any StorageSource
    let filter: EntryFilter
    let unlisted: ListingWalk.Treatment
    /// What the pass that filled the journal has met of what was there before; `nil` if nothing was.
    var known: KnownEntries?

    /// Gives them once more.
    ///
    /// - Parameters:
    ///   - note: Told of each entry that the store's own listing cannot see.
    ///   - deliver: Owns the batch, which may be empty; `false` ends the reading without an error.
    /// - Throws: See ``EntryJournal/merge(pool:isCancelled:_:)``.
    func read(
        pool: BatchPool, isCancelled: () -> Bool, note: (ScanNote) -> Void,
        _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        var walk = store.traits.keepsDirectoryMarkers ? ListingWalk(unlisted, start: filter.scope.start) : nil
        let hasher = try known.map { _ throws(StorageError) in try KnownEntries.Hasher() }
        known?.restart()
        try journal.merge(pool: pool, isCancelled: isCancelled) { batch throws(StorageError) in
            if let known, let hasher { try known.dropUnmet(batch, hasher) }
            walk?.apply(to: batch) { reason, key in note(ScanNote(reason, at: escapedKey(key))) }
            filter.apply(to: batch, isOrdered: true)
            return try deliver(batch)
        }
        if let walk, unlisted == .leaveOut {
            filter.leaveOut("not visible to listing (-listed-only)", walk.unseen)
        }
    }
}
