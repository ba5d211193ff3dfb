import Storage
import Telemetry
import Workers

/// What a migration makes of its manifest once its destinations are proven: the keyed one, and signatures. The report is
/// written behind that, and signed as it is. Of a warm pass, which proves nothing for good, only the report is signed.
struct FinalEvidence {
    let options: MigrationOptions
    let state: StateFolder
    let context: RunContext

    /// - Parameter summary: Told what there is, and what of the report there will be.
    func write(_ summary: inout MigrationSummary) throws(MigrationFailure) {
        guard options.signer != nil || options.manifestKey != nil else { return }
        guard options.mode != .warm else {
            if let signer = options.signer { promiseReport(signer, [], &summary) }
            return
        }
        do {
            if let key = options.manifestKey {
                try writeKeyedManifest(key, summary)
                summary.keyedManifestPath = state.keyedManifestPath
            } else {
                try requireProven(SavedManifest.verify(state.manifestPath), summary)
            }
            if let signer = options.signer { try sign(with: signer, &summary) }
        } catch let error as StorageError where error.code == .cancelled {
            throw MigrationFailure.interrupted
        } catch {
            throw failure(error)
        }
    }

    private func sign(with signer: EvidenceSigner, _ summary: inout MigrationSummary) throws(StorageError) {
        summary.manifestSignaturePath = try signer.sign(state.manifestPath)
        if let path = summary.keyedManifestPath { summary.keyedManifestSignaturePath = try signer.sign(path) }
        promiseReport(signer, [state.manifestPath, summary.keyedManifestPath].compactMap { $0 }, &summary)
        guard EvidenceSigner.isTooLargeForCommand(state.manifestPath) else { return }
        summary.remarks.append(
            "openssl pkeyutl takes at most 2,147,483,647 bytes, and the manifest has more: verify report.json, and hold the "
                + "keyspace digest in it against that of the manifest, which grep -v '^#' and sha256sum give.")
    }

    /// Says where the report's signature will stand, and how it is verified, with those of other files.
    private func promiseReport(_ signer: EvidenceSigner, _ paths: [String], _ summary: inout MigrationSummary) {
        summary.reportSignaturePath = EvidenceSigner.signaturePath(of: state.reportPath)
        summary.verification = signer.commands(verifying: paths + [state.reportPath])
    }

    private func writeKeyedManifest(_ key: ManifestKey, _ summary: MigrationSummary) throws {
        let manifest = try SavedManifest(path: state.manifestPath, scope: KeyScope())
        let cancellation = context.cancellation
        let entries = try KeyedEntries(
            manifest, key: key, spillFolder: state.path, isCancelled: { cancellation.isCancelled })
        defer { entries.stop() }
        var header = Manifest.Header(
            sourceKind: summary.sourceKind, time: WallTime.now().microseconds, entries: 0, bytes: 0,
            keyspaceDigest: "not finished", version: context.version)
        header.keyCheck = try key.check()
        let writer = try ManifestWriter(path: state.keyedManifestPath, header: header)
        while let page = try entries.nextPage() {
            try writer.append(page.lines)
            page.recycle()
        }
        try requireProven(manifest.finish(), summary)
        _ = try writer.finish(summary.totals)
        try writer.sync()
    }

    /// A run that only had to confirm what an earlier one had proven finds that one's manifest: what is signed must be what
    /// was proven.
    private func requireProven(_ digest: String, _ summary: MigrationSummary) throws(StorageError) {
        guard digest == summary.keyspaceDigest else {
            throw StorageError(
                .damagedStore,
                "\(state.manifestPath) is not the manifest of what was proven: it was changed since. To end without signatures and "
                    + "keyed manifest, leave out -sign-key and -key-file.")
        }
    }

    /// The failure of a run whose destinations are proven and in place, and whose evidence is not whole.
    func failure(_ error: any Error) -> MigrationFailure {
        let advice =
            options.mode == .warm
            ? "The pass is done. Run the next one."
            : "The destination is proven and complete. Run the same command again: it compares both sides once more and "
                + "writes the evidence."
        return MigrationFailure(
            .failed, "the evidence could not be finished: \(error)\n\(advice)", cause: error as? StorageError)
    }
}
