/// What went wrong in a storage backend, where, and what to do next.
package struct StorageError: Error, Sendable, Equatable {
    /// What a caller can do differently. A new case only where some caller acts differently.
    package enum Code: String, Sendable, Equatable {
        /// The settings are wrong or incomplete.
        case configuration
        /// The store named does not exist.
        case missingStore
        /// The store is in use by a running server.
        case inUse
        /// The destination holds something already.
        case notEmpty
        /// One entry cannot be read; the store as a whole can.
        case damagedEntry
        /// The store's own structure contradicts itself.
        case damagedStore
        /// The entry does not fit this backend.
        case limit
        /// No room left on the device.
        case noSpace
        /// The operating system or a library refused.
        case io
        /// This backend cannot do that.
        case unsupported
        /// The caller asked to stop. Never a success.
        case cancelled
    }

    package let code: Code
    /// One or two sentences: what, where, why, what next.
    package let message: String
    /// The entry concerned, if one is.
    package let key: StorageKey?
    /// Where in the configuration the cause stands, for ``Code/configuration``.
    package let place: SettingPlace?

    /// Whether it befell the run's own files, not a store: a journal or scratch file in the state folder.
    package private(set) var concernsOwnFiles = false

    /// The same error as one of the run's own files.
    package var ofOwnFiles: StorageError {
        guard code != .cancelled else { return self }
        var copy = self
        copy.concernsOwnFiles = true
        return copy
    }

    package init(_ code: Code, _ message: String, key: StorageKey? = nil, place: SettingPlace? = nil) {
        self.code = code
        self.message = message
        self.key = key
        self.place = place
    }

    /// The error of a stage that was told to stop.
    package static let cancelled = StorageError(.cancelled, "stopped on request")
}

extension StorageError: CustomStringConvertible {
    package var description: String { message }
}
