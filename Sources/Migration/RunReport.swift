import FoundationEssentials
import Storage
import Telemetry

/// The report of a run for machines: one JSON object in the state folder. No values, no credentials.
struct RunReport: Codable {
    struct Side: Codable {
        var kind: String
        var location: String
    }

    struct Prefix: Codable {
        var prefix: String
        var entries: Int
        var bytes: Int
    }

    struct Comparison: Codable {
        var same: Int
        var missing: Int
        var different: Int
        var extra: Int
        var unreadable: Int
    }

    struct Service: Codable {
        var requests: [String: Int]
        var retries: Int
        var throttles: Int
        var readUnits: Double
        var writeUnits: Double
        var secondsHeldBack: Double

        init(_ activity: StoreActivity) {
            requests = activity.requests
            retries = activity.retries
            throttles = activity.throttles
            readUnits = activity.readUnits
            writeUnits = activity.writeUnits
            secondsHeldBack = activity.secondsHeldBack
        }
    }

    struct Seal: Codable {
        var type: String
        var shares: Int?
        var threshold: Int?
        var keyID: String?
        var isLegacy: Bool

        init(_ seal: SealDescription) {
            type = seal.type
            shares = seal.shares
            threshold = seal.threshold
            keyID = seal.keyID
            isLegacy = seal.isLegacy
        }
    }

    struct Note: Codable {
        var reason: String
        var place: String
    }

    var sealift: String
    var finished: String
    var result: String
    var failure: String?
    var source: Side
    var destination: Side
    var continued: Bool
    /// The first key wanted, if not all were.
    var start: String?
    var entries: Int
    var keyBytes: Int
    var valueBytes: Int
    var largestEntryBytes: Int
    var seconds: Double
    var copySeconds: Double
    var entriesPerSecond: Double
    var keyspaceDigest: String
    var leftOut: [String: Int]
    var found: [String: Int]
    var foundExamples: [Note]
    var lostEntries: [String]
    var lostEntryCount: Int
    var lostEntriesList: String?
    var unlistedEntries: String?
    var entriesReadBefore: Int
    var sourceService: Service?
    var destinationService: Service?
    var comparison: Comparison
    var prefixes: [Prefix]
    var remarks: [String]
    var seal: Seal?
    var serverStanza: [String]?
    var nextSteps: [String]?

    init(_ summary: MigrationSummary, version: String, failure: String?) {
        sealift = version
        finished = WallTime.now().microseconds
        let success = summary.start == nil ? "migrated and proven" : "a part migrated and proven"
        result = failure == nil ? success : "failed"
        start = summary.start.map { "\($0)" }
        self.failure = failure
        source = Side(kind: summary.sourceKind, location: summary.sourceLocation)
        destination = Side(kind: summary.destinationKind, location: summary.destinationLocation)
        continued = summary.isContinuation
        entries = summary.totals.entries
        keyBytes = summary.totals.keyBytes
        valueBytes = summary.totals.valueBytes
        largestEntryBytes = summary.totals.largestEntry
        seconds = summary.seconds
        copySeconds = summary.copySeconds
        entriesPerSecond = summary.seconds > 0 ? Double(summary.totals.entries) / summary.seconds : 0
        keyspaceDigest = summary.keyspaceDigest
        leftOut = summary.leftOut
        found = Dictionary(uniqueKeysWithValues: summary.notes.map { ($0.key.rawValue, $0.value) })
        foundExamples = summary.noteExamples.map { Note(reason: $0.reason.rawValue, place: $0.place) }
        lostEntries = summary.lost.lines.sorted()
        lostEntryCount = summary.lost.count
        lostEntriesList = summary.lostPath
        unlistedEntries = summary.unlistedPath
        entriesReadBefore = summary.entriesReadBefore
        sourceService = summary.sourceActivity.map(Service.init)
        destinationService = summary.destinationActivity.map(Service.init)
        let counts = summary.comparison
        comparison = Comparison(
            same: counts.same, missing: counts.missing, different: counts.different, extra: counts.extra,
            unreadable: counts.unreadable)
        prefixes = summary.totals.prefixes.map { tally in
            Prefix(
                prefix: tally.prefix.withUnsafeBytes { escapedKey($0) }, entries: tally.entries, bytes: tally.bytes)
        }
        remarks = summary.remarks
        seal = summary.seal.map(Seal.init)
        serverStanza = summary.guide?.stanza
        nextSteps = summary.guide?.steps
    }

    /// Writes `report.json`.
    func write(in state: StateFolder) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try state.write("report.json", [UInt8](try encoder.encode(self)) + [UInt8(ascii: "\n")])
    }
}
