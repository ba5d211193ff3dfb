package import Storage

/// Why a proof with key shares cannot be made.
package struct ProofFailure: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        /// Too few, wrong or impossible shares: others would do.
        case shares
        /// No shares open this store.
        case notShamir
        /// The store lacks what shares open, or it is damaged.
        case damaged
        /// The store could not be read.
        case store
        /// The system or its OpenSSL refuses.
        case system
    }

    package let code: Code
    /// What, where, and what next. Nothing of a share, a key or what was decrypted.
    package let message: String
    /// What the store said, for ``Code/store``.
    package let cause: StorageError?

    package init(_ code: Code, _ message: String, cause: StorageError? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String { message }

    init(_ error: StorageError) { self.init(.store, error.message, cause: error) }
}
