import Foundation
import Testing

/// The drop-in contract: every case that the stock command was asked, asked again.
@Suite struct IncumbentTests {
    @Test func everyRecordedCaseIsThere() {
        #expect(IncumbentCase.recorded.count == 37)
        for departure in Departure.declared + Departure.declaredInPractice {
            #expect(IncumbentCase.recorded[departure.name] != nil, "no case \(departure.name)")
        }
    }

    @Test(arguments: IncumbentCase.recorded.keys.sorted(), [false, true])
    func answersLikeTheStockCommand(_ name: String, _ isPractice: Bool) throws {
        let recorded = try #require(IncumbentCase.recorded[name])
        let sandbox = try Sandbox()
        let flags = isPractice ? ["-practice"] : []
        let words = try sandbox.prepare(name, recorded, flags: flags)
        let outcome = try sandbox.sealift(["operator", "migrate"] + flags + words)
        if let departure = departure(of: name, isPractice) {
            #expect(outcome.code == departure.code, "\(departure.reason): \(outcome.errors)")
            let said = outcome.output + outcome.errors
            #expect(said.contains(sandbox.filled(departure.says)), "\(departure.reason): \(said)")
        } else {
            #expect(outcome.code == recorded.rc, "\(outcome.errors)")
            expectLines(recorded.outputLines, in: outcome.outputLines, sandbox)
            expectLines(recorded.errorLines, in: outcome.errorLines, sandbox)
            #expect(sandbox.destinationFiles() == Set(recorded.destinationFiles))
        }
        #expect(exists("\(sandbox.path)/src/core/_migration") == recorded.lockLeftOnSource)
    }

    private func departure(of name: String, _ isPractice: Bool) -> Departure? {
        if isPractice, let departure = Departure.declaredInPractice.first(where: { $0.name == name }) {
            return departure
        }
        guard !isPractice || Departure.inBoth.contains(name) else { return nil }
        return Departure.declared.first { $0.name == name }
    }

    private func expectLines(_ recorded: [String], in ours: [String], _ sandbox: Sandbox) {
        for line in recorded.map(sandbox.filled) {
            #expect(ours.contains { $0.hasPrefix(line) }, "\(line) is not a line of \(ours)")
        }
    }

    @Test func successIsOnStandardOutputOnly() throws {
        let sandbox = try Sandbox()
        let recorded = try #require(IncumbentCase.recorded["log_level_error"])
        let words = try sandbox.prepare("log_level_error", recorded, flags: [])
        let outcome = try sandbox.sealift(["operator", "migrate"] + words)
        #expect(outcome.code == 0)
        #expect(outcome.output.hasPrefix("Success! All of the keys have been migrated.\n"))
        #expect(outcome.errors == "")
    }

    /// Users must be able to look up every departure.
    @Test func aPageNamesEveryDeparture() throws {
        let section = try text(of: "\(Sandbox.packageRoot)/Sources/Migration/Migration.docc/Departures.md")
        #expect(section.hasPrefix("# Departures from the stock command\n"))
        let rows = section.components(separatedBy: "\n").filter { $0.hasPrefix("|") }
        for departure in Departure.declared + Departure.declaredInPractice {
            #expect(rows.contains { $0.contains("`\(departure.name)`") }, "no row for \(departure.name)")
        }
    }
}
