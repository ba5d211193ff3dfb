/// A store in a container whose checksums the server's seal has sealed once more, as an archive of integrated storage is.
package protocol SealedSumsSource: StorageSource {
    /// The checksums as they stand there, which the content has been held against, and in their sealed form.
    ///
    /// - Returns: `sealed` is `nil` where there is none, as in what was written without the seal.
    /// - Throws: `.damagedStore` if the container is not whole.
    func checksums() throws(StorageError) -> (clear: [UInt8], sealed: [UInt8]?)
}
