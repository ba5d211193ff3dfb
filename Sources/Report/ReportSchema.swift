package import Telemetry

/// The JSON schema of a report (draft 2020-12): every member with its type, its unit and what it means.
package enum ReportSchema {
    /// The whole schema, for `report.json` and for the result event of `-format=json`.
    package static let json: JSONText = {
        let ending = outcome.map { ($0.0, $0.1.json) }
        let event = ("event", SchemaPart.word("What the line tells of.", of: ["result"]).json)
        let members = (about + measures + findings + evidence).map { ($0.0, $0.1.json) }
        func required(_ names: [String]) -> JSONText { .object([("required", .array(names.map(JSONText.string)))]) }
        return .object([
            ("$schema", .string("https://json-schema.org/draft/2020-12/schema")),
            ("$id", .string("urn:sealift:report:1")), ("title", .string("Report of a migration by Sealift")),
            (
                "description",
                .string(
                    "What a run of `sealift operator migrate` did: the file report.json in its state folder, or the "
                        + "event `result` of -format=json, which a run only writes when it has succeeded. Sizes are in "
                        + "bytes, times "
                        + "in seconds, keys escaped as in manifests (\\xhh for bytes that do not print). No values, no "
                        + "credentials.")
            ), ("type", .string("object")),
            ("properties", .object(ending + [event] + members)),
            ("required", .array(members.map { .string($0.0) })), ("additionalProperties", .boolean(false)),
            ("oneOf", .array([required(ending.map(\.0)), required(["event"])])),
        ])
    }()

    /// How the run ended: in `report.json` only.
    private static let outcome: [(String, SchemaPart)] = [
        ("sealift", .text("Version of Sealift that made the report.")),
        ("finished", .text("When the run ended, RFC 3339.", isOptional: true)),
        (
            "result",
            .word(
                "What the run came to. Proven means that the destination was read back and holds exactly what the "
                    + "source gave.",
                of: ["migrated and proven", "a part migrated and proven", "a warm pass, not final", "failed"])
        ),
        ("failure", .text("Why the run failed, and what to do; null if it did not.", isOptional: true)),
    ]

    private static let about: [(String, SchemaPart)] = [
        (
            "mode",
            .word(
                "All of a migration, one of its passes, a repair, or a rollback.",
                of: ["whole", "warm", "final", "repair", "rollback"])
        ), ("final", .boolean("Whether nothing is left to do: neither after a warm pass nor after a dry run.")),
        (
            "pass",
            .object(
                "How this pass stands to those before it; null for a migration in one pass.",
                [
                    ("number", .count("From 1.", least: 1)),
                    (
                        "previous_end",
                        .text("When the pass before ended, RFC 3339; null without one.", isOptional: true)
                    ),
                    ("changes", changes("What is otherwise than that pass left it; null if that cannot be told.")),
                    ("final_seconds", .number("Seconds a final pass would take now; null for one.", isOptional: true)),
                    (
                        "outage_seconds",
                        .number(
                            "Seconds from the marker on the source to the proof; null for a warm pass.",
                            isOptional: true)
                    ),
                ], isOptional: true)
        ), ("repaired", changes("What a repair or a rollback has put right; null for anything else.")),
        ("dry_run", .boolean("Whether nothing was written, as -dry-run asks.")),
        ("continued", .boolean("Whether an earlier run that was cut off was taken up.")),
        ("repeated", .boolean("Whether the migration was done before, and was compared once more.")),
        ("partial", .boolean("Whether only a part of the keys was asked for.")),
        ("start", .text("The key of -start: the first one wanted; null if all were.", isOptional: true)),
        ("include", .list("Prefixes of -include: only keys below them.", of: .text("An escaped prefix."))),
        ("exclude", .list("Prefixes of -exclude: not keys below them.", of: .text("An escaped prefix."))),
        (
            "source",
            .object(
                "The store that was read.",
                [
                    ("kind", .text("Kind of storage backend, as in the configuration file.")),
                    ("location", .text("Its path, table or address.")),
                ])
        ),
        ("destinations", .list("The stores that were filled.", of: destination)),
    ]

    private static let destination = SchemaPart.object(
        "What became of one destination.",
        [
            ("kind", .text("Kind of storage backend, as in the configuration file.")),
            ("location", .text("Its path, table or address.")),
            (
                "comparison",
                .object(
                    "Entries by what the comparison by content found.",
                    [
                        ("same", .count("Entries that are equal on both sides.")),
                        ("missing", .count("Entries that only the source has.")),
                        ("different", .count("Entries whose values differ.")),
                        ("extra", .count("Entries that only the destination has.")),
                        ("unreadable", .count("Entries that could not be read on one side.")),
                    ])
            ),
            (
                "copies",
                .list(
                    "What each copy says that the store keeps on machines of its own.",
                    of: .object(
                        "One node's copy.",
                        [
                            ("id", .text("The node's id.")), ("address", .text("The node's address in its cluster.")),
                            ("index", .count("Log index at which the digest was computed.")),
                            ("entries", .count("Entries of the copy.")),
                            ("keyspace_digest", .text("SHA-256 over the copy's manifest lines, hexadecimal.")),
                            ("is_equal", .boolean("Whether the digest is the source's.")),
                        ]))
            ),
            (
                "read_back",
                .text(
                    "Where what was read back came from: disk, cache (perhaps the system's memory) or service; null "
                        + "if nothing "
                        + "was read back.", isOptional: true)
            ),
            (
                "copy_of",
                .text(
                    "The destination, read back and equal, of which this one is a copy byte for byte; null if it was compared "
                        + "entry by entry.", isOptional: true)
            ),
            ("service", service("What was asked of the destination's service; null if there is none.")),
            (
                "server_stanza",
                .list(
                    "Lines for the configuration of the server; null if none are known.", of: .text("One line."),
                    isOptional: true)
            ),
            (
                "next_steps",
                .list("What to do next; null if nothing is known.", of: .text("One step."), isOptional: true)
            ),
        ])

    private static let measures: [(String, SchemaPart)] = [
        ("entries", .count("Entries that the source gave.")), ("key_bytes", .count("Bytes of their keys.")),
        ("value_bytes", .count("Bytes of their values.")),
        ("largest_entry_bytes", .count("Bytes of key and value of the largest entry.")),
        ("seconds", .number("Seconds from the first write to the end of the comparison.")),
        ("copy_seconds", .number("Seconds of them for copying and making durable.")),
        ("entries_per_second", .number("Entries a second over all of that time.")),
        ("proven", .count("Entries that are equal at every destination.")),
        (
            "keyspace_digest",
            .text(
                "SHA-256 over the manifest's lines, 64 hexadecimal digits; empty if the run did not come so far.",
                like: "^([0-9a-f]{64})?$")
        ),
        (
            "prefixes",
            .list(
                "Entries by top-level folder; those beside the folders have an empty prefix, those of further folders "
                    + "the prefix (others).",
                of: .object(
                    "One folder.",
                    [
                        ("prefix", .text("The folder's name with its slash.")),
                        ("entries", .count("Entries below it.")),
                        ("bytes", .count("Bytes of their keys and values.")),
                    ]), most: 1001)
        ),
        (
            "key_terms",
            .object(
                "Entries by the term of the key that encrypted them, as it stands in clear before each value; null "
                    + "where values were not at hand.",
                [
                    (
                        "terms",
                        .list(
                            "Ascending.",
                            of: .object(
                                "One term.",
                                [
                                    ("term", .count("The term's number.", least: 1)),
                                    ("entries", .count("Entries encrypted in it.")),
                                ]), most: 64)
                    ), ("entries_of_other_terms", .count("Entries of terms beyond the first 64 that were seen.")),
                    ("entries_without_term", .count("Entries whose value has another form than the barrier's.")),
                ], isOptional: true)
        ),
    ]

    private static let findings: [(String, SchemaPart)] = [
        ("left_out", .counts("Entries left out on purpose, by reason.")),
        ("found", .counts("What else was found in the source, by kind.")),
        (
            "found_examples",
            .list(
                "The first of what was found, up to 200 of each kind.",
                of: .object(
                    "One finding.",
                    [("reason", .text("Its kind, as in found.")), ("place", .text("The key, file or item."))]))
        ),
        ("lost_entries", .list("Entries that a crash left without content.", of: .text("Key and place."), most: 1000)),
        ("lost_entry_count", .count("How many there are.")),
        (
            "lost_entries_list",
            .text("Path of a file that names all of them; null if there are none.", isOptional: true)
        ),
        (
            "foreign_folders",
            .list("Folders at the top of the source that no server writes.", of: .text("The folder's name."))
        ),
        (
            "unlisted_entries",
            .text(
                "Path of a file that names the entries which the source's own listing cannot see; null if there are "
                    + "none.",
                isOptional: true)
        ),
        ("entries_read_before", .count("Items that an earlier run had read and this one did not read again.")),
        (
            "source_backup",
            .object(
                "The backup of the source that its service made before anything was read; null if nobody asked for one.",
                [
                    ("name", .text("The name it was given.")),
                    ("resource_name", .text("Its name for the service, an ARN.")),
                ], isOptional: true)
        ),
        ("source_service", service("What was asked of the source's service; null if there is none.")),
        ("remarks", .list("What whoever runs the store should know.", of: .text("A sentence or two."))),
    ]

    private static let evidence: [(String, SchemaPart)] = [
        (
            "seal",
            .object(
                "How the store is sealed; null if it does not say so in clear.",
                [
                    ("type", .text("shamir, or the service that unseals the server: awskms, transit and others.")),
                    ("shares", .count("Key shares there are; null if not known.", isOptional: true)),
                    ("threshold", .count("Key shares that unseal it; null if not known.", isOptional: true)),
                    ("key_id", .text("Name of the service's key, if it stands in clear; else null.", isOptional: true)),
                    ("legacy", .boolean("Whether the key shares are the root key itself, as before Vault 1.3.")),
                    (
                        "root_key",
                        .word(
                            "How the root key is kept: stored under the seal; legacy, the key shares are the key itself; before "
                                + "keyring, the same in a store of the first releases; missing; perhaps stale, what is stored may "
                                + "be a left-over.",
                            of: ["stored", "legacy", "before keyring", "missing", "perhaps stale"])
                    ),
                    (
                        "fault",
                        .text("Why servers refuse the seal's configuration; null if they do not.", isOptional: true)
                    ),
                ], isOptional: true)
        ),
        ("configuration", .text("Path of the configuration file; null if there is none.", isOptional: true)),
        ("manifest_signature", .text("Path of the manifest's signature; null if there is none.", isOptional: true)),
        ("keyed_manifest", .text("Path of the manifest without names; null if there is none.", isOptional: true)),
        ("keyed_manifest_signature", .text("Path of its signature; null if there is none.", isOptional: true)),
        ("report_signature", .text("Path of the signature of report.json; null if there is none.", isOptional: true)),
        ("manifest", .text("Path of the manifest; null if there is none.", isOptional: true)),
        ("report", .text("Path of report.json; null if there is none.", isOptional: true)),
        ("report_page", .text("Path of the report as a page; null if there is none.", isOptional: true)),
        ("share_proof", shareProof),
        (
            "seal_upgrade",
            .object(
                "What the destination has otherwise than the source, to be fit for today's servers; null if nothing.",
                [
                    ("added", .list("Entries that were added.", of: .text("The key."))),
                    ("changed", .list("Entries that were changed.", of: .text("The key."))),
                    ("left_out", .list("Entries that were left out.", of: .text("The key."))),
                ], isOptional: true)
        ),
        (
            "raft_tls_generated",
            .boolean("Whether core/raft/tls was made with key shares for the destination, which the source lacks.")
        ),
        (
            "progress",
            .object(
                "How the run went over time.",
                [
                    ("phases", .list("What each phase has done, in order.", of: phase)),
                    (
                        "samples",
                        .list("The counts over time, oldest first.", of: sample, most: ProgressHistory.maximumSamples)
                    ),
                ])
        ),
    ]

    private static let verdicts: [(String, SchemaPart)] = [
        ("authenticated", .count("Entries that are as a server wrote them, under their own names.")),
        ("plain", .count("Entries that servers do not encrypt with the barrier.")),
        ("failed", .count("Entries whose bytes or names are not what was written.")),
        ("unknown_term", .count("Entries for whose term there is no key.")),
        ("no_envelope", .count("Entries that have not the form of an encrypted one.")),
        ("not_checkable", .count("Entries whose key the shares do not open.")),
    ]

    private static let shareProof = SchemaPart.object(
        "What a proof with key shares found of every entry; null if none was made.",
        verdicts + [
            (
                "names_not_bound",
                .count("Authenticated entries of the barrier's first version, which binds no entry to its name.")
            ),
            (
                "prefixes",
                .list(
                    "The same by top-level folder.",
                    of: .object("One folder.", [("prefix", .text("The folder's name with its slash."))] + verdicts),
                    most: 1001)
            ),
            (
                "terms",
                .list(
                    "Terms of the keyring, ascending; the last is the active one.",
                    of: .object(
                        "One term.",
                        [
                            ("term", .count("The term's number.", least: 1)),
                            ("entries", .count("Entries authenticated in it.")),
                        ]))
            ),
            (
                "unproven",
                .list(
                    "The first of those that are not what a server wrote.",
                    of: .object(
                        "One entry.", [("key", .text("The key.")), ("verdict", .text("What is wrong with it."))]),
                    most: 1024)
            ), ("contradictions", .list("What is authentic and contradicts the shares.", of: .text("A sentence."))),
            ("of_source", .boolean("Whether the source was proven, as a dry run does, and not what was written.")),
        ], isOptional: true)

    private static let phaseName = SchemaPart.word("The phase.", of: ProgressPhase.allCases.map(\.name))

    private static let phase = SchemaPart.object(
        "One phase, however often it was entered.",
        [
            ("phase", phaseName), ("seconds", .number("Seconds in it.")),
            ("entries", .count("Entries done in it.")), ("bytes", .count("Bytes of their keys and values.")),
        ])

    private static let sample = SchemaPart.object(
        "The counts at one time.",
        [
            ("seconds", .number("Seconds since the run began.")), ("phase", phaseName),
            ("entries", .count("Entries done since the phase began.")),
            ("bytes", .count("Bytes of their keys and values.")),
            ("retries", .count("Requests made again since the run began.")),
            ("throttles", .count("Of them, those that a service refused for their rate.")),
        ])

    private static func changes(_ meaning: String) -> SchemaPart {
        .object(
            meaning,
            [
                ("added", .count("Entries that were added.")),
                ("changed", .count("Entries whose values were changed.")),
                ("removed", .count("Entries that were removed.")),
            ], isOptional: true)
    }

    private static func service(_ meaning: String) -> SchemaPart {
        .object(
            meaning,
            [
                ("requests", .counts("Requests that were answered, by action.")),
                ("retries", .count("Requests that were made again, throttled ones included.")),
                ("throttles", .count("Of them, those that the service refused for their rate.")),
                ("read_units", .number("Read capacity units that the service says were used.")),
                ("write_units", .number("Write capacity units that the service says were used.")),
                (
                    "seconds_held_back",
                    .number("Seconds that requests were held back to keep to a rate, all threads together.")
                ),
            ], isOptional: true)
    }
}
