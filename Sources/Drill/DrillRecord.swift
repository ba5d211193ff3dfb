package import Telemetry

/// What became of a drill: of it both forms of its report are made.
package struct DrillRecord: Sendable {
    /// How a drill ended.
    package enum Result: String, Sendable {
        case passed, failed, interrupted
        /// It was killed, or it goes on.
        case unfinished
    }

    /// One phase that was begun.
    package struct Phase: Sendable {
        package let phase: DrillPhase
        package var seconds: Double
        package var isPassed: Bool
    }

    /// What is known of the server.
    package struct Server: Sendable {
        package var binary: String
        package var version: String?
        package var isNetworkCut: Bool
        package var mounts: Int?
        package var mountsFrom: String?
        /// Paths that it served.
        package var reads = 0
    }

    package let id: String
    package let version: String
    package let started: String
    package var finished: String?
    package var result = Result.unfinished
    package var failedPhase: DrillPhase?
    package var failure: String?
    package var sourceKind: String
    package var sourceLocation: String
    package var entries: Int?
    package var bytes: Int?
    package var fileBytes: Int?
    package var keyspaceDigest: String?
    package var authenticated: Int?
    package var seconds = 0.0
    package var phases: [Phase] = []
    package var server: Server?
    /// Whether leases, and audit devices, are in the copy.
    package var dropsLeases: Bool
    package var dropsAuditDevices: Bool
    /// Where the copy is, if it was kept.
    package var keptCopy: String?
    /// What stands out against the last good drill.
    package var findings: [String] = []
    package var remarks: [String] = []

    package var members: [(String, JSONText)] {
        [
            ("sealift", .string(version)), ("drill", .string(id)), ("started", .string(started)),
            ("finished", .optional(finished)), ("result", .string(result.rawValue)),
            ("failed_phase", .optional(failedPhase?.rawValue)), ("failure", .optional(failure)),
            ("source", .object([("kind", .string(sourceKind)), ("location", .string(sourceLocation))])),
            ("entries", .optional(entries)), ("bytes", .optional(bytes)), ("restored_file_bytes", .optional(fileBytes)),
            ("keyspace_digest", .optional(keyspaceDigest)), ("authenticated", .optional(authenticated)),
            ("seconds", .double(seconds)), ("phases", .array(phases.map(Self.phase))), ("server", serverJSON),
            ("leases_left_out", .boolean(dropsLeases)), ("audit_devices_left_out", .boolean(dropsAuditDevices)),
            ("kept_copy", .optional(keptCopy)), ("findings", .array(findings.map { .string($0) })),
            ("remarks", .array(remarks.map { .string($0) })),
        ]
    }

    private static func phase(_ phase: Phase) -> JSONText {
        .object([
            ("phase", .string(phase.phase.rawValue)), ("about", .string(phase.phase.about)),
            ("result", .string(phase.isPassed ? "passed" : "failed")), ("seconds", .double(phase.seconds)),
        ])
    }

    private var serverJSON: JSONText {
        guard let server else { return .null }
        return .object([
            ("binary", .string(server.binary)), ("version", .optional(server.version)),
            ("network_cut", .boolean(server.isNetworkCut)), ("mounts", .optional(server.mounts)),
            ("mounts_from", .optional(server.mountsFrom)), ("reads", .integer(server.reads)),
        ])
    }
}
