import Telemetry
import Wording

extension ReportPage {
    /// What was moved, from where to where, and how fast.
    var figures: HTML {
        var html = HTML()
        html.raw("<dl class=\"figures\">\n")
        if let progress { count(progress, into: &html) } else { count(into: &html) }
        html.raw("</dl>\n<dl>\n")
        store("Source", root["source"], into: &html)
        for destination in root["destinations"].elements.prefix(Self.mostDestinations) {
            store("Destination", destination, into: &html)
        }
        if let prefix = progress?.snapshot.prefix, !prefix.isEmpty {
            var value = HTML()
            value.raw("<code>")
            value.text(printableKey(prefix))
            value.raw("</code>")
            html.row("At", value)
        }
        if let finished = root["finished"].string { html.row("Finished", finished) }
        addScope(to: &html)
        addPass(to: &html)
        if root["continued"].boolean == true { html.row("Continued", "an earlier run of this migration was cut off") }
        if let backup = root["source_backup"]["resource_name"].string {
            html.row("Backed up", "the source, before it was read: \(backup)")
        }
        if let before = root["entries_read_before"].integer, before > 0 {
            html.row(
                "Read before", "\(formatCount(before)) \(plural(before, "item")), by an earlier run, and not again")
        }
        if let digest = root["keyspace_digest"].string, !digest.isEmpty {
            var value = HTML()
            value.raw("<code>sha256:")
            value.text(digest)
            value.raw("</code>")
            html.row("Keyspace digest", value)
        }
        html.raw("</dl>\n")
        return .section("figures", "Figures", html)
    }

    static var mostDestinations: Int { 50 }
    private static let mostPrefixesNamed = 100

    /// Which keys were wanted, if not all.
    private func addScope(to html: inout HTML) {
        for (name, prefixes) in [
            ("Only keys from", root["start"].string.map { [$0] } ?? []),
            ("Only keys below", root["include"].texts), ("Not keys below", root["exclude"].texts),
        ]
            as [(StaticString, [String])]
        {
            guard !prefixes.isEmpty else { continue }
            var value = HTML()
            for (index, prefix) in prefixes.prefix(Self.mostPrefixesNamed).enumerated() {
                value.raw(index > 0 ? ", <code>" : "<code>")
                value.text(prefix)
                value.raw("</code>")
            }
            html.row(name, value)
        }
    }

    /// How the run stands to those before it.
    private func addPass(to html: inout HTML) {
        func changes(_ changes: JSONText) -> String {
            ["added", "changed", "removed"].map { "\(formatCount(changes[$0].integer ?? 0)) \($0)" }.joined(
                separator: ", ")
        }
        let (pass, repaired) = (root["pass"], root["repaired"])
        if root["repeated"].boolean == true {
            html.row("Done before", "nothing was copied; both sides were compared once more")
        }
        if !repaired.members.isEmpty { html.row("Put right", changes(repaired)) }
        guard let number = pass["number"].integer else { return }
        html.row("Pass", "\(number)" + (pass["previous_end"].string.map { ", behind the one of \($0)" } ?? ""))
        if !pass["changes"].members.isEmpty { html.row("Since then", changes(pass["changes"])) }
        if let seconds = pass["final_seconds"].number { html.row("A final pass", "about \(duration(seconds))") }
        if let seconds = pass["outage_seconds"].number {
            html.row("Outage", "\(duration(seconds)), from the marker on the source to the proof")
        }
    }

    private func store(_ name: StaticString, _ store: JSONText, into html: inout HTML) {
        // At the very beginning of a run nothing is known of its stores.
        guard let kind = store["kind"].string, !kind.isEmpty else { return }
        var value = HTML()
        value.text(kind)
        value.raw(" <code>")
        value.text(store["location"].string ?? "?", limit: HTML.placeText)
        value.raw("</code>")
        html.row(name, value)
    }

    private func count(into html: inout HTML) {
        let (entries, bytes) = (root["entries"].integer ?? 0, document.bytes)
        let seconds = root["seconds"].number ?? 0
        html.figure("Entries", formatCount(entries), entries == 1 ? "" : "the largest \(largest)")
        html.figure(
            "Bytes", formatBytes(bytes),
            "keys \(formatBytes(root["key_bytes"].integer ?? 0)), values \(formatBytes(root["value_bytes"].integer ?? 0))"
        )
        guard !document.isDryRun, seconds > 0 else { return }
        let copying = root["copy_seconds"].number ?? 0
        html.figure(
            "Time", duration(seconds),
            copying > 0 ? "\(duration(copying)) of it copying, the rest comparing" : "comparing")
        html.figure("Rate", rateText(entries, seconds, "entries/s"), byteRateText(bytes, seconds))
    }

    private var largest: String { formatBytes(root["largest_entry_bytes"].integer ?? 0) }

    /// The counts of a run that goes on.
    private func count(_ progress: ProgressReport, into html: inout HTML) {
        let snapshot = progress.snapshot
        html.figure(
            "Entries", formatCount(snapshot.entries),
            snapshot.expectedEntries.map { "of \(formatCount($0)) in this phase" } ?? "in this phase")
        html.figure(
            "Bytes", formatBytes(snapshot.bytes),
            snapshot.expectedBytes.map { "of \(formatBytes($0))" } ?? "in this phase")
        html.figure("Time", formatDuration(progress.elapsed), "since the run began")
        html.figure(
            "Rate", "\(formatCount(Int(progress.entriesPerSecond.rounded()))) entries/s",
            "\(formatBytes(Int(progress.bytesPerSecond.rounded())))/s")
        if snapshot.retries > 0 {
            html.figure("Retries", formatCount(snapshot.retries), "\(formatCount(snapshot.throttles)) throttled")
        }
    }
}

/// A time that a document states.
func duration(_ seconds: Double) -> String {
    // Beyond a millennium it is no time of a run.
    formatDuration(.seconds(min(max(seconds, 0), 3e10)))
}

func rateText(_ count: Int, _ seconds: Double, _ unit: String) -> String {
    "\(formatCount(rate(count, seconds))) \(unit)"
}

func byteRateText(_ bytes: Int, _ seconds: Double) -> String { "\(formatBytes(rate(bytes, seconds)))/s" }

/// 0 where there is none.
func rate(_ count: Int, _ seconds: Double) -> Int {
    guard seconds > 0, count > 0 else { return 0 }
    let rate = Double(count) / max(seconds, 0.001)
    return rate < 1e15 ? Int(rate.rounded()) : 0
}

extension HTML {
    /// Adds a large figure with a note.
    mutating func figure(_ name: StaticString, _ value: String, _ note: String) {
        raw("<div><dt>")
        raw(name)
        raw("</dt><dd><strong>")
        text(value)
        raw("</strong>")
        if !note.isEmpty {
            raw(" <span>")
            text(note)
            raw("</span>")
        }
        raw("</dd></div>\n")
    }
}
