import Storage

/// Writes down now and then how far a comparison has come, and knows what an earlier run has found.
///
/// Not for two threads at once.
package final class CheckResumption {
    /// Beyond this many differences, progress is not worth being kept: it would grow with every one.
    package static let mostDifferences = 100_000
    /// Keys between two looks at the clock.
    private static let keysBetweenLooks = 1024

    private let file: CheckProgressFile
    private let interval: Duration
    /// What an earlier run has found; `nil` if there was none.
    package let earlier: CheckProgress?
    private var counts: ComparisonCounts
    private var differences: [CheckProgress.Difference]
    private var untilLook = 1
    private var lastSave: ContinuousClock.Instant

    /// - Parameter interval: Time between two saves; with `zero` every key is one.
    package init(_ file: CheckProgressFile, earlier: CheckProgress?, interval: Duration = .seconds(2)) {
        self.file = file
        self.interval = interval
        self.earlier = earlier
        counts = earlier?.counts ?? ComparisonCounts()
        differences = earlier?.differences ?? []
        lastSave = ContinuousClock().now
    }

    /// What of a scope is left to be compared.
    package func remaining(of scope: KeyScope) -> KeyScope {
        guard let earlier else { return scope }
        let next = StorageKey(earlier.key.bytes + [0])
        return KeyScope(
            start: scope.start.map { max($0, next) } ?? next, prefix: scope.prefix, included: scope.included,
            excluded: scope.excluded, sample: scope.sample, dropsLeases: scope.dropsLeases)
    }

    /// Notes that a key was judged, all before it being judged already.
    ///
    /// - Parameter isClean: Whether all that was found so far is in the verdicts: entries that cannot be read, and odd files,
    ///   are judged at the end, so that from the first of them on nothing is written down any more.
    func pass(_ verdict: Verdict, _ key: UnsafeRawBufferPointer, isClean: () -> Bool) throws {
        counts.count(verdict)
        if verdict != .same, differences.count <= Self.mostDifferences {
            differences.append(CheckProgress.Difference(verdict: verdict, key: StorageKey(copying: key)))
        }
        untilLook -= 1
        guard untilLook <= 0 else { return }
        untilLook = interval == .zero ? 1 : Self.keysBetweenLooks
        let now = ContinuousClock().now
        guard now - lastSave >= interval, differences.count <= Self.mostDifferences, isClean() else { return }
        try file.save(CheckProgress(key: StorageKey(copying: key), counts: counts, differences: differences))
        lastSave = now
    }

    /// Forgets the progress, when the result was told.
    package func finish() { file.remove() }
}
