package import Barrier
import Storage

/// The evidence of what a store holds: a text file, `<SHA-256 of the value, hex>  <escaped key>` a line, in key byte
/// order, behind header lines that begin with `#`.
///
/// The keyspace digest is the SHA-256 of all lines without the header, so that
/// `grep -v '^#' manifest.txt | sha256sum` gives it.
package enum Manifest {
    /// What the header says.
    package struct Header: Sendable {
        package var sourceKind: String
        /// RFC 3339.
        package var time: String
        package var entries: Int
        /// Bytes of keys and values.
        package var bytes: Int
        package var keyspaceDigest: String
        package var version: String
        /// Of a keyed manifest, by which its secret is known.
        package var keyCheck: String?

        package init(
            sourceKind: String, time: String, entries: Int, bytes: Int, keyspaceDigest: String, version: String
        ) {
            self.sourceKind = sourceKind
            self.time = time
            self.entries = entries
            self.bytes = bytes
            self.keyspaceDigest = keyspaceDigest
            self.version = version
        }

        /// The lines, each padded to a fixed width: the counts are known only when the entries are written, and then
        /// overwrite what was there.
        package var text: [UInt8] {
            let lines =
                (keyCheck.map(KeyedManifest.header) ?? ["sealift manifest 1"]) + [
                    "source: \(sourceKind)", "time: \(time)", "entries: \(entries)",
                    "bytes: \(bytes)", "keyspace digest: \(keyspaceDigest)", "sealift: \(version)",
                ]
            return lines.flatMap { line in
                let shown = Array("# \(line)".utf8.prefix(Self.width))
                return shown + [UInt8](repeating: UInt8(ascii: " "), count: Self.width - shown.count)
                    + [UInt8(ascii: "\n")]
            }
        }

        private static let width = 96
    }
}

/// Running totals of entries seen in key order.
package struct KeyspaceTotals: Sendable {
    package var entries = 0
    /// Bytes of keys.
    package var keyBytes = 0
    /// Bytes of values.
    package var valueBytes = 0
    /// Key and value bytes of the largest entry.
    package var largestEntry = 0
    package var prefixes: [PrefixTally] = []
    /// Counts by key term; `nil` if a batch came without values.
    package var keyTerms: KeyTermTally? = KeyTermTally()

    package init() {}

    /// Bytes of keys and values.
    package var bytes: Int { keyBytes + valueBytes }

    /// Counts a batch.
    package mutating func add(_ batch: DigestedBatch) {
        entries += batch.count
        keyBytes += batch.keyBytes
        valueBytes += batch.valueBytes
        largestEntry = max(largestEntry, batch.largestEntry)
        PrefixTally.merge(batch.tally, into: &prefixes)
        if let terms = batch.keyTerms { keyTerms?.add(terms) } else { keyTerms = nil }
    }
}
