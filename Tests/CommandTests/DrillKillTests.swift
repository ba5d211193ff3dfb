import Foundation
import TestSupport
import Testing

/// Drills that are stopped and killed.
@Suite struct DrillKillTests {
    /// Before every single change to the disk: the next drill removes what is left, and no report claims what was not.
    @Test func everyKillIsPutRight() throws {
        let shared = try SharedStore(.fileOpenBao)
        let sandbox = shared.sandbox
        let drilling = Drilling(sandbox: sandbox)
        let file = try drilling.file(shared.store.block("storage_source"))
        let words = ["drill", "-config", file]
        var (isDone, kills) = (false, 0)
        for step in stride(from: 1, through: Steps.maximum, by: Effort.stride(5)) where !isDone {
            let settings = ["STEPS_HASTE": "1", "STEPS_KIND": "all", "STEPS_KILL": "\(step)"]
            let outcome = try sandbox.sealift(words, adding: try Steps.variables(settings))
            if outcome.code == 0 {
                isDone = true
                continue
            }
            #expect(outcome.code == -SIGKILL, "step \(step): \(outcome.errors)")
            kills += 1
            // Whoever says that it has passed has removed its copy.
            let report = try drilling.reports().last
            let result = report?["result"] as? String
            #expect(
                result == nil || result == "unfinished" || result == "passed" && drilling.copies.isEmpty, "step \(step)"
            )
            let history = try sandbox.sealift(["drill", "history", "-config", file])
            #expect(
                history.code == 0 || !exists("\(drilling.folder)/sealift-drills") || report == nil,
                "step \(step): \(history.errors)")
            // Drills of one second have one name but for the process.
            let again = try sandbox.sealift(words)
            #expect(again.code == 0, "step \(step): \(again.errors)")
            #expect(drilling.copies.isEmpty, "step \(step)")
            if step > 60 { continue }
            // The first ones make the folder.
            try sandbox.shell("rm -r '\(drilling.folder)'")
        }
        #expect(isDone && kills > 5)
    }

    /// A program that stands there like a server which takes its time; its process id comes to a file.
    private func slowServer(_ drilling: Drilling) throws -> (options: String, process: String) {
        let process = "\(drilling.sandbox.path)/process"
        let script = try drilling.script(
            "slow", "echo $$ > '\(process).new'; mv '\(process).new' '\(process)'; exec sleep 1000")
        return ("  binary = \"\(script)\"", process)
    }

    private func isRunning(_ process: Int32) -> Bool {
        // One that nobody has waited for yet is a zombie, and does nothing.
        let line = (try? text(of: "/proc/\(process)/stat")) ?? ""
        return !line.isEmpty && line.components(separatedBy: ") ").last?.hasPrefix("Z") != true
    }

    @Test(arguments: [SIGINT, SIGTERM, SIGHUP, SIGKILL])
    func theServerEndsWithTheDrill(_ signal: Int32) throws {
        let shared = try SharedStore(.fileOpenBao)
        let drilling = Drilling(sandbox: shared.sandbox)
        let (options, processFile) = try slowServer(drilling)
        let file = try drilling.file(shared.store.block("storage_source"), server: options)
        let started = try shared.sandbox.startShell(
            "exec \"$0\" \"$@\" 5< '\(shared.sharesFile)'", ["drill", "-config", file, "-shares-fd", "5"])
        try waitUntil("the server runs") { exists(processFile) || started.program.ends(within: 1) }
        let server = try #require(Int32(try text(of: processFile).trimmingCharacters(in: .whitespacesAndNewlines)))
        #expect(isRunning(server) && drilling.copies.count == 1)
        started.program.send(signal)
        let outcome = try started.outcome()
        #expect(outcome.code == (signal == SIGKILL ? -SIGKILL : 130), "\(outcome.errors)")
        try waitUntil("the server has ended") { !isRunning(server) }
        let report = try drilling.report()
        if signal == SIGKILL {
            #expect(drilling.copies.count == 1 && report["result"] as? String == "unfinished")
            let next = try drilling.file(shared.store.block("storage_source"), name: "next.hcl")
            #expect(try shared.sandbox.sealift(["drill", "-config", next]).code == 0)
        } else {
            #expect(report["result"] as? String == "interrupted" && report["failed_phase"] as? String == "start")
            #expect(outcome.errors.contains("The server was stopped and the copy removed"), "\(outcome.errors)")
        }
        #expect(drilling.copies.isEmpty)
        #expect(try shared.leaks() == [])
    }
}
