import Synchronization

/// What backups and exports have besides the database.
final class BackupService: Sendable {
    /// An export that was asked for; what it wrote lies in its folder.
    struct Export: Sendable {
        let resourceName: String
        let table: TableDefinition
        let bucket: String
        let prefix: String
        let token: String
        /// Milliseconds since 1970: the state that was exported, and when the work began and ended.
        let moment: Int
        let begin: Int
        var end: Int
        var items = 0
        var bytes = 0
        /// Where the manifest is in the bucket.
        var manifest = ""
        /// Why it failed; `nil` if it did not.
        var failure: String?
    }

    let secondsOfBackup: Int
    let exportFolder: String?
    /// Oldest first, for as long as the server runs.
    private let known = Mutex<[Export]>([])

    init(secondsOfBackup: Int, exportFolder: String?) {
        self.secondsOfBackup = secondsOfBackup
        self.exportFolder = exportFolder
    }

    var exports: [Export] { known.withLock { $0 } }

    func add(_ export: Export) { known.withLock { $0.append(export) } }
}
