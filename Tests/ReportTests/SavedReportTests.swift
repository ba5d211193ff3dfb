import Telemetry
import TestSupport
import Testing

@testable import Report

/// A saved report is a file like any other: anybody may have written it.
@Suite struct SavedReportTests {
    private static let text = Array(JSONText.object(SampleReport.proven()).indentedText.utf8)

    @Test func theSamePageComesOfTheSavedReport() throws {
        let page = ReportPage(ReportDocument(.object(SampleReport.proven()))).file
        #expect(ReportPage(try SavedReport.read(Self.text)).file == page)
    }

    /// The result event has neither version nor time, and is only there if all went well.
    @Test func aResultEventIsAReportAsWell() throws {
        let members = SampleReport.proven().filter { !["sealift", "finished", "result", "failure"].contains($0.0) }
        let event = JSONText.object([("event", .string("result"))] + members).text
        #expect(try SavedReport.read(Array(event.utf8)).verdict == .proven)
    }

    private static let others = [
        "", " ", "{}", "[]", "null", "7", "\"x\"", "{\"sealift\":\"1\"}", "{\"result\":\"failed\"}", "<html>",
        "{\"sealift\":\"0.1.0\",\"result\":\"failed\",\"source\":{\"kind\":\"file\"},\"destinations\":{}}",
        "{\"event\":\"progress\",\"source\":{\"kind\":\"file\"},\"destinations\":[1]}",
        String(repeating: "[", count: 10_000), String(repeating: "{\"a\":", count: 5000) + "1",
    ]

    @Test(arguments: others.indices)
    func whatIsNoReportIsRefused(_ index: Int) {
        #expect(throws: ReportError.self, "\(Self.others[index].prefix(60))") {
            try SavedReport.read(Array(Self.others[index].utf8))
        }
    }

    @Test func tooManyValuesAreRefused() {
        let many = "{\"result\":[\(String(repeating: "1,", count: 1_000_001))1]}"
        #expect(throws: ReportError.self) { try SavedReport.read(Array(many.utf8)) }
    }

    @Test func aCutReportIsRefused() {
        for length in 0..<Self.text.count - 1 {
            #expect(throws: ReportError.self) { try SavedReport.read(Array(Self.text.prefix(length))) }
        }
    }

    /// Whatever the figures are, a page comes of them, or an error.
    @Test func noChangeOfAByteTraps() {
        var random = SeededRandom(11)
        for _ in 0..<2000 {
            var text = Self.text
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                text[Int.random(in: 0..<text.count, using: &random)] = UInt8.random(in: 0x20...0x7e, using: &random)
            }
            if let document = try? SavedReport.read(text) { #expect(ReportPage(document).file.contains("<h1>")) }
        }
    }

    @Test(arguments: ["9223372036854775807", "-9223372036854775808", "1e308", "-1e308", "0.5", "1e999", "null"])
    func noNumberTraps(_ number: String) throws {
        let text = String(decoding: Self.text, as: UTF8.self)
            .replacing(/": -?[0-9.]+/) { _ in "\": \(number)" }
        guard let document = try? SavedReport.read(Array(text.utf8)) else { return }
        let samples =
            "{\"samples\":[{\"seconds\":0,\"phase\":\"copying\"},{\"seconds\":\(number),\"phase\":\"copying\","
        let progress = "\(samples)\"entries\":\(number),\"bytes\":\(number)}]}"
        let whole = "{\"progress\":\(progress),\(text.dropFirst())"
        #expect(ReportPage(document).file.contains("<h1>"))
        #expect(ReportPage(try SavedReport.read(Array(whole.utf8))).file.contains("<h1>"))
    }
}
