import Glibc
import Testing

@testable import Telemetry

@Suite struct ProgressTests {
    private static let full = ProgressReport(
        snapshot: ProgressSnapshot(
            phase: .copying, entries: 1024, bytes: 134_217_728, expectedEntries: 10240, expectedBytes: 1_288_490_189,
            skipped: 1, retries: 1200, prefix: Array("logical/8a5c3d6e-aaaa-bbbb-cccc-0123456789ab/\u{E9}".utf8)),
        elapsed: .seconds(2), entriesPerSecond: 512, bytesPerSecond: 67_108_864)
    private static let bare = ProgressReport(snapshot: ProgressSnapshot(phase: .preflight), elapsed: .milliseconds(1))

    @Test func rendersTheBlock() {
        #expect(
            renderProgress(Self.full, width: 100, colour: false) == [
                "copying  1,024 of 10,240 entries  128.0 MiB of 1.2 GiB  10.0%",
                "  512 entries/s  64.0 MiB/s  elapsed 2.0s  ETA 18s  retries 1,200  skipped 1",
                #"  at logical/8a5c3d6e-aaaa-bbbb-cccc-0123456789ab/\xc3\xa9"#,
            ])
        #expect(
            renderProgress(Self.full, width: 40, colour: true) == [
                "\u{1B}[36mcopying\u{1B}[0m  1,024 of 10,240 entries  12...",
                "  512 entries/s  64.0 MiB/s  elapsed...",
                #"  at logical/8a5c3d6e...6789ab/\xc3\xa9"#,
            ])
        #expect(
            renderProgress(Self.bare, width: 80, colour: false)
                == ["preflight  0 entries  0 B", "  0 entries/s  0 B/s  elapsed 1ms"])
    }

    @Test(arguments: [0, 1, 11, 39, 80, 500])
    func linesStayNarrowerThanTheTerminal(_ width: Int) {
        for report in [Self.full, Self.bare] {
            #expect(renderProgress(report, width: width, colour: false).allSatisfy { $0.count < max(width, 11) })
        }
    }

    @Test func smoothsRatesAndEstimates() throws {
        var meter = ProgressMeter()
        func report(_ entries: Int, at time: Int, _ phase: ProgressPhase = .copying) -> ProgressReport {
            let snapshot = ProgressSnapshot(phase: phase, entries: entries, bytes: entries * 10, expectedEntries: 10000)
            return meter.report(snapshot, elapsed: .seconds(time))
        }
        #expect(report(0, at: 0).remaining == nil)
        let steady = report(1000, at: 10)
        #expect(steady.entriesPerSecond == 100 && steady.bytesPerSecond == 1000)
        #expect(steady.remaining == .seconds(90) && steady.fraction == 0.1)
        // One stalled interval of the smoothing time leaves 1/e of the rate.
        let stalled = report(1000, at: 20)
        #expect(abs(stalled.entriesPerSecond - 36.788) < 0.001)
        #expect(report(1000, at: 20) == stalled)
        #expect(report(1000, at: 21, .comparing).entriesPerSecond == 0)
        #expect(report(1100, at: 22, .comparing).entriesPerSecond == 100)
        #expect(report(50, at: 23, .comparing).entriesPerSecond == 0)
        #expect(report(20000, at: 24, .comparing).fraction == 1)
    }

    /// The first line of a phase has nothing before it in that phase to be compared with, but knows when it began.
    @Test func theFirstReportOfAPhaseHasARate() {
        var meter = ProgressMeter()
        let counters = ProgressCounters()
        _ = meter.report(counters.snapshot(), elapsed: .zero)
        counters.restart(.copying, done: (5000, 50000))
        counters.add(entries: 400, bytes: 4000)
        var snapshot = counters.snapshot()
        #expect(snapshot.entries == 5400 && snapshot.phaseEntries == 400 && snapshot.phaseBytes == 4000)
        #expect(snapshot.phaseTime > .zero)
        snapshot.phaseTime = .seconds(4)
        let report = meter.report(snapshot, elapsed: .seconds(5))
        #expect(report.entriesPerSecond == 100 && report.bytesPerSecond == 1000)
    }

    @Test func countsFromManyThreads() {
        let counters = ProgressCounters()
        counters.expect(entries: nil, bytes: 7)
        runOnThreads(4) { _ in
            for _ in 0..<1000 {
                counters.add(entries: 2, bytes: 3)
                counters.addRetries()
                counters.addSkipped(2)
                counters.setPrefix([1])
            }
        }
        counters.enter(.syncing)
        let expected = ProgressSnapshot(
            phase: .syncing, entries: 8000, bytes: 12000, expectedBytes: 7, skipped: 8000, retries: 4000, prefix: [1])
        var found = counters.snapshot()
        found.phaseTime = .zero
        #expect(found == expected)
        counters.restart(.comparing, expectedEntries: 5)
        let again = counters.snapshot()
        #expect(again.entries == 0 && again.expectedEntries == 5 && again.expectedBytes == nil && again.retries == 4000)
    }

    @Test func logLinesGoAboveTheBlock() throws {
        let pipe = try Pipe()
        pipe.output.writeLine("before")
        pipe.output.show(["one", "two"])
        pipe.output.writeLine("line")
        pipe.output.show(["three"])
        pipe.output.endBlock(leaving: false)
        pipe.output.writeLine("after")
        let up2 = "\r\u{1B}[2A\u{1B}[J"
        let up1 = "\r\u{1B}[1A\u{1B}[J"
        #expect(pipe.text() == "before\none\ntwo\n\(up2)line\none\ntwo\n\(up2)three\n\(up1)after\n")
    }

    @Test func eventsEndWithTheLastState() throws {
        let pipe = try Pipe()
        let counters = ProgressCounters()
        let display = ProgressDisplay(
            counters, style: .events(EventWriter(output: pipe.output)), interval: .seconds(3600))
        counters.restart(.copying, expectedEntries: 4)
        counters.add(entries: 2, bytes: 100)
        counters.setPrefix([0x61, 0xFF])
        display.finish()
        display.finish()
        let text = pipe.text()
        let start =
            #"{"event":"progress","phase":"copying","entries":2,"bytes":100,"expected_entries":4,"expected_bytes":null,"#
        #expect(text.hasPrefix(start + #""skipped":0,"retries":0,"throttles":0,"entries_per_second":"#))
        #expect(text.hasSuffix(#""prefix":"a\\xff"}"# + "\n"))
        #expect(text.split(separator: "\n").count == 1)
    }

    @Test func linesCarryTheFields() throws {
        let pipe = try Pipe()
        let logger = Logger(name: "migrate", output: pipe.output)
        let settings = TerminalSettings(isTerminal: false, environment: [:])
        ProgressDisplay(ProgressCounters(), style: .suited(to: settings, logger: logger)).finish()
        let text = pipe.text()
        #expect(text.contains("[INFO]  migrate: progress: phase=preflight entries=0 bytes=0 percent=unknown "))
        #expect(text.hasSuffix("eta=unknown retries=0 throttles=0 skipped=0 prefix=\"\"\n"))
    }

    @Test func drawsOnARealTerminal() throws {
        let terminal = try Terminal(columns: 60)
        let output = TerminalOutput(descriptor: terminal.descriptor)
        let settings = TerminalSettings(descriptor: terminal.descriptor, environment: ["NO_COLOR": "1"])
        #expect(settings.allowsLiveBlock && !settings.allowsColour)
        #expect(terminalWidth(of: terminal.descriptor) == 60)
        let counters = ProgressCounters()
        counters.expect(entries: 1000)
        let logger = Logger(output: output)
        let display = ProgressDisplay(
            counters, style: .suited(to: settings, output: output, logger: logger), interval: .milliseconds(50))
        let drawn = terminal.read(until: "ms\r\n")
        #expect(drawn.hasPrefix("preflight  0 of 1,000 entries  0 B  0.0%\r\n  0 entries/s  0 B/s  elapsed "))
        display.finish(leavingBlock: true)
        output.writeLine("Success!")
        let rest = terminal.read(until: "Success!\r\n")
        #expect(rest.hasSuffix("\r\nSuccess!\r\n") && !rest.hasSuffix("\u{1B}[JSuccess!\r\n"))
    }
}

/// A pseudo-terminal of a given width.
private final class Terminal {
    let descriptor: Int32
    private let controller: Int32

    init(columns: UInt16) throws {
        var size = winsize(ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        var controller: Int32 = 0
        var descriptor: Int32 = 0
        try #require(openpty(&controller, &descriptor, nil, nil, &size) == 0)
        self.controller = controller
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
        close(controller)
    }

    /// What appears on the screen up to and with a text, or until nothing comes for ten seconds.
    func read(until end: String) -> String {
        var text: [UInt8] = []
        var byte: UInt8 = 0
        var poller = pollfd(fd: controller, events: Int16(POLLIN), revents: 0)
        while poll(&poller, 1, 10_000) == 1, Glibc.read(controller, &byte, 1) == 1 {
            text.append(byte)
            if text.suffix(end.utf8.count).elementsEqual(end.utf8) { break }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
