import Report
import Telemetry

/// The figures of a run in Prometheus' text format.
struct LiveMetrics {
    private var text = ""

    /// The whole text.
    static func text(_ state: LiveState) -> String {
        let (snapshot, course) = (state.counters.snapshot(), state.counters.course)
        var metrics = LiveMetrics()
        metrics.add(
            "sealift_info", "gauge", "Version of Sealift.", [([("version", sealiftVersion)], 1)])
        metrics.add(
            "sealift_phase", "gauge", "1 for the phase that the run is in.",
            ProgressPhase.allCases.map { ([("phase", $0.name)], $0 == snapshot.phase ? 1 : 0) })
        metrics.add(
            "sealift_entries_total", "counter", "Entries done, by phase.",
            course.phases.map { ([("phase", $0.phase.name)], Double($0.entries)) })
        metrics.add(
            "sealift_bytes_total", "counter", "Bytes of keys and values done, by phase.",
            course.phases.map { ([("phase", $0.phase.name)], Double($0.bytes)) })
        metrics.add(
            "sealift_phase_seconds_total", "counter", "Seconds in each phase.",
            course.phases.map { ([("phase", $0.phase.name)], $0.seconds) })
        if let expected = snapshot.expectedEntries {
            metrics.add(
                "sealift_expected_entries", "gauge", "Entries to be done in this phase.", [([], Double(expected))])
        }
        if let expected = snapshot.expectedBytes {
            metrics.add("sealift_expected_bytes", "gauge", "Bytes to be done in this phase.", [([], Double(expected))])
        }
        metrics.add(
            "sealift_retries_total", "counter", "Requests made again, throttled ones included.",
            [([], Double(snapshot.retries))])
        metrics.add(
            "sealift_throttles_total", "counter", "Requests that a service refused for their rate.",
            [([], Double(snapshot.throttles))])
        let verdict = state.verdict
        metrics.add(
            "sealift_errors_total", "counter", "1 once the run has failed.", [([], verdict == .failed ? 1 : 0)])
        let results: [(String, ReportDocument.Verdict)] = [
            ("running", .running), ("proven", .proven), ("part_proven", .partProven), ("not_final", .notFinal),
            ("would_go_through", .wouldGoThrough), ("failed", .failed),
        ]
        metrics.add(
            "sealift_result", "gauge", "1 for what the run has come to.",
            results.map { ([("result", $0.0)], $0.1 == verdict ? 1 : 0) })
        return metrics.text
    }

    private mutating func add(
        _ name: String, _ type: String, _ help: String, _ samples: [(labels: [(String, String)], value: Double)]
    ) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
        for (labels, value) in samples {
            // All labels are words of the program's own.
            let shown = labels.map { "\($0.0)=\"\($0.1)\"" }.joined(separator: ",")
            let number = value == value.rounded() && value.magnitude < 1e15 ? String(Int(value)) : String(value)
            text += "\(name)\(shown.isEmpty ? "" : "{\(shown)}") \(number)\n"
        }
    }
}
