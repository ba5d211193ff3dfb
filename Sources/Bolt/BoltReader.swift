package import Glibc

/// A bbolt file, opened for reading through a memory map and guarded by bbolt's own shared lock.
///
/// The meta page, the root and every page met later are checked before they are believed: damaged or hostile bytes
/// give a `BoltError`, never a trap, an endless loop or memory in proportion to a claimed size. Programs that honour
/// the lock cannot change the file meanwhile; one that ignores it and shortens the file or writes to it, or a disk that
/// fails, ends every operation with a `BoltError` as well.
package final class BoltReader: Sendable {
    /// Bytes a page.
    package let pageSize: Int
    /// The first page number never allocated; pages from here on mean nothing.
    package let highWaterMark: PageID
    /// The transaction that wrote the state being read.
    package let txID: UInt64
    /// False if the file was written with bbolt's option "no freelist sync", as Vault and OpenBao do.
    package var freeListIsPersisted: Bool { freeList != nil }
    /// Bytes in the file when it was opened; may exceed `highWaterMark * pageSize`.
    package let fileSize: Int
    /// Sentences for the user about what was odd but harmless, such as the use of the older meta page.
    package let notes: [String]

    let file: PageFile
    let root: BoltBucket
    /// The page of the persisted free list.
    let freeList: PageID?

    /// Opens the file and takes the shared lock, which is held until `close` or until the last bucket is let go.
    ///
    /// - Throws: `.notFound`; `.inUse` if another process holds the exclusive lock; `.truncated` if the file is
    ///   shorter than its meta page says; `.unsupported` for directories, other byte orders and versions; `.damaged`
    ///   if no meta page is valid or the valid one contradicts itself; `.io`.
    ///
    /// - Parameter isSettled: Whether the file's writer is long done. `false` for a file that this process may still be
    ///   making durable, whose time of the last write may then change.
    package convenience init(path: String, isSettled: Bool = true) throws(BoltError) {
        try self.init(FileImage(path: path, isSettled: isSettled))
    }

    /// Reads a copy of `image` instead of a file.
    convenience init(image: [UInt8], name: String) throws(BoltError) {
        try self.init(FileImage(image: image, name: name))
    }

    private init(_ image: FileImage) throws(BoltError) {
        let live = try image.trustingFile { () throws(BoltError) in try LiveMeta(image) }
        pageSize = live.meta.pageSize
        highWaterMark = live.meta.highWaterMark
        txID = live.meta.txID
        freeList = live.meta.freeList == Layout.noFreeList ? nil : live.meta.freeList
        fileSize = image.size
        notes = live.notes
        file = PageFile(image: image, pageSize: pageSize, highWaterMark: highWaterMark)
        root = BoltBucket(file: file, root: .page(live.meta.root), sequence: 0, nesting: 0)
        let pages = file
        _ = try image.trustingFile { () throws(BoltError) in try pages.page(live.meta.root, parent: nil) }
    }

    /// The names of the top-level buckets in ascending order.
    ///
    /// - Throws: `.damaged`; `.unsupported` if a plain value stands among the buckets; `.invalidInput` after `close`.
    package func bucketNames() throws(BoltError) -> [[UInt8]] {
        try root.bucketNames(refusingValues: true)
    }

    /// The top-level bucket of that name, or nil. The bucket keeps the file mapped as long as it lives.
    ///
    /// - Throws: As `bucketNames`.
    package func bucket(_ name: [UInt8]) throws(BoltError) -> BoltBucket? {
        try root.bucket(name)
    }

    /// What the system says of the open file, wherever its name leads by now; `nil` after ``close()``.
    package func currentStatus() -> stat? { file.image.currentStatus() }

    /// Gives back lock and resident pages; every later operation on the reader and its buckets throws
    /// `.invalidInput`. May be called repeatedly and from any thread, also while others read: those finish unharmed,
    /// but without the lock.
    package func close() {
        file.image.close()
    }

    /// Gives back the mapped pages, which count as resident memory of the process, to the page cache. Harmless while
    /// others read. Scans do it by themselves every 32 MiB.
    package func releaseResidentPages() {
        file.image.releaseAll()
    }
}
