import Foundation
import OpenBaoTestKit
import Synchronization
import TestSupport
import Testing

/// Migrations in passes beside a server that writes, and the way back from them.
@Suite struct PassTests {
    /// A client that writes, changes, removes and makes anew without a pause, and remembers what was acknowledged.
    private final class Client: Sendable {
        /// What each secret must be; `nil` for one that is gone. None for one whose last request was not answered.
        private struct State {
            var expected: [String: String?] = [:]
            var requests = 0
            var isStopped = false
        }

        private let api: ServerAPI
        private let state = Mutex(State())
        private let hasEnded = DispatchSemaphore(value: 0)

        init(_ api: ServerAPI, seed: Int) {
            self.api = api
            let thread = Thread { [self] in
                var random = SeededRandom(seed)
                while !state.withLock({ $0.isStopped }) { step(&random) }
                hasEnded.signal()
            }
            thread.start()
        }

        private func step(_ random: inout SeededRandom) {
            let name = "busy/\(random.below(12))/\(random.below(40))"
            let isRemoval = random.below(3) == 0
            let value = "\(random.next())"
            // Until it is answered, it may be either.
            state.withLock { _ = $0.expected.removeValue(forKey: name) }
            do {
                if isRemoval {
                    try api.ask("DELETE", name)
                } else {
                    try api.ask("POST", name, "{\"value\":\"\(value)\"}")
                }
                state.withLock { state in
                    state.expected[name] = isRemoval ? .some(nil) : value
                    state.requests += 1
                }
            } catch {
                // The server is being stopped.
                state.withLock { $0.isStopped = true }
            }
        }

        func stop() {
            state.withLock { $0.isStopped = true }
            hasEnded.wait()
        }

        func wait(forRequests count: Int) throws {
            let before = state.withLock { $0.requests }
            try eventually("\(count) more requests") { state.withLock { $0.requests } >= before + count }
        }

        /// Demands everything that was acknowledged.
        func check(_ api: ServerAPI, _ place: String) throws {
            let expected = state.withLock { $0.expected }
            try demand(expected.count > 100, "only \(expected.count) secrets were written")
            for (name, value) in expected {
                let answer = try api.send("GET", name)
                let found = answer.status == 404 ? nil : try api.text("data.value", "GET", name)
                try demand(
                    found == value,
                    "\(place): \(name) is \(found ?? "gone"), not \(value ?? "gone") (\(answer.status) \(answer.errors))"
                )
            }
        }
    }

    private static func sealift(_ words: String, expecting code: Int32, in folder: String) throws -> String {
        try runProgram(
            "/bin/sh", ["-c", "\"$0\" \(words) 2>&1; test $? = \(code)", BuiltProgram.path],
            ["HOME": folder, "XDG_STATE_HOME": "\(folder)/state"])
    }

    @Test(arguments: [SIGTERM, SIGKILL])
    func aServerThatWritesIsMovedInPassesAndBack(_ signal: Int32) async throws {
        try await Journey.run { folder in
            let old = try Node(.lastOnFiles, "old", in: folder, .file)
            try old.start()
            let keys = try old.initialise()
            try old.unseal(keys)
            try old.api.ask("POST", "sys/mounts/busy", #"{"type":"kv"}"#)
            let contents = try Filling.fill(old.api, seed: 11, namespaces: false)
            let client = Client(old.api, seed: Int(signal))

            let new = try Node(.lastOnFiles, "new", in: folder, .raft())
            try """
            storage_source "file" {
              path = "\(old.data)"
            }
            storage_destination "raft" {
              path    = "\(new.data)"
              node_id = "new"
            }
            cluster_addr = "\(new.clusterAddress)"

            """.write(toFile: "\(folder)/migrate.hcl", atomically: false, encoding: .utf8)
            let migrate = "operator migrate -practice -config '\(folder)/migrate.hcl' -state-dir '\(folder)/passes'"
            for pass in 1...3 {
                try client.wait(forRequests: 60)
                let said = try Self.sealift("\(migrate) -mode=warm", expecting: 4, in: folder)
                try demand(
                    said.contains("Pass          \(pass)") && said.contains("Not final: a warm pass is done"), said)
                try demand(access(new.data, F_OK) != 0, "the directory is there before its time")
            }
            try client.wait(forRequests: 60)
            if signal == SIGKILL { old.kill() } else { old.stop() }
            client.stop()
            // A write that a kill has cut off leaves a file of zero length.
            let said = try Self.sealift("\(migrate) -mode=final -allow-lost-entries", expecting: 0, in: folder)
            try demand(said.contains("Since then") && said.contains("Outage"), said)

            try new.start()
            try new.unseal(keys)
            try eventually("the new node is active") { try new.isActive() }
            try contents.check(new.api)
            try client.check(new.api, "on the new store")

            // An OpenBao on integrated storage keeps its mount tables as none on files reads them: the old store stays as it is.
            new.stop()
            let back = try Self.sealift(
                "operator rollback -report '\(folder)/passes/report.json' -run", expecting: 2, in: folder)
            try demand(back.contains("it would start with new, empty tables"), back)
            try old.start()
            try old.unseal(keys)
            try client.check(old.api, "on the old store, which was left alone")
        }
    }

    /// What was written on the new store is served by the old kind of store, started again.
    @Test func whatWasWrittenSinceTheCutOverGoesBack() async throws {
        try await Journey.run { folder in
            let old = try Node(.lastOnFiles, "old", in: folder, .file)
            try old.start()
            let keys = try old.initialise()
            try old.unseal(keys)
            try old.api.ask("POST", "sys/mounts/busy", #"{"type":"kv"}"#)
            let contents = try Filling.fill(old.api, seed: 12)
            let before = Client(old.api, seed: 1)
            try before.wait(forRequests: 200)
            before.stop()
            old.stop()
            let new = try Node(.lastOnFiles, "new", in: folder, .file)
            try Migration(folder).run(from: .file(old.data), to: .file(new.data))
            try new.start()
            try new.unseal(keys)
            try before.check(new.api, "on the new store")
            let later = Client(new.api, seed: 2)
            try later.wait(forRequests: 300)
            try new.api.ask("PUT", "sys/rotate")
            later.stop()
            new.stop()
            let report = try runProgram("/bin/sh", ["-c", "ls '\(folder)'/state/sealift/*/report.json"], [:]).dropLast()
            let back = try Self.sealift("operator rollback -report '\(report)' -run", expecting: 0, in: folder)
            try demand(back.contains("the migration is rolled back"), back)
            try old.start()
            try old.unseal(keys)
            try later.check(old.api, "back on the old store")
            try contents.check(old.api)
        }
    }
}
