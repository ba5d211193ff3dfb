import Glibc
import Storage

/// Holds a store against a manifest: as long as their lines are the same bytes, that is all the work there is; from the
/// first difference on, key by key.
struct ManifestComparison {
    private let path: String
    private let scan: any LinedDigestSource

    /// - Parameter scan: The store, giving manifest lines.
    init(manifest path: String, scan: any LinedDigestSource) {
        self.path = path
        self.scan = scan
    }

    /// Runs to the end of both sides.
    ///
    /// - Parameter report: Told of every key that is not the same.
    func run(report: (Verdict, UnsafeRawBufferPointer) throws -> Void) throws -> ComparisonCounts {
        let manifest = try ManifestReader(path: path)
        var counts = ComparisonCounts()
        while let batch = try scan.nextBatch() {
            guard try manifest.skip(batch.manifestLines) else {
                let rest = try Comparison(source: manifest, destination: Resumed(batch, scan)).run(report: {
                    if $0 != .same { try report($0, $1) }
                })
                return counts.adding(rest)
            }
            counts.same += batch.count
            batch.recycle()
        }
        let rest = try Comparison(source: manifest, destination: Resumed(nil, scan)).run(report: report)
        return counts.adding(rest)
    }

    /// A scan with a batch put back in front.
    private final class Resumed: DigestSource {
        private var first: DigestedBatch?
        private let scan: any LinedDigestSource

        init(_ first: DigestedBatch?, _ scan: any LinedDigestSource) {
            self.first = first
            self.scan = scan
        }

        func next() throws -> (any DigestPage)? {
            if let batch = first {
                first = nil
                return batch
            }
            return try scan.nextBatch()
        }

        func stop() { scan.stop() }
    }
}

/// A source whose batches carry manifest lines.
protocol LinedDigestSource: DigestSource {
    /// The next batch, never an empty one; `nil` at the end.
    func nextBatch() throws -> DigestedBatch?
}

extension DigestedScan: LinedDigestSource {}
