import Storage

/// What became of one key in a comparison; the signs are rclone's.
package enum Verdict: UInt8, Sendable, CaseIterable {
    case same = 0x3d  // =
    /// Only at the destination.
    case extra = 0x2b  // +
    /// Missing at the destination.
    case missing = 0x2d  // -
    case different = 0x2a  // *
    /// Could not be read on one side.
    case unreadable = 0x21  // !

    /// The sign in combined reports.
    package var sign: String { String(UnicodeScalar(rawValue)) }
}

/// Counts of a comparison.
package struct ComparisonCounts: Sendable, Equatable {
    package var same = 0
    package var extra = 0
    package var missing = 0
    package var different = 0
    package var unreadable = 0

    package init() {}

    /// Keys that were judged.
    package var total: Int { same + extra + missing + different + unreadable }

    package var isAllSame: Bool { extra == 0 && missing == 0 && different == 0 && unreadable == 0 }

    /// The sum of two counts.
    func adding(_ other: ComparisonCounts) -> ComparisonCounts {
        var sum = self
        sum.same += other.same
        sum.extra += other.extra
        sum.missing += other.missing
        sum.different += other.different
        sum.unreadable += other.unreadable
        return sum
    }

    mutating func count(_ verdict: Verdict) {
        switch verdict {
        case .same: same += 1
        case .extra: extra += 1
        case .missing: missing += 1
        case .different: different += 1
        case .unreadable: unreadable += 1
        }
    }
}

/// Walks two key-ordered sources in step and judges every key.
package struct Comparison {
    private let source: any DigestSource
    private let destination: any DigestSource

    package init(source: any DigestSource, destination: any DigestSource) {
        self.source = source
        self.destination = destination
    }

    /// Runs to the end of both sides.
    ///
    /// - Parameters:
    ///   - verdict: Asked to amend a verdict other than ``Verdict/same``, for keys known to be unreadable.
    ///   - report: Told of every key by its name, in key order.
    package func run(
        amend: (Verdict, UnsafeRawBufferPointer) -> Verdict = { verdict, _ in verdict },
        report: (Verdict, UnsafeRawBufferPointer) throws -> Void = { _, _ in }
    ) throws -> ComparisonCounts {
        var counts = ComparisonCounts()
        var left = try Cursor(source)
        var right = try Cursor(destination)
        while !left.isAtEnd || !right.isAtEnd {
            let order = left.isAtEnd ? 1 : right.isAtEnd ? -1 : compareBytes(left.key, right.key)
            var verdict: Verdict =
                order < 0
                ? .missing
                : order > 0
                    ? .extra
                    : compareBytes(left.digest, right.digest) == 0 ? .same : .different
            let name = order >= 0 ? right.name : left.name
            if verdict != .same { verdict = amend(verdict, name) }
            counts.count(verdict)
            try report(verdict, name)
            if order <= 0 { try left.advance() }
            if order >= 0 { try right.advance() }
        }
        return counts
    }

    private struct Cursor {
        private let source: any DigestSource
        private var page: (any DigestPage)?
        private var index = 0
        private var count = 0
        private(set) var key = UnsafeRawBufferPointer(start: nil, count: 0)
        private(set) var digest = UnsafeRawBufferPointer(start: nil, count: 0)

        init(_ source: any DigestSource) throws {
            self.source = source
            try turn()
        }

        var isAtEnd: Bool { page == nil }

        /// What the entry at hand is called in reports.
        var name: UnsafeRawBufferPointer { page?.name(index) ?? key }

        mutating func advance() throws {
            index += 1
            if index < count {
                read()
            } else {
                try turn()
            }
        }

        private mutating func turn() throws {
            page?.recycle()
            page = nil
            page = try source.next()
            index = 0
            count = page?.count ?? 0
            read()
        }

        private mutating func read() {
            guard let page, index < count else { return }
            key = page.key(index)
            digest = page.digest(index)
        }
    }
}
