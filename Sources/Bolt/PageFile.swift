import Wording

/// A file whose meta page has been read: hands out checked pages and elements.
///
/// Everything here treats the bytes as foreign: a count, offset or page number is compared with its limit before it is
/// used, and whatever does not fit becomes a `BoltError` that names page, file offset and element.
final class PageFile: Sendable {
    let image: FileImage
    let pageSize: Int
    let highWaterMark: PageID

    init(image: FileImage, pageSize: Int, highWaterMark: PageID) {
        self.image = image
        self.pageSize = pageSize
        self.highWaterMark = highWaterMark
    }

    /// Reads the header of a branch or leaf page and checks it against its place.
    ///
    /// - Parameter parent: The page that points here, for the message; nil for the root of a tree.
    func page(_ id: PageID, parent: PageID?) throws(BoltError) -> Page {
        guard id >= 2, id < highWaterMark else {
            throw damaged(parent ?? id, "points to page \(id), but tree pages lie between 2 and \(highWaterMark - 1)")
        }
        guard id != parent else { throw damaged(id, "points to itself") }
        // Opening proved that highWaterMark * pageSize bytes exist, so neither this nor the extent can overflow.
        let start = image.base + Int(id) * pageSize
        let found = start.u64(0)
        guard found == id else {
            throw damaged(
                id, "has the number \(found) in its header" + (parent.map { " (page \($0) points here)" } ?? ""))
        }
        let flags = start.u16(8)
        guard flags == Layout.branchFlag || flags == Layout.leafFlag else {
            throw damaged(id, "is \(pageKind(flags)) where a branch or leaf page is expected")
        }
        let overflow = UInt64(start.u32(12))
        guard overflow <= highWaterMark - id - 1 else {
            throw damaged(
                id,
                "claims \(overflow) overflow \(plural(overflow, "page")), beyond the \(highWaterMark) pages of the file"
            )
        }
        let page = Page(
            base: start, extent: (Int(overflow) + 1) * pageSize, count: Int(start.u16(10)),
            isLeaf: flags == Layout.leafFlag, id: id, isInline: false)
        try checkCount(page)
        return page
    }

    /// The page image of an inline bucket: `length` bytes at `offset` in the file, inside page `holder`.
    func inlinePage(offset: Int, length: Int, holder: PageID) throws(BoltError) -> Page {
        let start = image.base + offset
        guard length >= Layout.pageHeaderSize, start.u16(8) == Layout.leafFlag, start.u32(12) == 0 else {
            throw damaged(holder, offset: offset, "holds an inline bucket that is not a plain leaf page")
        }
        let page = Page(
            base: start, extent: length, count: Int(start.u16(10)), isLeaf: true, id: holder, isInline: true)
        try checkCount(page)
        return page
    }

    /// Element `index` of a leaf; `index` is below the page's count.
    @inline(__always)
    func leafElement(_ page: Page, _ index: Int) throws(BoltError) -> LeafElement {
        let offset = Layout.pageHeaderSize &+ Layout.elementSize &* index
        let element = page.base + offset
        let position = Int(element.u32(4))
        let keySize = Int(element.u32(8))
        let valueSize = Int(element.u32(12))
        let flags = element.u32(0)
        // Three 32-bit numbers and an offset below 2^48: the sums cannot overflow.
        guard position >= Layout.elementSize &* (page.count &- index), keySize >= 1, keySize <= Layout.maxKeySize,
            offset &+ position &+ keySize &+ valueSize <= page.extent, flags <= Layout.bucketEntryFlag
        else { throw elementDamage(page, index, position, keySize, valueSize, flags) }
        let key = element + position
        return LeafElement(
            key: Bytes(key, keySize), value: Bytes(key + keySize, valueSize),
            isBucket: flags == Layout.bucketEntryFlag)
    }

    /// Element `index` of a branch; `index` is below the page's count.
    @inline(__always)
    func branchElement(_ page: Page, _ index: Int) throws(BoltError) -> BranchElement {
        let offset = Layout.pageHeaderSize &+ Layout.elementSize &* index
        let element = page.base + offset
        let position = Int(element.u32(0))
        let keySize = Int(element.u32(4))
        guard position >= Layout.elementSize &* (page.count &- index), keySize >= 1, keySize <= Layout.maxKeySize,
            offset &+ position &+ keySize <= page.extent
        else { throw elementDamage(page, index, position, keySize, 0, 0) }
        return BranchElement(key: Bytes(element + position, keySize), child: element.u64(8))
    }

    @inline(__always)
    func key(_ page: Page, _ index: Int) throws(BoltError) -> Bytes {
        page.isLeaf ? try leafElement(page, index).key : try branchElement(page, index).key
    }

    func offset(of page: Page) -> Int { page.base - image.base }

    private func checkCount(_ page: Page) throws(BoltError) {
        let room = (page.extent - Layout.pageHeaderSize) / Layout.elementSize
        guard page.count <= room else {
            throw damaged(
                page.id, offset: offset(of: page),
                "claims \(page.count) \(plural(page.count, "element")), but its \(page.extent) bytes have room for "
                    + "\(room)"
            )
        }
        guard page.isLeaf || page.count > 0 else { throw damaged(page.id, "is a branch page without children") }
    }
}

/// A page whose header has been checked. Borrowed: valid while the `PageFile` it came from lives.
struct Page {
    /// The first byte of the header; not aligned for an inline bucket.
    let base: UnsafeRawPointer
    /// Bytes that belong to the page, overflow pages included.
    let extent: Int
    let count: Int
    let isLeaf: Bool
    /// Its number; for an inline bucket that of the page that holds it.
    let id: PageID
    let isInline: Bool
}

struct LeafElement {
    let key: Bytes
    let value: Bytes
    let isBucket: Bool
}

struct BranchElement {
    let key: Bytes
    let child: PageID
}
