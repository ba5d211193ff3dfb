import Glibc
import Storage
import Telemetry
import Workers

extension MigrationPhases {
    /// Has the source's service make the backup that was asked for, and waits until it is whole: before anything is read, and
    /// before the source carries a marker. A run that goes on uses the one that was made for it, if it is there still.
    ///
    /// - Parameter isUntouched: Whether nothing was written to the source since an earlier run of the job was cut off.
    /// - Returns: Whether a backup was made now.
    func backUpSource(_ source: any StorageSource, _ state: StateFolder, isUntouched: Bool) throws -> Bool {
        guard let name = options.sourceBackup, let service = source.backupService else { return false }
        if isUntouched, let earlier = try Self.notedBackup(in: state), earlier.name == name,
            try Self.isThere(earlier, service)
        {
            summary.sourceBackup = earlier
            return false
        }
        let backup = try service.beginBackup(named: name)
        try state.write(StateFolder.backupName, Array("\(backup.name)\n\(backup.resourceName)\n".utf8))
        context.logger.info(
            "the source is being backed up", ["name": .string(name), "backup": .string(backup.resourceName)])
        summary.sourceBackup = backup
        var pause = Self.firstPause
        while try !service.isAvailable(backup) {
            try waitForBackup(pause)
            pause = min(pause * 2, Self.longestPause)
        }
        return true
    }

    /// Whether a backup is whole. One that was not waited for to the end is none that can be trusted to come.
    private static func isThere(_ backup: SourceBackup, _ service: any BackedUpSource) throws(StorageError) -> Bool {
        do throws(StorageError) {
            return try service.isAvailable(backup)
        } catch {
            if error.code == .missingStore { return false }
            throw error
        }
    }

    private static let firstPause = 0.05
    private static let longestPause = 10.0

    private func waitForBackup(_ seconds: Double) throws {
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            if context.cancellation.isCancelled { throw StorageError.cancelled }
            usleep(50_000)
        }
    }

    /// The backup that a run of the job has made and was cut off behind; `nil` if none has.
    static func notedBackup(in state: StateFolder) throws -> SourceBackup? {
        guard let bytes = try state.read(StateFolder.backupName, most: 4096) else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        guard lines.count == 2 else { return nil }
        return SourceBackup(name: String(lines[0]), resourceName: String(lines[1]))
    }

    /// Refuses to back up a source that has no service which could.
    static func refuseBackup(of source: any StorageSource, _ options: MigrationOptions) throws(MigrationFailure) {
        guard options.sourceBackup != nil, source.backupService == nil else { return }
        throw MigrationFailure(
            .configuration,
            "-source-backup has a dynamodb table backed up by its service; \(source.kind) \(source.location) has none. Copy it by "
                + "other means, and leave the flag out.")
    }
}

extension StorageSource {
    /// Whoever can back the store up; `nil` if nobody can.
    var backupService: (any BackedUpSource)? {
        ((self as? SealUpgradedSource)?.inner ?? self) as? any BackedUpSource
    }
}
