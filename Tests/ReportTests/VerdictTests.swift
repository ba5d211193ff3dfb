import Foundation
import Telemetry
import Testing

@testable import Report

/// A document is called proven only if its own figures say so.
@Suite struct VerdictTests {
    private static func verdict(_ changes: [(String, JSONText)]) -> ReportDocument.Verdict {
        ReportDocument(SampleReport.changed(SampleReport.proven(), changes)).verdict
    }

    @Test func aProvenRunIsProven() {
        #expect(Self.verdict([]) == .proven)
        let part: [(String, JSONText)] = [
            ("result", .string("a part migrated and proven")), ("partial", .boolean(true)),
        ]
        #expect(Self.verdict(part) == .partProven)
        let warm: [(String, JSONText)] = [("result", .string("a warm pass, not final")), ("final", .boolean(false))]
        #expect(Self.verdict(warm) == .notFinal)
        #expect(Self.verdict([("result", .string("failed")), ("failure", .string("why"))]) == .failed)
        #expect(Self.verdict([("result", .string("running"))]) == .running)
        #expect(
            Self.verdict([("result", .string("would go through")), ("dry_run", .boolean(true))]) == .wouldGoThrough)
    }

    private static let contradictions: [[(String, JSONText)]] = [
        [("entries", .integer(2))], [("entries", .null)], [("destinations", .array([]))], [("destinations", .null)],
        [("failure", .string("why"))], [("dry_run", .boolean(true))], [("partial", .boolean(true))],
        [("partial", .null)], [("final", .boolean(false))], [("result", .string("a warm pass, not final"))],
        [("result", .string("Migrated and proven"))], [("result", .null)],
        [("result", .string("would go through"))], [("result", .string("a part migrated and proven"))],
        [("destinations", .array([.object([("comparison", SampleReport.comparison(same: 1, missing: 1))])]))],
        [("destinations", .array([.object([("comparison", SampleReport.comparison(same: 1, extra: 1))])]))],
        [("destinations", .array([.object([("comparison", .object([("same", .integer(1))]))])]))],
        [("destinations", .array([.object([])]))],
    ]

    @Test(arguments: contradictions.indices)
    func aDocumentThatContradictsItselfProvesNothing(_ index: Int) {
        let changes = Self.contradictions[index]
        #expect(Self.verdict(changes) == .unclear, "\(changes)")
        let page = ReportPage(ReportDocument(SampleReport.changed(SampleReport.proven(), changes))).file
        #expect(page.contains("<h1>This document proves nothing</h1>") && !page.contains("Migrated and proven"))
    }

    @Test func theVerdictStandsBeforeAllElse() throws {
        let page = ReportPage(ReportDocument(.object(SampleReport.proven(entries: 12_345)))).file
        let heading = try #require(page.range(of: "<h1>Migrated and proven</h1>"))
        #expect(!page[..<heading.lowerBound].contains("<h2"))
        #expect(page.contains("All 12,345 entries that the source gave were read back from the destination"))
        #expect(page.contains("<title>Proven: file to raft"))
    }
}
