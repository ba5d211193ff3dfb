import Storage

/// The records of a journal and where to read them.
struct JournalRecords {
    /// Open for reading as long as the journal is.
    let descriptor: Int32
    let path: String
    let stampBytes: Int
    let keepsValues: Bool
    let places: [JournalRecord.Place]

    /// Whether one key may be there more than once, so that the newest has to be found.
    var hasAges: Bool { places.contains { $0.age != places[0].age || $0.age.isTombstone } }

    func damaged(_ record: Int) -> StorageError {
        JournalFile.damaged(path, "record \(record) is damaged")
    }
}
