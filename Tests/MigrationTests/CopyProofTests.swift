import InMemoryBackend
import Migration
import Storage
import TestSupport
import Testing

/// A store whose copies say what they are told to.
private final class ProvingStore: KeyValueStore, StorageDestination {
    typealias Answer = @Sendable (_ keyspaceDigest: String?) throws(StorageError) -> [CopyProof]

    let base = InMemoryBackend()
    private let answer: Answer
    /// Changes what was written before it is proven.
    private let damage: @Sendable (InMemoryBackend) throws(StorageError) -> Void

    init(
        damage: @escaping @Sendable (InMemoryBackend) throws(StorageError) -> Void = { _ in },
        _ answer: @escaping Answer
    ) {
        self.damage = damage
        self.answer = answer
    }

    var kind: String { base.kind }
    var location: String { base.location }
    var identity: StoreIdentity { base.identity }
    var traits: SourceTraits { base.traits }
    var rules: EntryRules { base.rules }
    var serverUse: ServerUse? { nil }

    func get(_ key: StorageKey) throws(StorageError) -> [UInt8]? { try base.get(key) }
    func put(_ key: StorageKey, _ value: [UInt8]) throws(StorageError) { try base.put(key, value) }
    func delete(_ key: StorageKey) throws(StorageError) { try base.delete(key) }
    func list(_ prefix: StorageKey) throws(StorageError) -> [StorageKey] { try base.list(prefix) }
    func scan(
        _ request: ScanRequest, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) { try base.scan(request, deliver) }
    func close() {}

    func bulkLoader(_ plan: LoadPlan) throws(StorageError) -> any BulkLoader {
        Loader(store: self, base: try base.bulkLoader(plan))
    }

    private final class Loader: BulkLoader {
        private let store: ProvingStore
        private let base: any BulkLoader

        init(store: ProvingStore, base: any BulkLoader) {
            self.store = store
            self.base = base
        }

        var needsAscendingKeys: Bool { base.needsAscendingKeys }
        func load(_ batch: EntryBatch) throws(StorageError) { try base.load(batch) }
        func finish() throws(StorageError) {
            try base.finish()
            try store.damage(store.base)
        }
        func sync() throws(StorageError) { try base.sync() }
        func written() throws(StorageError) -> any StorageSource { store }
        func proveCopies(
            keyspaceDigest: String?, isCancelled: @escaping @Sendable () -> Bool
        ) throws(StorageError) -> [CopyProof] { try store.answer(keyspaceDigest) }
        func publish() throws(StorageError) { try base.publish() }
        func abandon() { base.abandon() }
    }
}

/// What a destination's copies say decides whether it is let go of.
@Suite struct CopyProofTests {
    private static let entries = (0..<50).map { Entry(StorageKey("k/\($0)"), Array("\($0)".utf8)) }
    private func migrate(to store: ProvingStore) throws -> MigrationSummary? {
        try Scratch.withFolder { folder in
            var options = MigrationOptions()
            options.stateFolder = "\(folder)/state"
            options.allowsAnyData = true
            var found: MigrationSummary?
            try MigrationRun.run(
                from: memory(Self.entries), to: store, reopening: { () throws(StorageError) in store },
                options: options, context: context()
            ) { found = $0 }
            return found
        }
    }

    private static func copy(_ digest: String?) -> CopyProof {
        CopyProof(
            id: "n1", address: "h:1", index: 9, entries: entries.count, digest: digest ?? "",
            isEqual: digest != nil)
    }

    @Test func equalCopiesLetItGo() throws {
        let store = ProvingStore { digest in [Self.copy(digest)] }
        let summary = try migrate(to: store)
        #expect(summary?.destinations.first?.copies.map(\.id) == ["n1"])
        #expect(try store.base.get(.migrationMarker) == nil && store.base.get("k/49") == Array("49".utf8))
    }

    /// Nodes that are away are no difference, but the destination is not let go of either.
    @Test(arguments: [(StorageError.Code.io, Int32(2)), (.damagedStore, 3)])
    func whatIsNotProvenIsNotLetGo(_ code: StorageError.Code, _ exitCode: Int32) throws {
        let store = ProvingStore { _ throws(StorageError) in throw StorageError(code, "n2 has not") }
        let failure = #expect(throws: MigrationFailure.self) { _ = try migrate(to: store) }
        #expect(failure?.exitCode == exitCode && failure?.message.contains("n2 has not") == true)
        #expect(try store.base.get(.migrationMarker) != nil)
    }

    /// Copies that cannot say that they are equal, or none at all, do not spare the comparison.
    @Test(arguments: [[copy(nil)], []])
    func whatIsNotKnownToBeEqualIsCompared(_ copies: [CopyProof]) throws {
        let store = ProvingStore(damage: { base throws(StorageError) in try base.put("k/7", [0]) }) { _ in copies }
        let failure = #expect(throws: MigrationFailure.self) { _ = try migrate(to: store) }
        #expect(failure?.exitCode == 3, "\(failure?.message ?? "")")
        #expect(try store.base.get(.migrationMarker) != nil)
    }
}
