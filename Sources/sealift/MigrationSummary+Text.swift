import Barrier
import Migration
import Storage
import Telemetry
import Wording

/// What `operator migrate` prints when it is done.
func summaryText(_ summary: MigrationSummary) -> String {
    // With -start it is not all of the keys, and whoever looks for that line must not find it.
    let part = (summary.scope.isSelection ? " selected" : "") + (summary.scope.start.map { " from \($0) on" } ?? "")
    var lines = [verdict(summary, part), ""]
    func row(_ name: String, _ text: String) {
        lines.append("  " + name + String(repeating: " ", count: max(14 - name.count, 1)) + text)
    }
    let totals = summary.totals
    row("Source", "\(summary.sourceKind) \(summary.sourceLocation)")
    for destination in summary.destinations { row("Destination", "\(destination.kind) \(destination.location)") }
    if let start = summary.scope.start {
        row("A part", "only keys that sort at or behind \(start); the destination is whole only if it has the others")
    }
    for (name, prefixes) in [("Only", summary.scope.included), ("Without", summary.scope.excluded)]
    where !prefixes.isEmpty {
        row(name, prefixes.map { "\($0)" }.joined(separator: ", ") + "; this is a part of the store")
    }
    if let repaired = summary.repaired { row("Put right", changesText(repaired)) }
    if let pass = summary.pass { for line in passLines(pass, summary) { row(line.name, line.text) } }
    if summary.isRepeat { row("Repeated", "done before: nothing was copied, both sides were compared once more") }
    if summary.isContinuation, summary.pass == nil { row("Continued", "an earlier run of this migration was cut off") }
    if let backup = summary.sourceBackup { row("Backed up", "the source, before it was read: \(backup.resourceName)") }
    if summary.entriesReadBefore > 0 {
        row("Read before", "\(counted(summary.entriesReadBefore, "item")), by an earlier run, and not again")
    }
    row(
        "Entries",
        "\(formatCount(totals.entries)), \(formatBytes(totals.bytes)); the largest \(formatBytes(totals.largestEntry))")
    if !summary.isDryRun {
        row("Time", timeText(summary))
        let all = counted(totals.entries, "entry", "entries")
        for destination in summary.destinations {
            let place = summary.destinations.count > 1 ? " in \(destination.location)" : ""
            if summary.mode == .warm, destination.comparison.same == 0 {
                row("Proven", "nothing yet\(place): the directory is built by the final pass")
                continue
            }
            let way =
                destination.copies.contains(where: \.isEqual)
                ? "by the digest of every node"
                : destination.original.map { "read back, byte for byte what \($0) holds," } ?? "read back and equal"
            row("Proven", "\(formatCount(destination.comparison.same)) of \(all) \(way)\(place)")
            if let text = readBackText(destination) { row("Read back", text + place) }
        }
    }
    if let proof = summary.proof { row("With shares", proofText(proof)) }
    if let upgrade = summary.sealUpgrade { row("Seal made fit", upgrade.text) }
    if summary.hasMadeKeyRing {
        row("Key ring", "core/raft/tls, which the source lacks, was made and encrypted like every entry")
    }
    row("Keyspace", "sha256:\(summary.keyspaceDigest)")
    for copy in summary.destinations.flatMap(\.copies) {
        row(
            "Node \(copy.id)",
            "\(copy.address), index \(copy.index), \(counted(copy.entries, "entry", "entries")), sha256:\(copy.digest) "
                + (copy.isEqual ? "(equal)" : "(not compared)"))
    }
    if let seal = summary.seal { row("Seal", seal.summary) }
    for (reason, count) in summary.leftOut.sorted(by: { $0.key < $1.key }) {
        row("Left out", "\(formatCount(count)): \(reason)")
    }
    for reason in ScanNote.Reason.allCases {
        guard let count = summary.notes[reason] else { continue }
        row(reason.isLeftOut ? "Not entries" : "Look at", "\(formatCount(count)): \(reason.rawValue)")
        for note in summary.noteExamples.filter({ $0.reason == reason }).prefix(5) { row("", "  \(note.place)") }
    }
    if let path = summary.unlistedPath { row("", "all of them: \(path)") }
    if summary.lost.count > 0 {
        row("Lost", "\(formatCount(summary.lost.count)): files of zero length at the source, which are not copied")
        for line in summary.lost.lines.sorted().prefix(20) { row("", "  \(line)") }
        if summary.lost.count > 20 { row("", "  … and \(formatCount(summary.lost.count - 20)) more") }
        if let path = summary.lostPath { row("", "all of them: \(path)") }
    }
    let foreign = summary.foreignPrefixes
    if !foreign.isEmpty {
        row("Look at", "top-level folders that no server writes, copied like the others; an old backup?")
        for tally in foreign.prefix(20) {
            row("", "  \(tally.prefix.withUnsafeBytes { escapedKey($0) })  \(formatCount(tally.entries))")
        }
        if foreign.count > 20 { row("", "  … and \(formatCount(foreign.count - 20)) more, see the report") }
    }
    for (side, activity) in [("Source", summary.sourceActivity)]
        + summary.destinations.map({ ("Destination", $0.activity) })
    {
        if let activity { row("\(side) asked", activityText(activity)) }
    }
    for remark in summary.remarks { row("Remark", remark) }
    if let path = summary.manifestPath { row("Manifest", path) }
    if let path = summary.keyedManifestPath { row("Keyed", path) }
    if let path = summary.reportPath { row("Report", path) }
    if let path = summary.pagePath { row("", path) }
    for path in [
        summary.manifestSignaturePath, summary.keyedManifestSignaturePath, summary.reportSignaturePath,
    ].compactMap(\.self) { row("Signed", path) }
    lines += ["", "  Entries by prefix:"]
    for tally in totals.prefixes.prefix(20) {
        let name = tally.prefix.isEmpty ? "(top level)" : tally.prefix.withUnsafeBytes { escapedKey($0) }
        row("", "\(name)  \(formatCount(tally.entries)), \(formatBytes(tally.bytes))")
    }
    if totals.prefixes.count > 20 { row("", "… and \(totals.prefixes.count - 20) more, see the report") }
    if !summary.verification.isEmpty {
        lines += ["", "  Verify the signatures:", ""] + summary.verification.map { "  \($0)" }
    }
    guard summary.isFinal || summary.isDryRun else { return lines.joined(separator: "\n") }
    for (index, destination) in summary.destinations.enumerated() {
        // What all nodes have in common is said once, behind the last of their stanzas.
        let next = summary.destinations.dropFirst(index + 1).first?.guide
        lines += guideLines(
            destination, of: summary.destinations.count, withSteps: destination.guide?.steps != next?.steps)
    }
    return lines.joined(separator: "\n")
}

