import Barrier
import Storage
package import Telemetry

extension MigrationSummary {
    /// What the run did, for programs: the members of the result event, and with the run's outcome of `report.json`. Names
    /// are in snake case, sizes in bytes, durations in seconds. No values, no credentials.
    package var members: [(String, JSONText)] {
        about + measures + findings + outcome + [("progress", progress)]
    }

    private var about: [(String, JSONText)] {
        [
            ("mode", .string(mode.rawValue)), ("final", .boolean(isFinal)), ("pass", pass.map(Self.members) ?? .null),
            ("repaired", repaired.map(Self.members) ?? .null),
            ("dry_run", .boolean(isDryRun)), ("continued", .boolean(isContinuation)), ("repeated", .boolean(isRepeat)),
            ("partial", .boolean(!scope.isWhole)), ("start", .optional(scope.start.map { "\($0)" })),
            ("include", .array(scope.included.map { .string("\($0)") })),
            ("exclude", .array(scope.excluded.map { .string("\($0)") })),
            ("source", .object([("kind", .string(sourceKind)), ("location", .string(sourceLocation))])),
            ("destinations", .array(destinations.map(Self.members))),
        ]
    }

    private var measures: [(String, JSONText)] {
        [
            ("entries", .integer(totals.entries)), ("key_bytes", .integer(totals.keyBytes)),
            ("value_bytes", .integer(totals.valueBytes)), ("largest_entry_bytes", .integer(totals.largestEntry)),
            ("seconds", .double(seconds)), ("copy_seconds", .double(copySeconds)),
            ("entries_per_second", .double(seconds > 0 ? Double(totals.entries) / seconds : 0)),
            ("proven", .integer(destinations.map(\.comparison.same).min() ?? 0)),
            ("keyspace_digest", .string(keyspaceDigest)),
            (
                "prefixes",
                .array(
                    totals.prefixes.map { tally in
                        .object([
                            ("prefix", Self.key(tally.prefix)), ("entries", .integer(tally.entries)),
                            ("bytes", .integer(tally.bytes)),
                        ])
                    })
            ),
            ("key_terms", totals.keyTerms.map(Self.members) ?? .null),
        ]
    }

    private var findings: [(String, JSONText)] {
        func counts(_ counts: [(String, Int)]) -> JSONText { .object(counts.map { ($0.0, .integer($0.1)) }) }
        return [
            ("left_out", counts(leftOut.sorted { $0.key < $1.key })),
            (
                "found",
                counts(ScanNote.Reason.allCases.compactMap { reason in notes[reason].map { (reason.rawValue, $0) } })
            ),
            (
                "found_examples",
                .array(
                    noteExamples.map {
                        .object([("reason", .string($0.reason.rawValue)), ("place", .string($0.place))])
                    })
            ),
            ("lost_entries", .array(lost.lines.sorted().prefix(1000).map(JSONText.string))),
            ("lost_entry_count", .integer(lost.count)), ("lost_entries_list", .optional(lostPath)),
            ("foreign_folders", .array(foreignPrefixes.map { Self.key($0.prefix) })),
            ("unlisted_entries", .optional(unlistedPath)), ("entries_read_before", .integer(entriesReadBefore)),
            (
                "source_backup",
                sourceBackup.map {
                    .object([("name", .string($0.name)), ("resource_name", .string($0.resourceName))])
                } ?? .null
            ),
            ("source_service", Self.members(sourceActivity)), ("remarks", .array(remarks.map(JSONText.string))),
        ]
    }

    private var outcome: [(String, JSONText)] {
        [
            ("seal", seal.map { .object($0.members) } ?? .null), ("configuration", .optional(configurationPath)),
            ("manifest", .optional(manifestPath)), ("manifest_signature", .optional(manifestSignaturePath)),
            ("keyed_manifest", .optional(keyedManifestPath)),
            ("keyed_manifest_signature", .optional(keyedManifestSignaturePath)), ("report", .optional(reportPath)),
            ("report_signature", .optional(reportSignaturePath)), ("report_page", .optional(pagePath)),
            ("share_proof", proof?.members ?? .null), ("seal_upgrade", sealUpgrade.map(Self.members) ?? .null),
            ("raft_tls_generated", .boolean(hasMadeKeyRing)),
        ]
    }

    private static func members(_ changes: EntryChanges) -> JSONText {
        .object([
            ("added", .integer(changes.added)), ("changed", .integer(changes.changed)),
            ("removed", .integer(changes.removed)),
        ])
    }

    private static func members(_ pass: PassOutcome) -> JSONText {
        .object([
            ("number", .integer(pass.number)), ("previous_end", .optional(pass.previousEnd)),
            ("changes", pass.changes.map(members) ?? .null),
            ("final_seconds", pass.finalSeconds.map(JSONText.double) ?? .null),
            ("outage_seconds", pass.outageSeconds.map(JSONText.double) ?? .null),
        ])
    }

