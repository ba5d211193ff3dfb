package import Barrier
package import Storage

/// What is to be done with key shares, and how they are come by.
package struct ShareRequest: Sendable {
    /// Whether every entry is authenticated when the destination is read back.
    package var proves: Bool
    /// Whether a store of before Vault 1.3 is made fit for today's servers on its way.
    package var upgradesLegacySeal: Bool
    /// Asks for the shares, once it is known how many are needed; called before anything is written.
    package let ask: @Sendable (SealDescription) throws -> KeyShares

    package init(
        proves: Bool, upgradesLegacySeal: Bool = false, ask: @escaping @Sendable (SealDescription) throws -> KeyShares
    ) {
        self.proves = proves
        self.upgradesLegacySeal = upgradesLegacySeal
        self.ask = ask
    }

    /// Asks for shares and tries them on a store.
    ///
    /// - Returns: The store to be read from now on, its barrier, and what is made of it on its way.
    /// - Throws: `MigrationFailure` for shares that are too few or wrong, and for stores that no shares open.
    func open(
        _ source: any StorageSource
    ) throws(MigrationFailure) -> (source: any StorageSource, barrier: OpenedBarrier, upgrade: SealUpgrade?) {
        do {
            let shares = try ask(OpenedBarrier.seal(of: source))
            let barrier = try OpenedBarrier(source, shares)
            guard upgradesLegacySeal else { return (source, barrier, nil) }
            let upgrade = try SealUpgrade(source, barrier)
            let upgraded = try SealUpgradedSource.make(source, upgrade)
            // With the shares and what was made for them, as a server would.
            return (upgraded, try OpenedBarrier(upgraded, shares), upgrade)
        } catch {
            throw MigrationFailure.proving(error)
        }
    }
}

extension MigrationFailure {
    /// The failure of a proof that cannot be made.
    package static func proving(_ error: any Error) -> MigrationFailure {
        guard let failure = error as? ProofFailure else { return stage("", error) }
        if failure.cause?.code == .cancelled { return interrupted }
        return MigrationFailure(.failed, failure.message, cause: failure.cause)
    }

    /// The failure of a migration whose destination holds what the source gave, and entries in it that are damaged.
    static func unproven(_ tally: ProofTally) -> MigrationFailure {
        let shown = tally.named.prefix(20).map { "\n  \($0.line)" }.joined()
        return MigrationFailure(
            .differences,
            "\(tally.counts.bad) of \(tally.counts.provable) entries do not prove to be what a server wrote. The "
                + "destination holds what "
                + "the source gave, so that they are damaged there already. It was not released. Restore them at the "
                + "source from a backup, or migrate as it is without -prove.\(shown)")
    }
}

/// What came of a proof with key shares.
package struct ProofOutcome: Sendable, Equatable {
    package var tally = ProofTally()
    /// Terms of the keyring, ascending; the last is the active one.
    package let terms: [UInt32]
    package let contradictions: [String]
    /// Whether it was made of the source, as a dry run does, and not of what was written.
    package var isOfSource = false

    package init(_ barrier: OpenedBarrier) {
        terms = barrier.terms
        contradictions = barrier.contradictions
    }
}

/// What an upgrade of the seal makes of a store.
package struct SealUpgradeOutcome: Sendable, Equatable {
    package let added: [StorageKey]
    package let changed: [StorageKey]
    package let removed: [StorageKey]

    init(_ upgrade: SealUpgrade) {
        (added, changed, removed) = (upgrade.added, upgrade.changed, upgrade.removed)
    }

    /// In words, for a table.
    package var text: String {
        [("added", added), ("changed", changed), ("left out", removed)].filter { !$0.1.isEmpty }
            .map { name, keys in "\(name) " + keys.map { "\($0)" }.joined(separator: ", ") }.joined(separator: "; ")
    }
}