private func verdict(_ summary: MigrationSummary, _ part: String) -> String {
    if summary.isDryRun {
        return
            "Dry run: nothing was written. The migration\(part.isEmpty ? "" : " of the keys\(part)") would go through."
    }
    guard summary.isFinal else {
        return "Not final: a warm pass is done. Stop every server on the source, then run the same with -mode=final."
    }
    if summary.mode == .rollback {
        return "Success! The old store holds what the new one holds: the migration is rolled back."
    }
    if let repaired = summary.repaired {
        return repaired.total == 0
            ? "Success! The destination holds what the source holds; nothing had to be written."
            : "Success! The destination holds what the source holds again."
    }
    return "Success! All of the keys\(part) have been migrated."
}

private func changesText(_ changes: EntryChanges) -> String {
    "\(formatCount(changes.added)) added, \(formatCount(changes.changed)) changed, \(formatCount(changes.removed)) "
        + "removed"
}

private func passLines(_ pass: PassOutcome, _ summary: MigrationSummary) -> [(name: String, text: String)] {
    var lines: [(name: String, text: String)] = []
    let before = pass.previousEnd.map { ", behind the one of \($0)" } ?? ""
    lines.append(
        ("Pass", "\(pass.number)\(before)\(summary.isFinal ? ", the final one" : "; the destination stays guarded")"))
    if let changes = pass.changes {
        lines.append(("Since then", changesText(changes)))
    }
    if let seconds = pass.finalSeconds {
        let isBuilt = summary.destinations.contains { $0.kind == "raft" }
        lines.append(
            (
                "Final pass",
                "about \(formatDuration(.seconds(seconds)))\(isBuilt ? " and the building of the directory" : ""), "
                    + "for what has "
                    + "changed until then; run -mode=warm again to leave less"
            ))
    }
    if let seconds = pass.outageSeconds {
        lines.append(("Outage", "\(formatDuration(.seconds(seconds))), from the marker on the source to the proof"))
    }
    return lines
}

