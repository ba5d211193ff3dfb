import Barrier

/// Looks at the entries of an archive for what shows of damage without any secret: ``Barrier/StructureTally``.
package final class StructureVisitor: SnapshotVisitor {
    private var tally = StructureTally()

    package init() {}

    package func visit(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        tally.count(key: key, value: value)
    }

    /// What looks damaged or is missing as faults, which servers can run on the store as remarks. What the seal tells is said
    /// of every archive already.
    package func findings() -> [SnapshotFinding] {
        let report = tally.finish()
        return report.faults.map { SnapshotFinding(.fault, "structure", $0) }
            + report.layoutRemarks.map { SnapshotFinding(.remark, "layout", $0) }
    }
}
