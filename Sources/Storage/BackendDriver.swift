/// How a kind of storage backend is configured and opened; one per kind, listed in the command's registry.
package struct BackendDriver: Sendable {
    /// The type name in configuration files, lower case.
    package let kind: String
    /// One sentence for the help.
    package let summary: String
    /// What a user should know of it besides, in sentences; empty if nothing.
    package let notes: String
    /// Every option the block may have.
    package let options: [BackendOption]
    /// Whether a destination is built whole and put in place when it is proven, so that nothing is ever added to it.
    package let isBuiltWhole: Bool
    /// Opens the store to be read. A source that is not there is an error and is never created.
    package let openSource: @Sendable (BackendSettings, SourceContext) throws(StorageError) -> any StorageSource
    /// Opens the store to be filled; `nil` if this kind of store is only read.
    package let openDestination:
        (@Sendable (BackendSettings, DestinationContext) throws(StorageError) -> any StorageDestination)?

    /// Opens every store that one block stands for, where it can stand for several; `nil` for kinds of which it stands for one.
    package let openDestinations:
        (@Sendable (BackendSettings, DestinationContext) throws(StorageError) -> [OpenDestination])?

    package init(
        kind: String, summary: String, notes: String = "", options: [BackendOption], isBuiltWhole: Bool = false,
        openSource: @escaping @Sendable (BackendSettings, SourceContext) throws(StorageError) -> any StorageSource,
        openDestination: (
            @Sendable (BackendSettings, DestinationContext) throws(StorageError) -> any StorageDestination
        )?,
        openDestinations: (
            @Sendable (BackendSettings, DestinationContext) throws(StorageError) -> [OpenDestination]
        )? = nil
    ) {
        self.kind = kind
        self.summary = summary
        self.notes = notes
        self.options = options
        self.isBuiltWhole = isBuiltWhole
        self.openSource = openSource
        self.openDestination = openDestination
        self.openDestinations = openDestinations
    }
}

/// A destination, and how it is opened to be read once it is filled.
package struct OpenDestination: Sendable {
    package let store: any StorageDestination
    package let reopening: @Sendable () throws(StorageError) -> any StorageSource

    package init(
        _ store: any StorageDestination,
        reopening: @escaping @Sendable () throws(StorageError) -> any StorageSource
    ) {
        self.store = store
        self.reopening = reopening
    }
}

/// What a source needs to know besides its own block.
package struct SourceContext: Sendable {
    /// Whether the migration marker is set on it, and cleared.
    package var writesMarker: Bool

    package init(writesMarker: Bool) {
        self.writesMarker = writesMarker
    }
}

/// What a destination needs to know besides its own block.
package struct DestinationContext: Sendable {
    /// The top-level `cluster_addr`, as written.
    package var clusterAddress: String?
    /// A practice run: addresses that no real cluster could use are allowed.
    package var isPractice: Bool
    /// A dry run: nothing at all may be written, not even to try something out.
    package var isDryRun: Bool

    package init(clusterAddress: String? = nil, isPractice: Bool = false, isDryRun: Bool = false) {
        self.clusterAddress = clusterAddress
        self.isPractice = isPractice
        self.isDryRun = isDryRun
    }
}