private func guideLines(_ destination: DestinationOutcome, of count: Int, withSteps: Bool) -> [String] {
    guard let guide = destination.guide else { return [] }
    let node = count > 1 ? "the node on \(destination.location)" : "this node"
    var lines: [String] = []
    if !guide.stanza.isEmpty {
        lines += ["", "The server's configuration for \(node):", ""] + guide.stanza.map { "  \($0)" }
    }
    guard withSteps else { return lines }
    lines += ["", "Next steps:", ""]
    lines += guide.steps.enumerated().map { "  \($0.offset + 1). \($0.element)" }
    return lines
}

private func readBackText(_ destination: DestinationOutcome) -> String? {
    switch destination.readBack {
    case .disk: "from the disk, not from what the system held in memory"
    case .cache: "perhaps from the system's memory; the disk was not asked for all of it"
    // Whoever answered for the entries is named above.
    case .service, nil: nil
    }
}

/// A count and its noun.
func counted(_ count: Int, _ one: String, _ many: String? = nil) -> String {
    "\(formatCount(count)) \(plural(count, one, many))"
}

/// What is not proven of entries in the barrier's first version.
func unboundNamesText(_ tally: ProofTally) -> String {
    "\(formatCount(tally.unboundNames)) of them in the barrier's version 1, which does not bind the name"
}

/// What a proof with key shares has shown, in a line.
func proofText(_ proof: ProofOutcome) -> String {
    let counts = proof.tally.counts
    let place = proof.isOfSource ? " at the source" : ""
    var text =
        "\(formatCount(counts[.authenticated])) of \(counted(counts.provable, "entry", "entries")) "
        + "authenticated\(place)"
    if proof.tally.unboundNames > 0 { text += "; \(unboundNamesText(proof.tally))" }
    if counts[.plain] > 0 { text += "; \(formatCount(counts[.plain])) not encrypted by the barrier" }
    if counts[.notCheckable] > 0 { text += "; \(formatCount(counts[.notCheckable])) not checkable with these shares" }
    return ([text] + proof.contradictions).joined(separator: "; ")
}

private func activityText(_ activity: StoreActivity) -> String {
    let requests = activity.requests.sorted { $0.key < $1.key }.map { "\(formatCount($0.value)) \($0.key)" }
    var parts = [requests.joined(separator: ", ")]
    if activity.readUnits > 0 { parts.append("\(activity.readUnits) read unit\(activity.readUnits == 1 ? "" : "s")") }
    if activity.writeUnits > 0 {
        parts.append("\(activity.writeUnits) write unit\(activity.writeUnits == 1 ? "" : "s")")
    }
    if activity.retries > 0 {
        let retries = counted(activity.retries, "retry", "retries")
        parts.append("\(retries), \(formatCount(activity.throttles)) of them throttled")
    }
    return parts.joined(separator: "; ")
}

private func timeText(_ summary: MigrationSummary) -> String {
    let seconds = max(summary.seconds, 0.001)
    let rate = Int(Double(summary.totals.entries) / seconds)
    let bytes = Int(Double(summary.totals.bytes) / seconds)
    return "\(formatDuration(.seconds(summary.seconds))), comparison included; "
        + "\(formatCount(rate)) entries/s, \(formatBytes(bytes))/s"
}
