package import Barrier
package import Storage
import Telemetry

/// What is to be done with key shares, and how they are come by.
package struct ShareRequest: Sendable {
    /// Whether every entry is authenticated when the destination is read back.
    package var proves: Bool
    /// Whether a store of before Vault 1.3 is made fit for today's servers on its way.
    package var upgradesLegacySeal: Bool
    /// Whether the destination gets a key ring for the nodes of integrated storage, `core/raft/tls`, if the source has none.
    package var makesKeyRing = false
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
    /// - Parameter scope: What of the store is to be copied.
    /// - Returns: The store to be read from now on, its barrier, and what is made of it on its way.
    /// - Throws: `MigrationFailure` for shares that are too few or wrong, for stores that no shares open or that contradict what
    ///   is to be proven, and for an upgrade of which a part would be left out.
    func open(
        _ source: any StorageSource, _ scope: KeyScope
    ) throws(MigrationFailure) -> (source: any StorageSource, barrier: OpenedBarrier, upgrade: SealUpgrade?) {
        try refuseUpgrade(outOf: scope)
        let opened: (source: any StorageSource, barrier: OpenedBarrier, upgrade: SealUpgrade?)
        do {
            opened = try open(source)
        } catch {
            throw MigrationFailure.proving(error)
        }
        if proves, !opened.barrier.contradictions.isEmpty {
            throw .contradicted(opened.barrier.contradictions, "Nothing was written.")
        }
        return opened
    }

    private func open(
        _ source: any StorageSource
    ) throws -> (source: any StorageSource, barrier: OpenedBarrier, upgrade: SealUpgrade?) {
        let shares = try ask(OpenedBarrier.seal(of: source))
        let barrier = try OpenedBarrier(source, shares)
        guard upgradesLegacySeal else { return (source, barrier, nil) }
        let upgrade = try SealUpgrade(source, barrier)
        let upgraded = try SealUpgradedSource.make(source, StoreAmendment(upgrade))
        // With the shares and what was made for them, as a server would.
        return (upgraded, try OpenedBarrier(upgraded, shares), upgrade)
    }

    /// A key ring for a store that has none, and the store with it.
    ///
    /// - Parameters:
    ///   - source: As it is, without an upgrade of its seal.
    ///   - kept: What a run of the same job has made before; it is taken again if it is one.
    /// - Returns: `nil` if the store has one.
    /// - Throws: `MigrationFailure` if it would be left out.
    func makeKeyRing(
        _ source: any StorageSource, _ barrier: OpenedBarrier, _ upgrade: SealUpgrade?, _ kept: [UInt8]?,
        _ scope: KeyScope
    ) throws(MigrationFailure) -> (source: any StorageSource, value: [UInt8])? {
        do {
            guard try source.get(.raftKeyRing) == nil else { return nil }
            guard scope.contains(.raftKeyRing) else {
                throw MigrationFailure(
                    .configuration,
                    "-generate-raft-tls writes core/raft/tls, which -start, -include or -exclude leaves out. Copy all of core/, or "
                        + "leave out -generate-raft-tls.")
            }
            let value: [UInt8]
            if let kept, RaftKeyRing.isOne(kept, of: barrier) {
                value = kept
            } else {
                value = try RaftKeyRing.make(barrier, time: WallTime.now().microseconds)
            }
            let amendment = try (upgrade.map { StoreAmendment($0) } ?? StoreAmendment()).adding(keyRing: value)
            return (try SealUpgradedSource.make(source, amendment), value)
        } catch let failure as MigrationFailure {
            throw failure
        } catch {
            throw MigrationFailure.proving(error)
        }
    }

    /// Refuses to make a part of a store fit in which what makes it so is not.
    private func refuseUpgrade(outOf scope: KeyScope) throws(MigrationFailure) {
        let written: [StorageKey] = [.storedRootKey, .sealConfiguration]
        guard upgradesLegacySeal, let key = written.first(where: { !scope.contains($0) }) else { return }
        throw MigrationFailure(
            .configuration,
            "-upgrade-legacy-seal writes \(key), which -start, -include or -exclude leaves out: the destination would not be "
                + "made fit. Copy all of core/ (add -include \(KeyScope.essential), or leave -start or -exclude out), or leave "
                + "out -upgrade-legacy-seal.")
    }
}

extension MigrationFailure {
    /// The failure of a proof that cannot be made.
    package static func proving(_ error: any Error) -> MigrationFailure {
        guard let failure = error as? ProofFailure else { return stage("", error) }
        if failure.cause?.code == .cancelled { return interrupted }
        return MigrationFailure(.failed, failure.message, cause: failure.cause)
    }

    /// The failure of a migration whose destination holds what the source gave, which does not prove to be what servers wrote.
    static func unproven(_ proof: ProofOutcome) -> MigrationFailure {
        let tally = proof.tally
        guard tally.counts.bad > 0 else { return contradicted(proof.contradictions) }
        let shown = (tally.named.prefix(20).map(\.line) + proof.contradictions).map { "\n  \($0)" }.joined()
        return MigrationFailure(
            .differences,
            "\(tally.counts.bad) of \(tally.counts.provable) entries do not prove to be what a server wrote. "
                + (proof.isOfSource
                    ? "This is of the source; nothing was written. "
                    : "The destination holds what the source gave, so that they are damaged there already. It was not "
                        + "released. ")
                + "Restore them at the source from a backup, or migrate as it is without -prove.\(shown)")
    }

    /// The failure of a migration of a store whose entries are authentic one by one and contradict one another.
    ///
    /// - Parameter state: What of the destination is to be said.
    static func contradicted(
        _ contradictions: [String], _ state: String = "Nothing was released."
    ) -> MigrationFailure {
        let shown = contradictions.map { "\n  \($0)" }.joined()
        return MigrationFailure(
            .differences,
            "What the source says of its own keys contradicts what the key shares open, so that it is not proven that a server "
                + "will work on it. \(state) Restore what is named at the source from a backup, or migrate as it is without "
                + "-prove.\(shown)")
    }

    /// The failure of a proof that did not take in what was compared.
    static func proofIncomplete(_ proven: Int, of compared: Int) -> MigrationFailure {
        MigrationFailure(
            .failed,
            "\(proven) entries were looked at with the key shares, and \(compared) were compared: the proof is not of what "
                + "was written. Nothing was released. Run again; if it comes again, migrate without -prove and run "
                + "sealift prove on the result.")
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

    package init(_ barrier: OpenedBarrier, _ tally: ProofTally = ProofTally()) {
        terms = barrier.terms
        contradictions = barrier.contradictions
        self.tally = tally
    }

    /// Whether every entry that can be proven is, and nothing authentic contradicts what the shares say.
    package var isProven: Bool { tally.isProven && contradictions.isEmpty }

    /// Ends a run that must not go on without the proof.
    ///
    /// - Parameter compared: Entries that the comparison took in, each of which must have been looked at.
    func demand(of compared: Int) throws(MigrationFailure) {
        guard tally.counts.total == compared else { throw .proofIncomplete(tally.counts.total, of: compared) }
        guard isProven else { throw .unproven(self) }
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
