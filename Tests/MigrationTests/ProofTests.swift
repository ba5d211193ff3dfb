import Barrier
import BarrierTestKit
import InMemoryBackend
import Storage
import TestSupport
import Testing

@testable import Migration

/// What must not be taken for a proof, and what an upgrade of the seal must bring to its destination.
@Suite struct ProofTests {
    private func opened() throws -> (store: InMemoryBackend, barrier: OpenedBarrier) {
        let store = try WorkedStore.make()
        return (store, try OpenedBarrier(store, WorkedStore.shares(0, 1, 2)))
    }

    private func tally(_ store: InMemoryBackend, _ barrier: OpenedBarrier) throws -> ProofTally {
        try StoreProof(store, barrier, context: context(), readers: 2).run { _ in }.outcome.tally
    }

    /// Batches that come from elsewhere carry no verdicts: that is an error, and no entry is passed over.
    @Test func entriesThatNobodyAuthenticatedAreAnError() throws {
        let (store, barrier) = try opened()
        var options = DigestedScan.Options()
        options.barrier = barrier
        options.pool = .digesting(keepsValues: true)
        let scan = DigestedScan(store, options)
        defer { scan.stop() }
        let error = #expect(throws: StorageError.self) { while let batch = try scan.nextBatch() { batch.recycle() } }
        #expect(error?.message.contains("not authenticated") == true)
        // The same where no digests are wanted.
        let foreign = UnstampedStore(store)
        #expect(throws: StorageError.self) {
            try StoreProof(foreign, barrier, context: context(), readers: 2).run { _ in }
        }
    }

    @Test func aProofIsOfAllThatWasCompared() throws {
        let (store, barrier) = try opened()
        let outcome = ProofOutcome(barrier, try tally(store, barrier))
        #expect(outcome.isProven && outcome.tally.counts.total == 7)
        try outcome.demand(of: 7)
        for compared in [0, 6, 8] {
            let failure = #expect(throws: MigrationFailure.self) { try outcome.demand(of: compared) }
            #expect(failure?.message.contains("7 entries were looked at") == true && failure?.kind == .failed)
        }
        #expect(!ProofOutcome(barrier).isProven)
    }

    /// What is counted in runs is what is counted one by one.
    @Test(arguments: 0..<4)
    func runsCountLikeTheirEntries(_ seed: Int) throws {
        var random = SeededRandom(seed)
        let batch = EntryBatch(stamper: WrittenStamp())
        var expected = ProofTally()
        for number in 0..<500 {
            let kind = random.below(20)
            let proof: EntryProof =
                switch kind {
                case 0: EntryProof(.failed, term: 1)
                case 1: EntryProof(.unknownTerm, term: 9)
                case 2: EntryProof(.plain)
                case 3: EntryProof(.authenticated, term: 1, isNameUnbound: true)
                case 4: EntryProof(.notCheckable)
                default: EntryProof(.authenticated, term: 2 - UInt32(number / 100 % 2))
                }
            let folder = ["core/", "core", "", "logical/a/", "logica/"][kind < 12 ? 3 : random.below(5)]
            let key = StorageKey("\(folder)\(number)")
            var stamp = [UInt8](repeating: 0, count: ProofStamp.byteCount)
            stamp.withUnsafeMutableBytes { bytes in
                if let base = bytes.baseAddress { ProofStamp.write(proof, to: base) }
            }
            batch.append(key: key, value: stamp)
            key.bytes.withUnsafeBytes { expected.count(proof, $0) }
        }
        #expect(ProofStamp.tally(batch, behind: 0) == expected)
        #expect(ProofStamp.tally(batch, behind: 1) == nil)
    }

    @Test func contradictionsAreNoProof() throws {
        let (store, barrier) = try opened()
        try store.put(.shamirKey, try barrier.seal([UInt8](repeating: 1, count: 32), under: .shamirKey))
        let again = try OpenedBarrier(store, WorkedStore.shares(0, 1, 2))
        let outcome = ProofOutcome(again, try tally(store, again))
        #expect(outcome.tally.isProven && !outcome.isProven)
        let failure = #expect(throws: MigrationFailure.self) { try outcome.demand(of: 7) }
        #expect(failure?.kind == .differences && failure?.message.contains("core/shamir-kek") == true)
    }

    /// What the upgrade comes along with is gone when it is looked for: the run must not end well.
    @Test(arguments: [false, true])
    func anUpgradeThatDoesNotComeIsNoSuccess(_ isRehearsed: Bool) throws {
        let store = try WorkedStore.make()
        try OpenedBarrier.makeLegacy(store, WorkedStore.shares(0, 1, 2))
        try store.put("core/hsm/beside", [1, 2, 3])
        let barrier = try OpenedBarrier(store, WorkedStore.shares(0, 1, 2))
        let source = try SealUpgradedSource.make(store, StoreAmendment(SealUpgrade(store, barrier)))
        func migrate(_ name: String) throws -> InMemoryBackend {
            let destination = InMemoryBackend()
            try Scratch.withFolder { folder in
                var options = MigrationOptions()
                options.stateFolder = "\(folder)/\(name)"
                options.isDryRun = isRehearsed
                try MigrationRun.run(
                    from: source, to: destination, reopening: { () throws(StorageError) in destination },
                    options: options, context: context()
                ) { _ in }
            }
            return destination
        }
        let whole = try migrate("whole")
        if !isRehearsed { #expect(try whole.get(.storedRootKey) == source.get(.storedRootKey)) }
        try store.delete("core/hsm/beside")
        let failure = #expect(throws: MigrationFailure.self) { _ = try migrate("without") }
        #expect(
            failure?.message.contains("core/hsm/barrier-unseal-keys did not come") == true, "\(failure?.message ?? "")")
    }
}

/// Takes the value for the stamp.
private final class WrittenStamp: ValueStamper {
    let stampBytes = ProofStamp.byteCount

    func stamp(_ value: UnsafeRawBufferPointer, into output: UnsafeMutableRawPointer) -> Bool {
        UnsafeMutableRawBufferPointer(start: output, count: stampBytes).copyMemory(from: value)
        return true
    }
}

/// A store that gives batches of its own in place of those that it is asked for.
private final class UnstampedStore: StorageSource {
    private let inner: InMemoryBackend

    init(_ inner: InMemoryBackend) { self.inner = inner }

    var kind: String { inner.kind }
    var location: String { inner.location }
    var identity: StoreIdentity { inner.identity }
    var rules: EntryRules { inner.rules }
    var traits: SourceTraits { inner.traits }

    func get(_ key: StorageKey) throws(StorageError) -> [UInt8]? { try inner.get(key) }
    func list(_ prefix: StorageKey) throws(StorageError) -> [StorageKey] { try inner.list(prefix) }

    func scan(
        _ request: ScanRequest, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        var request = request
        request.pool = BatchPool()
        try inner.scan(request, deliver)
    }

    func close() {}
}
