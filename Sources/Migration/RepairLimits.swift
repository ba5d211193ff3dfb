import Storage
import Wording

/// What a repair may put right, and what of what it found lies beyond.
final class RepairLimits {
    private let reported: ReportedDifferences?
    private let removesExtra: Bool
    private var extras = 0
    private var unreported = 0
    private var firstUnreported: StorageKey?

    init(_ options: MigrationOptions) {
        reported = options.reported
        removesExtra = options.removesExtra || options.mode == .rollback
    }

    /// Takes a difference, in key order.
    func check(_ verdict: Verdict, _ key: UnsafeRawBufferPointer) throws {
        if verdict == .extra, !removesExtra { extras += 1 }
        guard let reported, try !reported.holds(key) else { return }
        unreported += 1
        firstUnreported = firstUnreported ?? StorageKey(copying: key)
    }

    /// Takes an entry of the destination alone that cannot be read; reports name such entries out of order.
    func checkUnreadable(_ key: UnsafeRawBufferPointer) throws {
        if !removesExtra { extras += 1 }
        guard reported != nil else { return }
        unreported += 1
        firstUnreported = firstUnreported ?? StorageKey(copying: key)
    }

    /// Refuses, before anything is written, what lies beyond.
    func refuse(destination: any StorageDestination) throws {
        try reported?.finish()
        if let firstUnreported {
            throw NothingWritten(
                MigrationFailure(
                    .differences,
                    "\(unreported) more \(plural(unreported, "entry differs", "entries differ")) than the report says, \(firstUnreported) first. Nothing "
                        + "was written. Look again with sealift check, and repair from its new report."))
        }
        if extras > 0 {
            throw NothingWritten(
                MigrationFailure(
                    .differences,
                    "\(extras) \(plural(extras, "entry is", "entries are")) only at the destination (\(destination.location)), which a repair does not remove by "
                        + "itself. Nothing was written. See with sealift check -extra FILE what they are, then add -remove-extra."
                ))
        }
    }
}

/// A run that ends before anything was written to its destination, which needs no guard then.
struct NothingWritten: Error {
    let failure: MigrationFailure

    init(_ failure: MigrationFailure) { self.failure = failure }
}
