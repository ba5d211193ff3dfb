import Storage
import Telemetry

/// The report of a run for machines, `report.json` in the state folder: how the run ended, and what
/// ``MigrationSummary/members`` says of it.
struct RunReport {
    private let text: String

    /// - Parameter failure: Why the run failed; `nil` if it did not.
    init(_ summary: MigrationSummary, version: String, failure: String?) {
        let success =
            !summary.isFinal
            ? "a warm pass, not final" : summary.scope.isWhole ? "migrated and proven" : "a part migrated and proven"
        let outcome: [(String, JSONText)] = [
            ("sealift", .string(version)), ("finished", .string(WallTime.now().microseconds)),
            ("result", .string(failure == nil ? success : "failed")), ("failure", .optional(failure)),
        ]
        text = JSONText.object(outcome + summary.members).indentedText
    }

    /// Writes `report.json`, and `report.json.sig` if it is to be signed.
    func write(in state: StateFolder, signedBy signer: EvidenceSigner?) throws(StorageError) {
        let bytes = Array("\(text)\n".utf8)
        // What cannot be signed leaves the older report as it is.
        var signature: [UInt8]?
        if let signer {
            signature = try bytes.withBytes { bytes throws(StorageError) in try signer.signature(of: bytes) }
        }
        try EvidenceSigner.removeSignature(of: state.reportPath)
        try state.write("report.json", bytes)
        if let signature { try EvidenceSigner.write(signature, beside: state.reportPath) }
    }
}
