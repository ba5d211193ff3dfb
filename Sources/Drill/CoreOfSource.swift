import Storage

/// A source as far as key shares are tried on it: what lies in `core/`, without its namespaces. A look for those goes through the
/// whole of an archive, and whether shares open the store does not hang on them.
final class CoreOfSource: StorageSource {
    private let source: any StorageSource

    init(_ source: any StorageSource) { self.source = source }

    var kind: String { source.kind }
    var location: String { source.location }
    var identity: StoreIdentity { source.identity }
    var rules: EntryRules { source.rules }
    var traits: SourceTraits { source.traits }

    func get(_ key: StorageKey) throws(StorageError) -> [UInt8]? { try source.get(key) }

    func list(_ prefix: StorageKey) throws(StorageError) -> [StorageKey] {
        prefix.bytes.starts(with: "namespaces/".utf8) ? [] : try source.list(prefix)
    }

    func scan(
        _ request: ScanRequest, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) { try source.scan(request, deliver) }

    /// The source is whoever's that opened it.
    func close() {}
}