    private var progress: JSONText {
        .object([
            (
                "phases",
                .array(
                    phases.map { sum in
                        .object([
                            ("phase", .string(sum.phase.name)), ("seconds", .double(Self.rounded(sum.seconds))),
                            ("entries", .integer(sum.entries)), ("bytes", .integer(sum.bytes)),
                        ])
                    })
            ),
            (
                "samples",
                .array(
                    samples.map { sample in
                        .object([
                            ("seconds", .double(Self.rounded(sample.seconds))), ("phase", .string(sample.phase.name)),
                            ("entries", .integer(sample.entries)), ("bytes", .integer(sample.bytes)),
                            ("retries", .integer(sample.retries)), ("throttles", .integer(sample.throttles)),
                        ])
                    })
            ),
        ])
    }

    /// Whole milliseconds.
    private static func rounded(_ seconds: Double) -> Double { (seconds * 1000).rounded() / 1000 }

    private static func key(_ bytes: [UInt8]) -> JSONText { .string(bytes.withUnsafeBytes { escapedKey($0) }) }

    private static func members(_ destination: DestinationOutcome) -> JSONText {
        let (comparison, guide) = (destination.comparison, destination.guide)
        return .object([
            ("kind", .string(destination.kind)), ("location", .string(destination.location)),
            (
                "comparison",
                .object([
                    ("same", .integer(comparison.same)), ("missing", .integer(comparison.missing)),
                    ("different", .integer(comparison.different)), ("extra", .integer(comparison.extra)),
                    ("unreadable", .integer(comparison.unreadable)),
                ])
            ),
            ("read_back", .optional(destination.readBack?.rawValue)),
            ("copy_of", .optional(destination.original)),
            ("copies", .array(destination.copies.map(members))), ("service", members(destination.activity)),
            ("server_stanza", guide.map { .array($0.stanza.map(JSONText.string)) } ?? .null),
            ("next_steps", guide.map { .array($0.steps.map(JSONText.string)) } ?? .null),
        ])
    }

    private static func members(_ copy: CopyProof) -> JSONText {
        .object([
            ("id", .string(copy.id)), ("address", .string(copy.address)), ("index", .integer(copy.index)),
            ("entries", .integer(copy.entries)), ("keyspace_digest", .string(copy.digest)),
            ("is_equal", .boolean(copy.isEqual)),
        ])
    }

    private static func members(_ activity: StoreActivity?) -> JSONText {
        guard let activity else { return .null }
        return .object([
            ("requests", .object(activity.requests.sorted { $0.key < $1.key }.map { ($0.key, .integer($0.value)) })),
            ("retries", .integer(activity.retries)), ("throttles", .integer(activity.throttles)),
            ("read_units", .double(activity.readUnits)), ("write_units", .double(activity.writeUnits)),
            ("seconds_held_back", .double(activity.secondsHeldBack)),
        ])
    }

    private static func members(_ tally: KeyTermTally) -> JSONText {
        .object([
            (
                "terms",
                .array(
                    tally.terms.sorted { $0.term < $1.term }.map {
                        .object([("term", .integer(Int($0.term))), ("entries", .integer($0.entries))])
                    })
            ),
            ("entries_of_other_terms", .integer(tally.ofOtherTerms)),
            ("entries_without_term", .integer(tally.withoutTerm)),
        ])
    }

    private static func members(_ upgrade: SealUpgradeOutcome) -> JSONText {
        func list(_ keys: [StorageKey]) -> JSONText { .array(keys.map { .string("\($0)") }) }
        return .object([
            ("added", list(upgrade.added)), ("changed", list(upgrade.changed)), ("left_out", list(upgrade.removed)),
        ])
    }
}

extension ProofOutcome {
    /// What a proof found, for programs. Names of entries, no values.
    package var members: JSONText {
        func counts(_ counts: ProofTally.Counts) -> [(String, JSONText)] {
            ProofVerdict.allCases.map { ($0.name, .integer(counts[$0])) }
        }
        return .object(
            counts(tally.counts) + [
                ("names_not_bound", .integer(tally.unboundNames)),
                (
                    "prefixes",
                    .array(
                        tally.folders.map { folder in
                            .object(
                                [("prefix", .string(folder.prefix.withUnsafeBytes { escapedKey($0) }))]
                                    + counts(folder.counts))
                        })
                ),
                (
                    "terms",
                    .array(
                        terms.map {
                            .object([("term", .integer(Int($0))), ("entries", .integer(tally.terms[$0] ?? 0))])
                        })
                ),
                (
                    "unproven",
                    .array(
                        tally.named.map {
                            .object([("key", .string("\($0.key)")), ("verdict", .string($0.verdict.name))])
                        })
                ), ("contradictions", .array(contradictions.map(JSONText.string))),
                ("of_source", .boolean(isOfSource)),
            ])
    }
}
