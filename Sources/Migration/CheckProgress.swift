import Digest
import Files
import Glibc
package import Storage

/// How far a comparison of two stores in key order has come.
package struct CheckProgress: Sendable, Equatable {
    /// A key that was judged other than ``Verdict/same``.
    package struct Difference: Sendable, Equatable {
        package let verdict: Verdict
        package let key: StorageKey

        package init(verdict: Verdict, key: StorageKey) {
            self.verdict = verdict
            self.key = key
        }
    }

    /// All keys up to this one are judged.
    package var key: StorageKey
    package var counts = ComparisonCounts()
    package var differences: [Difference] = []

    package init(
        key: StorageKey, counts: ComparisonCounts = ComparisonCounts(), differences: [Difference] = []
    ) {
        self.key = key
        self.counts = counts
        self.differences = differences
    }
}

/// The file that remembers the progress of a comparison: text lines, the last of them the SHA-256 of those before it.
///
/// | Line | Holds |
/// | --- | --- |
/// | `sealift check progress 1` | |
/// | `comparison` | SHA-256 of what is compared, and how |
/// | `stores` | SHA-256 of what tells that a store was written to |
/// | `key` | the last key that was judged, escaped |
/// | `counts` | same, extra, missing, different, unreadable |
/// | `difference` | sign and key of each difference, in order |
/// | `sha256` | of all bytes before |
package struct CheckProgressFile: Sendable {
    private static let title = "sealift check progress 1"
    private static let mostBytes = 512 << 20

    /// What a file says at the beginning of a run.
    package enum Finding: Sendable, Equatable {
        case nothing
        case progress(CheckProgress)
        /// It is of the same comparison, but a store was written to since.
        case storesChanged
    }

    package let path: String
    private let head: [String]

    /// - Parameters:
    ///   - comparison: Whatever must be the same for a run that goes on.
    ///   - stores: What changes when a store is written to.
    package init(_ path: String, comparison: [String], stores: [String]) throws {
        self.path = path
        head = [
            Self.title, "comparison \(try Self.digest(Array(comparison.joined(separator: "\n").utf8)))",
            "stores \(try Self.digest(Array(stores.joined(separator: "\n").utf8)))",
        ]
    }

    private static func digest(_ bytes: [UInt8]) throws(DigestError) -> String {
        try bytes.withBytes { bytes throws(DigestError) in try SHA256Digest.of(bytes) }.hexadecimal
    }

    /// Reads the file.
    ///
    /// - Throws: `MigrationFailure` if it is anything but what ``save(_:)`` has written for the same comparison.
    package func load() throws -> Finding {
        try refuseForeign("\(path).new")
        guard let bytes = try read(path) else { return .nothing }
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        guard lines.popLast()?.isEmpty == true, let sum = lines.popLast(),
            sum.elementsEqual("sha256 \(try Self.digest(Array(bytes.dropLast(sum.count + 1))))".utf8),
            lines.count >= head.count + 2, lines[0].elementsEqual(Self.title.utf8)
        else { throw damaged(path) }
        guard lines[1].elementsEqual(head[1].utf8) else {
            throw MigrationFailure(
                .configuration,
                "\(path) is of another comparison: of other stores, other keys or other flags. Nothing was compared. Repeat the flags "
                    + "of the run that made it, or name another file with -resume.")
        }
        guard lines[2].elementsEqual(head[2].utf8) else { return .storesChanged }
        guard let progress = Self.progress(lines[3...]) else { throw damaged(path) }
        return .progress(progress)
    }

    private static func progress(_ lines: ArraySlice<ArraySlice<UInt8>>) -> CheckProgress? {
        func rest(_ line: ArraySlice<UInt8>, behind name: String) -> ArraySlice<UInt8>? {
            line.starts(with: Array("\(name) ".utf8)) ? line.dropFirst(name.utf8.count + 1) : nil
        }
        guard let first = lines.first, let text = rest(first, behind: "key"), let key = StorageKey(escaped: text),
            let numbers = lines.dropFirst().first.flatMap({ rest($0, behind: "counts") })
        else { return nil }
        var progress = CheckProgress(key: key)
        let counts = numbers.split(separator: UInt8(ascii: " "))
            .compactMap { Int(String(decoding: $0, as: UTF8.self)) }
        guard counts.count == 5, counts.allSatisfy({ $0 >= 0 }) else { return nil }
        progress.counts.same = counts[0]
        progress.counts.extra = counts[1]
        progress.counts.missing = counts[2]
        progress.counts.different = counts[3]
        progress.counts.unreadable = counts[4]
        for line in lines.dropFirst(2) {
            guard let text = rest(line, behind: "difference"),
                let verdict = text.first.flatMap(Verdict.init(rawValue:)),
                let key = StorageKey(escaped: text.dropFirst(2))
            else { return nil }
            progress.differences.append(CheckProgress.Difference(verdict: verdict, key: key))
        }
        return progress
    }

    /// Puts the file in place, whole or not at all, mode 0600.
    package func save(_ progress: CheckProgress) throws {
        let counts = progress.counts
        let numbers = [counts.same, counts.extra, counts.missing, counts.different, counts.unreadable]
        let lines =
            head + ["key \(progress.key)", "counts \(numbers.map(String.init).joined(separator: " "))"]
            + progress.differences.map { "difference \($0.verdict.sign) \($0.key)" }
        let bytes = Array((lines.joined(separator: "\n") + "\n").utf8)
        try replaceFile(path, bytes + Array("sha256 \(try Self.digest(bytes))\n".utf8))
    }

    /// Removes the file, if there is one.
    package func remove() { unlink(path) }

    /// Refuses what stands where the file is written to first, unless a save that was cut off has left it.
    private func refuseForeign(_ path: String) throws {
        guard let bytes = try read(path) else { return }
        let title = Array(Self.title.utf8)
        guard bytes.starts(with: title.prefix(bytes.count)) else { throw damaged(path) }
    }

    private func read(_ path: String) throws -> [UInt8]? {
        var info = stat()
        guard lstat(path, &info) == 0 else {
            guard errno == ENOENT else { throw StorageError.system("stat", path, errno: errno) }
            return nil
        }
        guard info.st_mode & S_IFMT == S_IFREG, info.st_size <= Self.mostBytes else { throw damaged(path) }
        return try readPrivateFile(path, atMost: Int(info.st_size), content: "the progress of a comparison")
    }

    private func damaged(_ path: String) -> MigrationFailure {
        MigrationFailure(
            .configuration,
            "\(path) is nothing that -resume has written, or is damaged. Nothing was compared. Name another file with -resume, or "
                + "remove this one and begin anew.")
    }
}
