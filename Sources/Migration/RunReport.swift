package import Report
import Storage
import Telemetry

/// The report of a run: how it ended, and what ``MigrationSummary/members`` says of it. For machines it is `report.json`
/// in the state folder, for people `report.html`, a page made of the same value.
package struct RunReport {
    static let name = "report.json"
    static let pageName = "report.html"

    /// What a run came to.
    package enum Result {
        case running
        case succeeded
        case failed(String)
    }

    /// The value of which both forms are made.
    package let document: ReportDocument

    package init(_ summary: MigrationSummary, version: String, _ result: Result) {
        let success =
            summary.isDryRun
            ? "would go through"
            : !summary.isFinal
                ? "a warm pass, not final"
                : summary.scope.isWhole ? "migrated and proven" : "a part migrated and proven"
        let outcome: (result: String, failure: String?) =
            switch result {
            case .running: ("running", nil)
            case .succeeded: (success, nil)
            case .failed(let reason): ("failed", reason)
            }
        var finished: String?
        if case .running = result {} else { finished = WallTime.now().microseconds }
        document = ReportDocument(
            .object(
                [
                    ("sealift", .string(version)), ("finished", .optional(finished)),
                    ("result", .string(outcome.result)), ("failure", .optional(outcome.failure)),
                ] + summary.members))
    }

    /// Writes `report.json`, `report.json.sig` if it is to be signed, and `report.html`.
    func write(in state: StateFolder, signedBy signer: EvidenceSigner?) throws(StorageError) {
        let bytes = Array("\(document.root.indentedText)\n".utf8)
        // What cannot be signed leaves the older report as it is.
        var signature: [UInt8]?
        if let signer {
            signature = try bytes.withBytes { bytes throws(StorageError) in try signer.signature(of: bytes) }
        }
        try EvidenceSigner.removeSignature(of: state.reportPath)
        try state.write(Self.name, bytes)
        if let signature { try EvidenceSigner.write(signature, beside: state.reportPath) }
        try state.write(Self.pageName, Array(ReportPage(document).file.utf8))
    }
}
