package import Storage

/// A store with every role, as the promises need it.
package typealias FullStore = KeyValueStore & StorageDestination

/// What a test opens a store for.
package enum OpenPurpose: Sendable {
    case source(writesMarker: Bool)
    case destination(DestinationContext)
}

extension BackendDriver {
    /// Opens a store in one of its roles.
    package func open(_ settings: BackendSettings, _ purpose: OpenPurpose) throws(StorageError) -> any StorageBackend {
        switch purpose {
        case .source(let writesMarker): return try openSource(settings, SourceContext(writesMarker: writesMarker))
        case .destination(let context):
            guard let openDestination else { throw StorageError(.unsupported, "\(kind) is only read") }
            return try openDestination(settings, context)
        }
    }

    /// Opens a store that has every role.
    package func openFull(_ settings: BackendSettings, _ purpose: OpenPurpose) throws(StorageError) -> any FullStore {
        guard let store = try open(settings, purpose) as? any FullStore else {
            throw StorageError(.unsupported, "\(kind) has not every role")
        }
        return store
    }
}
