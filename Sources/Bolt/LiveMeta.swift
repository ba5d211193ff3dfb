import Wording

/// Finds the meta page that describes the current state, as bbolt does at open (bbolt 1.3, db.go: getPageSize, meta).
struct LiveMeta {
    let meta: MetaPage
    /// What to tell the user about the other meta page.
    let notes: [String]

    /// - Throws: `.damaged`, `.truncated`, `.unsupported`.
    init(_ image: FileImage) throws(BoltError) {
        let candidates = Self.candidates(image)
        let valid = candidates.compactMap { try? $0.result.get() }
        // The first wins a tie, and with a tie the first is meta 0.
        guard var live = valid.first else { throw Self.noValidMeta(image, candidates) }
        for other in valid.dropFirst() where other.txID > live.txID {
            live = other
        }
        try Self.check(live, image)
        meta = live
        notes = candidates.enumerated().compactMap { number, candidate in
            guard case .failure(let refusal) = candidate.result else { return nil }
            return "\(image.path): meta page \(number) \(refusal.text). The other one is used, with the state of"
                + " transaction \(live.txID)."
        }
    }

    private struct Candidate {
        var offset: Int
        var result: Result<MetaPage, MetaPage.Refusal>
    }

    /// Meta 0 and meta 1. Where the second lies follows from the page size in the first; if the first is unusable,
    /// every possible page size is tried.
    private static func candidates(_ image: FileImage) -> [Candidate] {
        let first = Candidate(offset: 0, result: MetaPage.read(image.base, number: 0))
        if case .success(let meta) = first.result {
            guard let second = second(image, meta.pageSize) else { return [first] }
            return [first, second]
        }
        var best: Candidate?
        var size = Layout.minPageSize
        while size <= Layout.maxPageSize, let second = second(image, size) {
            if case .success = second.result { return [first, second] }
            if second.result != .failure(.noMagic), best == nil { best = second }
            size *= 2
        }
        return [first, best ?? Candidate(offset: Layout.minPageSize, result: .failure(.noMagic))]
    }

    private static func second(_ image: FileImage, _ pageSize: Int) -> Candidate? {
        guard pageSize + Layout.metaEnd <= image.size else { return nil }
        let result = MetaPage.read(image.base + pageSize, number: 1).flatMap { meta in
            meta.pageSize == pageSize ? .success(meta) : .failure(.pageSize(UInt32(meta.pageSize)))
        }
        return Candidate(offset: pageSize, result: result)
    }

    private static func noValidMeta(_ image: FileImage, _ candidates: [Candidate]) -> BoltError {
        let refusals = candidates.map { candidate -> MetaPage.Refusal in
            if case .failure(let refusal) = candidate.result { return refusal }
            return .noMagic
        }
        if refusals.contains(.bigEndian) {
            return BoltError(
                .unsupported, image.path, "this file was written by a big-endian computer. Copy the data there.",
                page: 0)
        }
        for case .version(let number) in refusals {
            return BoltError(
                .unsupported, image.path, "this file has format version \(number); only version 2 is read.", page: 0)
        }
        if refusals.allSatisfy({ $0 == .noMagic }) {
            return BoltError(
                .damaged, image.path,
                "this is not a bbolt file: neither page 0 nor page 1 is a meta page. Check that it is the right file.",
                page: 0)
        }
        let reasons = zip(candidates, refusals).enumerated()
            .map { "meta page \($0) (at byte \($1.0.offset)) \($1.1.text)" }
        return BoltError(
            .damaged, image.path,
            reasons.joined(separator: ", ") + ". The file is damaged: use an intact copy or a snapshot.", page: 0)
    }

    /// A meta with the right checksum whose fields are out of range is corruption, not an interrupted commit: there
    /// is no falling back from it.
    private static func check(_ meta: MetaPage, _ image: FileImage) throws(BoltError) {
        let advice = "The file is damaged: use an intact copy or a snapshot."
        func refuse(_ what: String) -> BoltError {
            BoltError(.damaged, image.path, "the meta page of transaction \(meta.txID) \(what). \(advice)", page: 0)
        }
        let (bytes, overflow) = meta.highWaterMark.multipliedReportingOverflow(by: UInt64(meta.pageSize))
        guard !overflow, bytes <= UInt64(image.size) else {
            throw BoltError(
                .truncated, image.path,
                "the file has \(image.size) bytes, but its \(meta.highWaterMark) "
                    + plural(meta.highWaterMark, "page") + " of \(meta.pageSize) bytes "
                    + plural(meta.highWaterMark, "needs", "need")
                    + " \(overflow ? "more than 2^64" : String(bytes)). It was cut off:"
                    + " use an intact copy or a snapshot."
            )
        }
        guard meta.highWaterMark >= 3 else {
            throw refuse("claims only \(meta.highWaterMark) \(plural(meta.highWaterMark, "page"))")
        }
        guard meta.root >= 2, meta.root < meta.highWaterMark else {
            throw refuse("names page \(meta.root) as root, outside 2 … \(meta.highWaterMark - 1)")
        }
        let isListed = meta.freeList >= 2 && meta.freeList < meta.highWaterMark
        guard isListed || meta.freeList == Layout.noFreeList else {
            throw refuse("names page \(meta.freeList) as free list, outside 2 … \(meta.highWaterMark - 1)")
        }
    }
}
