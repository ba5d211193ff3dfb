import Wording

extension BoltBucket {
    /// Descends to the entry with this key. The pages on the way are checked whole, so that disorder is reported
    /// instead of hiding an entry.
    func find(_ key: Bytes) throws(BoltError) -> (Page, LeafElement)? {
        try file.image.requireOpen()
        var meter = TouchMeter()
        defer { meter.report(file) }
        var page = try topPage()
        var window = Window()
        for _ in 0..<Layout.maxTreeDepth {
            if !page.isInline { meter.touch(page, file) }
            try file.checkOrder(page, window)
            if page.isLeaf {
                let index = try file.lowerBound(page, key)
                guard index < page.count else { return nil }
                let element = try file.leafElement(page, index)
                return order(element.key, key) == 0 ? (page, element) : nil
            }
            let index = try file.childIndex(page, key)
            window = try file.window(page, index, within: window)
            page = try file.page(try file.branchElement(page, index).child, parent: page.id)
        }
        throw file.damaged(page.id, "lies deeper than \(Layout.maxTreeDepth) levels")
    }

    /// Reads the bucket header (bbolt 1.3, bucket.go: type bucket) that is the value of a bucket entry.
    func open(_ value: Bytes, in page: Page, name: Bytes) throws(BoltError) -> BoltBucket {
        func refuse(_ what: String) -> BoltError {
            file.damaged(page.id, "holds the bucket \(quoted(name.buffer)), \(what)")
        }
        guard nesting < Layout.maxBucketNesting else {
            throw refuse("nested deeper than \(Layout.maxBucketNesting) levels")
        }
        guard !page.isInline else { throw refuse("which stands inside an inline bucket") }
        guard value.count >= Layout.bucketHeaderSize else {
            throw refuse(
                "whose header has \(value.count) \(plural(value.count, "byte")) instead of \(Layout.bucketHeaderSize)")
        }
        let rootPage = value.start.u64(0)
        let sequence = value.start.u64(8)
        let root: Root
        if rootPage != 0 {
            _ = try file.page(rootPage, parent: page.id)
            root = .page(rootPage)
        } else {
            let image = value.start + Layout.bucketHeaderSize
            let offset = image - file.image.base
            let length = value.count - Layout.bucketHeaderSize
            _ = try file.inlinePage(offset: offset, length: length, holder: page.id)
            root = .inline(offset: offset, length: length, holder: page.id)
        }
        return BoltBucket(file: file, root: root, sequence: sequence, nesting: nesting + 1)
    }
}
