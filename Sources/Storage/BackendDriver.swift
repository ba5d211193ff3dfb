/// How a kind of storage backend is configured and opened; one per kind, listed in the command's registry.
package struct BackendDriver: Sendable {
    /// The type name in configuration files, lower case.
    package let kind: String
    /// One sentence for the help.
    package let summary: String
    /// Every option the block may have.
    package let options: [BackendOption]
    /// Whether a destination is built whole and put in place when it is proven, so that nothing is ever added to it.
    package let isBuiltWhole: Bool
    /// Opens the store. A source that is not there is an error and is never created.
    package let open: @Sendable (BackendSettings, OpenPurpose) throws(StorageError) -> any StorageBackend

    package init(
        kind: String, summary: String, options: [BackendOption], isBuiltWhole: Bool = false,
        open: @escaping @Sendable (BackendSettings, OpenPurpose) throws(StorageError) -> any StorageBackend
    ) {
        self.kind = kind
        self.summary = summary
        self.options = options
        self.isBuiltWhole = isBuiltWhole
        self.open = open
    }
}

/// What a store is opened for.
package enum OpenPurpose: Sendable {
    /// Read it; with `writesMarker` also set and clear the migration marker.
    case source(writesMarker: Bool)
    /// Fill it.
    case destination(DestinationContext)
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
