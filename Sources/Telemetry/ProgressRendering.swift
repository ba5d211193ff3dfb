/// The live block of a report: one to three lines narrower than the terminal.
///
/// - Parameters:
///   - width: Columns of the terminal.
///   - colour: Whether the phase is coloured.
package func renderProgress(_ report: ProgressReport, width: Int, colour: Bool) -> [String] {
    let snapshot = report.snapshot
    // The last column stays free: some terminals wrap as soon as it is written.
    let limit = max(width - 1, 10)
    let phase = snapshot.phase.name
    var amounts = [amount(formatCount(snapshot.entries), snapshot.expectedEntries.map(formatCount))]
    // Where both are told, the noun goes with the total.
    amounts[0] += (snapshot.expectedEntries ?? snapshot.entries) == 1 ? " entry" : " entries"
    amounts.append(amount(formatBytes(snapshot.bytes), snapshot.expectedBytes.map(formatBytes)))
    if let fraction = report.fraction { amounts.append(percent(fraction) + "%") }
    var first = clipped(([phase] + amounts).joined(separator: "  "), limit)
    if colour { first = "\u{1B}[36m" + first.prefix(phase.count) + "\u{1B}[0m" + first.dropFirst(phase.count) }

    var details = [
        "\(formatCount(rounded(report.entriesPerSecond))) entries/s",
        "\(formatBytes(rounded(report.bytesPerSecond)))/s", "elapsed \(formatDuration(report.elapsed))",
    ]
    if let remaining = report.remaining { details.append("ETA \(formatDuration(remaining))") }
    if snapshot.retries > 0 { details.append("retries \(formatCount(snapshot.retries))") }
    if snapshot.throttles > 0 { details.append("throttled \(formatCount(snapshot.throttles))") }
    if snapshot.skipped > 0 { details.append("skipped \(formatCount(snapshot.skipped))") }
    var lines = [first, clipped("  " + details.joined(separator: "  "), limit)]
    if !snapshot.prefix.isEmpty { lines.append("  at " + shortened(printableKey(snapshot.prefix), max(limit - 5, 5))) }
    return lines
}

extension ProgressReport {
    /// The fields of a progress line in the log.
    var logFields: KeyValuePairs<String, LogValue> {
        [
            "phase": .string(snapshot.phase.name),
            "entries": .string(amount(String(snapshot.entries), snapshot.expectedEntries.map(String.init), "/")),
            "bytes": .string(amount(String(snapshot.bytes), snapshot.expectedBytes.map(String.init), "/")),
            "percent": .string(fraction.map(percent) ?? "unknown"),
            "entries_per_second": .integer(rounded(entriesPerSecond)),
            "bytes_per_second": .integer(rounded(bytesPerSecond)),
            "elapsed": .string(formatDuration(elapsed)),
            "eta": .string(remaining.map(formatDuration) ?? "unknown"),
            "retries": .integer(snapshot.retries),
            "throttles": .integer(snapshot.throttles),
            "skipped": .integer(snapshot.skipped),
            "prefix": .key(snapshot.prefix),
        ]
    }

    /// The members of a progress event behind its name.
    package var eventMembers: [(String, JSONText)] {
        [
            ("phase", .string(snapshot.phase.name)),
            ("entries", .integer(snapshot.entries)),
            ("bytes", .integer(snapshot.bytes)),
            ("expected_entries", .optional(snapshot.expectedEntries)),
            ("expected_bytes", .optional(snapshot.expectedBytes)),
            ("skipped", .integer(snapshot.skipped)),
            ("retries", .integer(snapshot.retries)),
            ("throttles", .integer(snapshot.throttles)),
            ("entries_per_second", .integer(rounded(entriesPerSecond))),
            ("bytes_per_second", .integer(rounded(bytesPerSecond))),
            ("elapsed_milliseconds", .integer(milliseconds(elapsed))),
            ("remaining_milliseconds", .optional(remaining.map(milliseconds))),
            ("prefix", .string(printableKey(snapshot.prefix))),
        ]
    }
}

private func amount(_ done: String, _ total: String?, _ separator: String = " of ") -> String {
    total.map { done + separator + $0 } ?? done
}

/// One decimal, rounded down: 100.0 is only shown when everything is done.
private func percent(_ fraction: Double) -> String {
    oneDecimal((fraction * 1000).rounded(.down) / 10)
}

private func rounded(_ rate: Double) -> Int {
    rate.isFinite && rate < 1e18 ? Int(rate.rounded()) : 0
}

private func milliseconds(_ duration: Duration) -> Int { Int(seconds(duration) * 1000) }

private func clipped(_ line: String, _ limit: Int) -> String {
    line.count <= limit ? line : line.prefix(limit - 3) + "..."
}

/// A text with its middle left out if it is longer than `limit`: both ends of a prefix tell where it is.
private func shortened(_ text: String, _ limit: Int) -> String {
    guard text.count > limit else { return text }
    let kept = max(limit - 3, 2)
    return text.prefix((kept + 1) / 2) + "..." + text.suffix(kept / 2)
}
