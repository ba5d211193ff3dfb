/// Messages about damage, kept out of the paths that read.
extension PageFile {
    @inline(never)
    func damaged(_ page: PageID, offset: Int? = nil, _ what: String) -> BoltError {
        var place = "page \(page)"
        if let offset {
            place += " (at byte \(offset))"
        } else if page < highWaterMark {
            place += " (at byte \(Int(page) * pageSize))"
        }
        return BoltError(
            .damaged, image.path, "\(place) \(what). The file is damaged: use an intact copy or a snapshot.", page: page
        )
    }

    @inline(never)
    func elementDamage(
        _ page: Page, _ index: Int, _ position: Int, _ keySize: Int, _ valueSize: Int, _ flags: UInt32
    ) -> BoltError {
        let elementOffset = Layout.pageHeaderSize + Layout.elementSize * index
        let place = offset(of: page) + elementOffset
        let what =
            if flags > Layout.bucketEntryFlag {
                "element \(index) has the unknown flags \(flags)"
            } else if keySize == 0 {
                "element \(index) has an empty key"
            } else if keySize > Layout.maxKeySize {
                "element \(index) has a key of \(keySize) bytes, above the limit of \(Layout.maxKeySize)"
            } else if position < Layout.elementSize * (page.count - index) {
                "element \(index) has its key inside the element array (position \(position))"
            } else {
                "element \(index) ends \(elementOffset + position + keySize + valueSize) bytes into a page"
                    + " of \(page.extent)"
            }
        return damaged(page.id, offset: place, what)
    }

    @inline(never)
    func orderDamage(_ page: Page, _ index: Int, _ key: Bytes, _ what: String) -> BoltError {
        let place = offset(of: page) + Layout.pageHeaderSize + Layout.elementSize * index
        return damaged(page.id, offset: place, "element \(index) has the key \(quoted(key.buffer)), which is \(what)")
    }

    @inline(never)
    func wrongKind(_ page: Page, _ key: Bytes, isBucket: Bool) -> BoltError {
        let (found, expected) = isBucket ? ("a bucket", "a plain value") : ("a plain value", "a bucket")
        return BoltError(
            .unsupported, image.path,
            "page \(page.id): the entry \(quoted(key.buffer)) is \(found) where \(expected) is expected."
                + " Check that this is the right file.",
            page: page.id)
    }

    func pageKind(_ flags: UInt16) -> String {
        switch flags {
        case Layout.metaFlag: "a meta page"
        case Layout.freeListFlag: "a free list page"
        default: "of the unknown type 0x\(String(flags, radix: 16))"
        }
    }
}
