import Telemetry

/// Rates over time, made of the samples of a run.
struct RateSeries {
    /// Samples of a foreign document beyond what a run keeps are left out.
    private static let mostSamples = 2 * ProgressHistory.maximumSamples
    /// Steps of a picture; more would only show the unevenness of single batches.
    private static let mostSteps = 120.0
    /// Seconds; a batch more or less is no rate.
    private static let shortestStep = 0.05

    /// What is drawn over time.
    enum Quantity: CaseIterable {
        case entries, bytes, throttles
    }

    /// A stretch with one rate.
    struct Step: Equatable {
        let phase: String
        let start: Double
        let end: Double
        /// Units a second.
        let rate: Double

        func joined(with next: Step) -> Step {
            let amount = rate * (end - start) + next.rate * (next.end - next.start)
            return Step(phase: phase, start: start, end: next.end, rate: amount / (next.end - start))
        }
    }

    private struct Sample {
        let seconds: Double
        let phase: String
        let counts: [Quantity: Double]
    }

    private let samples: [Sample]
    /// Seconds from the first sample to the last.
    let length: Double
    private let beginning: Double

    init(_ elements: [JSONText]) {
        var samples: [Sample] = []
        for element in elements.prefix(Self.mostSamples) {
            guard let seconds = element["seconds"].number, seconds >= samples.last?.seconds ?? 0, seconds < 1e12,
                let phase = element["phase"].string
            else { continue }
            func count(_ name: String) -> Double { max(element[name].number ?? 0, 0) }
            samples.append(
                Sample(
                    seconds: seconds, phase: phase,
                    counts: [
                        .entries: count("entries"), .bytes: count("bytes"), .throttles: count("throttles"),
                    ]))
        }
        self.samples = samples
        beginning = samples.first?.seconds ?? 0
        length = (samples.last?.seconds ?? 0) - beginning
    }

    /// The rate of each stretch, none across a change of phase. Times count from the first sample.
    func steps(_ quantity: Quantity) -> [Step] {
        guard length > 0 else { return [] }
        var steps: [Step] = []
        var start: Sample?
        for (index, sample) in samples.enumerated() {
            guard let first = start, first.phase == sample.phase,
                sample.counts[quantity, default: 0] >= first.counts[quantity, default: 0] || quantity == .throttles
            else {
                start = sample
                continue
            }
            let time = sample.seconds - first.seconds
            let isLast = index + 1 == samples.count || samples[index + 1].phase != sample.phase
            let isShort = time < length / Self.mostSteps || time < Self.shortestStep
            guard time > 0, !isShort || isLast else { continue }
            let more = max(sample.counts[quantity, default: 0] - first.counts[quantity, default: 0], 0)
            let step = Step(
                phase: sample.phase, start: first.seconds - beginning, end: sample.seconds - beginning,
                rate: more / time)
            // What is left at the end of a phase is too short for a rate of its own.
            if isShort, let last = steps.last, last.phase == step.phase, last.end == step.start {
                steps[steps.count - 1] = last.joined(with: step)
            } else {
                steps.append(step)
            }
            start = sample
        }
        return steps
    }
}
