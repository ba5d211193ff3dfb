import Digest
import Flags
import Migration
import Storage
import Telemetry

extension Check {
    static let sampleFlags: [FlagSpec] = [
        .string(
            "sample", placeholder: "share",
            help:
                "Compare only this share of the keys, such as 0.5%, chosen by their hashes. The result says that it is a "
                + "sample."),
        .string(
            "sample-seed", placeholder: "text",
            help:
                "Choose the sample of an earlier run again; its result names the seed. By default every run has a seed of "
                + "its own."),
    ]

    /// What of the stores is to be compared.
    static func scope(_ flags: ParsedFlags) throws -> KeyScope {
        KeyScope(
            start: try CommonFlags.start(flags), prefix: try CommonFlags.key(flags, "prefix"),
            included: try CommonFlags.prefixes(flags, "include"), excluded: try CommonFlags.prefixes(flags, "exclude"),
            sample: try sample(flags))
    }

    private static func sample(_ flags: ParsedFlags) throws -> KeySample? {
        let (share, seed) = (flags.string("sample"), flags.string("sample-seed"))
        guard flags.isSet("sample") else {
            guard !flags.isSet("sample-seed") else {
                throw MigrationFailure(.configuration, "-sample-seed goes with -sample.")
            }
            return nil
        }
        guard !flags.isSet("sample-seed") || !seed.isEmpty else {
            throw MigrationFailure(.configuration, "-sample-seed is empty. Leave it out for a seed of this run's own.")
        }
        let used = seed.isEmpty ? String(try randomUUID().prefix(8)) : seed
        guard let sample = KeySample(share: share, seed: used) else {
            throw MigrationFailure(
                .configuration,
                "-sample is a share above 0% and below 100%, with at most six digits behind the point, such as 5% or 0.01%; "
                    + "without it all is compared.")
        }
        return sample
    }

    /// Why nothing was compared, if that is no result.
    static func emptiness(_ scope: KeyScope, isManifest: Bool) -> String? {
        if let sample = scope.sample {
            return "no entry is in the sample of \(sample.share), so that nothing was compared. Name a larger -sample."
        }
        guard scope.start == nil else { return nil }
        return scope.prefix.map { "no entry begins with \($0), so that nothing was compared. Check -prefix." }
            ?? "neither \(isManifest ? "manifest nor store" : "store") holds an entry, so that nothing was compared. Check paths and options."
    }

    /// Says that a result is one of a part; empty if it is not.
    static func partText(_ scope: KeyScope, _ counts: ComparisonCounts) -> String {
        let parts = [
            scope.start.map { "at or behind \($0)" }, scope.prefix.map { "that begin with \($0)" },
            scope.isSelection ? "that -include and -exclude select" : nil,
        ].compactMap { $0 }
        let part =
            parts.isEmpty ? "" : "\nThis is a part: only keys \(parts.joined(separator: " and ")) were compared."
        guard let sample = scope.sample else { return part }
        let entries = counted(counts.total, "entry was", "entries were")
        return part
            + "\nThis is a sample: \(sample.share) of the keys, chosen by their hashes; \(entries) compared, and the "
            + "others were not. -sample-seed \(sample.seed) takes the same keys again."
    }

    /// The same for programs.
    static func partMembers(_ scope: KeyScope, _ counts: ComparisonCounts) -> [(String, JSONText)] {
        var part: [(String, JSONText)] = []
        if let start = scope.start { part.append(("start", .string("\(start)"))) }
        for (name, prefixes) in [("include", scope.included), ("exclude", scope.excluded)] where !prefixes.isEmpty {
            part.append((name, .array(prefixes.map { .string("\($0)") })))
        }
        if let prefix = scope.prefix { part.append(("prefix", .string("\(prefix)"))) }
        if let sample = scope.sample {
            part.append(
                (
                    "sample",
                    .object([
                        ("share", .string(sample.share)), ("seed", .string(sample.seed)),
                        ("compared", .integer(counts.total)),
                    ])
                ))
        }
        return part
    }
}
