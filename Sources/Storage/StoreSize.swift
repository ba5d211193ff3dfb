/// How much a store holds, as far as it is known.
package struct StoreSize: Sendable, Equatable {
    package var entries: Int?
    /// Directories above the entries.
    package var directories: Int?
    /// Bytes of keys and values.
    package var bytes: Int?

    package init(entries: Int? = nil, directories: Int? = nil, bytes: Int? = nil) {
        self.entries = entries
        self.directories = directories
        self.bytes = bytes
    }
}

/// What must be free on a file system for a store to be filled.
package struct RoomNeeded: Sendable, Equatable {
    /// A folder on that file system.
    package var folder: String
    package var bytes: Int
    /// Files and folders that will be made.
    package var files: Int

    package init(folder: String, bytes: Int, files: Int) {
        self.folder = folder
        self.bytes = bytes
        self.files = files
    }
}

extension Int {
    /// The sum, or the largest number if it is larger; for figures that come from outside and are not negative.
    package func clampedSum(_ other: Int) -> Int {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }

    /// The product, or the largest number if it is larger; for figures that come from outside and are not negative.
    package func clampedProduct(_ other: Int) -> Int {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? .max : product
    }
}
