import Telemetry

/// Reports to make pages of.
enum SampleReport {
    /// A report of a run that moved one entry to one destination.
    static func proven(entries: Int = 1) -> [(String, JSONText)] {
        [
            ("sealift", .string("0.1.0")), ("finished", .string("2026-11-21T07:33:00.123456Z")),
            ("result", .string("migrated and proven")), ("failure", .null), ("mode", .string("whole")),
            ("final", .boolean(true)), ("dry_run", .boolean(false)),
            ("continued", .boolean(false)), ("partial", .boolean(false)), ("start", .null),
            ("source", .object([("kind", .string("file")), ("location", .string("/opt/vault/data"))])),
            (
                "destinations",
                .array([
                    .object([
                        ("kind", .string("raft")), ("location", .string("/opt/vault/raft")),
                        ("comparison", comparison(same: entries)), ("copies", .array([])), ("service", .null),
                    ])
                ])
            ),
            ("entries", .integer(entries)), ("key_bytes", .integer(10)), ("value_bytes", .integer(100)),
            ("largest_entry_bytes", .integer(110)), ("seconds", .double(2)), ("copy_seconds", .double(1.5)),
            ("keyspace_digest", .string(String(repeating: "a", count: 64))),
        ]
    }

    static func comparison(same: Int, missing: Int = 0, extra: Int = 0) -> JSONText {
        .object([
            ("same", .integer(same)), ("missing", .integer(missing)), ("different", .integer(0)),
            ("extra", .integer(extra)), ("unreadable", .integer(0)),
        ])
    }

    /// Replaces members, or adds them.
    static func changed(_ members: [(String, JSONText)], _ changes: [(String, JSONText)]) -> JSONText {
        let names = changes.map(\.0)
        return .object(members.filter { !names.contains($0.0) } + changes)
    }
}
