import Foundation
import TestSupport
import Testing

/// `sealift raft compact`: files of real servers become smaller and stay the same; nothing else is touched.
@Suite struct RaftCompactTests {
    @Test(arguments: [Fixture.raftOpenBao, .raftVault, .raftMigrated], [false, true])
    func filesOfRealServersBecomeSmallerAndStayTheSame(_ fixture: Fixture, _ removesOld: Bool) throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(fixture)
        let original = try sandbox.dumps(of: store.path)
        let log = try sandbox.sha256(of: "\(store.path)/raft/raft.db")
        let dry = try sandbox.compact(store.path, ["-dry-run", "-format=json"])
        #expect(dry.code == 0 && dry.messages.isEmpty, "\(dry.errors)")
        #expect(try sandbox.sha256(of: "\(store.path)/raft/raft.db") == log)

        let outcome = try sandbox.compact(store.path, removesOld ? ["-remove-old"] : [])
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(try sandbox.dumps(of: store.path) == original)
        #expect(try sandbox.digest(of: store) == fixture.digest(sandbox))
        for file in ["vault.db", "raft/raft.db"] {
            let path = "\(store.path)/\(file)"
            try GoProgram.boltcheck.run("check", path)
            let planned = try jsonFiles(dry.output).first { $0["name"] as? String == file }
            #expect(try sandbox.bytes(path) == planned?["bytes_after"] as? Int)
            #expect(try sandbox.bytes(path) < 2_000_000)
        }
        let kept = sandbox.oldFiles(of: store.path)
        #expect(kept.count == (removesOld ? 0 : 2), "\(kept)")
        if !removesOld { #expect(try sandbox.sha256(of: try #require(kept["raft/raft.db"]?.first)) == log) }
        // raft-boltdb, which writes when it opens, finds term, vote and every entry.
        try sandbox.shell("cp '\(store.path)/raft/raft.db' '\(sandbox.path)/home/log.db'")
        let read = try GoProgram.raftcheck.run("store", "\(sandbox.path)/home/log.db")
        let term = fixture == .raftMigrated ? 2 : 3
        #expect(read.hasPrefix("term \(term) vote ") && read.contains(" first 1 last "), "\(read)")

        let again = try sandbox.compact(store.path)
        #expect(again.code == 0 && again.output.contains("vault.db: "), "\(again.output)")
        #expect(again.outputLines.count { $0.hasSuffix("dense already: left as it is") } == 2, "\(again.output)")
        #expect(sandbox.oldFiles(of: store.path) == kept)
        #expect(!exists("\(store.path)/.sealift-work"))
    }

    /// What the library wrote into the new files is in them when they are written anew once more.
    @Test func filesThatServersWentOnWithAreCompactedAgain() throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(.raftOpenBao)
        #expect(try sandbox.compact(store.path, ["-remove-old"]).code == 0)
        try GoProgram.boltcheck.run("mutate", "\(store.path)/vault.db", "5", "3000")
        let changed = try sandbox.dumps(of: store.path)
        let outcome = try sandbox.compact(store.path)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(try sandbox.dumps(of: store.path) == changed)
        #expect(sandbox.oldFiles(of: store.path).keys.sorted() == ["vault.db"])
    }

    @Test func ownerAndModeAreKept() throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(.raftOpenBao)
        for (file, mode) in [("vault.db", mode_t(0o640)), ("raft/raft.db", 0o600)] {
            #expect(chmod("\(store.path)/\(file)", mode) == 0)
            if geteuid() == 0 { #expect(chown("\(store.path)/\(file)", 65534, 65533) == 0) }
        }
        #expect(try sandbox.compact(store.path).code == 0)
        for (file, mode) in [("vault.db", mode_t(0o640)), ("raft/raft.db", 0o600)] {
            var info = stat()
            #expect(stat("\(store.path)/\(file)", &info) == 0 && info.st_mode & 0o7777 == mode)
            if geteuid() == 0 { #expect(info.st_uid == 65534 && info.st_gid == 65533) }
        }
    }

    /// A log in another form is left as it is.
    @Test func aLogInSegmentsIsLeftAsItIs() throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(.raftVault)
        try FileManager.default.removeItem(atPath: "\(store.path)/raft/raft.db")
        try makeFolder("\(store.path)/raft/wal")
        for name in ["wal-meta.db", "00000000000000000001-0000000000000000.wal"] {
            try sandbox.write("raft-vault-native/data/raft/wal/\(name)", "some log")
        }
        let before = try footprint("\(store.path)/raft")
        let outcome = try sandbox.compact(store.path)
        #expect(outcome.code == 0 && outcome.errors.contains("raft/wal: it is left as it is, only vault.db"))
        #expect(outcome.outputLines.count == 2 && outcome.output.contains("vault.db: 16.0 MiB -> 1.1 MiB"))
        #expect(try footprint("\(store.path)/raft") == before)
    }

    /// Servers that wait for the lock of the file that they have opened, a second each, never get that of one that was put
    /// aside.
    @Test func serversThatAreStartedMeanwhileGetTheFileThatStandsThere() throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(.raftOpenBao)
        let run = try sandbox.start(
            ["raft", "compact", store.path], adding: try Steps.variables(["STEPS_STOP": "1"]))
        try waitUntil("the run is halted") { run.program.isHalted }
        let script = try sandbox.write(
            "server.py",
            """
            fcntl, os, sys, time = map(__import__, ["fcntl", "os", "sys", "time"])
            waiting, served = [], False
            while waiting or not served:
                waiting = [(f, t) for f, t in waiting if time.monotonic() < t + 1 or os.close(f)]
                if not served:
                    waiting.append((os.open(sys.argv[1], os.O_RDWR), time.monotonic()))
                for file, _ in waiting:
                    try:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        continue
                    if os.fstat(file).st_ino != os.stat(sys.argv[1]).st_ino:
                        sys.exit(3)
                    fcntl.flock(file, fcntl.LOCK_UN)
                    served = True
                time.sleep(0.02)
            """)
        let server = try sandbox.startShell("exec python3 '\(script)' '\(store.path)/vault.db'")
        run.program.send(SIGCONT)
        #expect(try run.outcome().code == 0)
        #expect(try server.outcome().code == 0)
    }

    @Test func anInterruptedRunLeavesEverythingAsItWas() throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(.raftOpenBao)
        let before = try footprint(store.path).filter { !$0.key.isEmpty }
        let run = try sandbox.start(
            ["raft", "compact", "-format=json", store.path], adding: try Steps.variables(["STEPS_STOP": "6"]))
        try waitUntil("the run is halted") { run.program.isHalted }
        run.program.send(SIGINT)
        run.program.send(SIGCONT)
        let outcome = try run.outcome()
        // It may have gone on past the last entry before it looked.
        #expect(outcome.code == 130 || outcome.code == 0)
        if outcome.code == 130 {
            #expect(try footprint(store.path).filter { !$0.key.isEmpty } == before)
            #expect(outcome.output.contains("\"event\":\"failure\""))
        }
    }
}

private func jsonFiles(_ output: String) throws -> [[String: Any]] {
    let object = try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any]
    return try #require(object?["files"] as? [[String: Any]])
}

extension Sandbox {
    /// Runs without waiting for servers that may have opened the old file.
    func hasty(_ words: [String]) throws -> Outcome {
        try sealift(words, adding: try Steps.variables(["STEPS_HASTE": "1"]))
    }

    func compact(_ path: String, _ flags: [String] = []) throws -> Outcome {
        try hasty(["raft", "compact"] + flags + [path])
    }

    /// What the original library finds in both files of a node: a digest each.
    func dumps(of path: String) throws -> [String] {
        try ["vault.db", "raft/raft.db"].map { file in
            let dump = "\(self.path)/home/dump"
            try GoProgram.boltcheck.run("dump", "\(path)/\(file)", dump)
            return try sha256(of: dump)
        }
    }

    func sha256(of file: String) throws -> String { String(try shell("sha256sum '\(file)'").prefix(64)) }

    func bytes(_ file: String) throws -> Int {
        try FileManager.default.attributesOfItem(atPath: file)[.size] as? Int ?? -1
    }

    /// Old files beside a node's, by the names of those: paths.
    func oldFiles(of path: String) -> [String: [String]] {
        var found: [String: [String]] = [:]
        for name in Scratch.names(in: path) {
            guard let range = name.range(of: ".before-") else { continue }
            found[String(name[..<range.lowerBound]), default: []].append("\(path)/\(name)")
        }
        return found
    }
}

/// What tells whether anything in a folder was touched: kind, mode, place, size and time of everything.
func footprint(_ root: String) throws -> [String: String] {
    var found: [String: String] = [:]
    for name in [""] + Scratch.names(in: root) {
        var info = stat()
        guard lstat(name.isEmpty ? root : "\(root)/\(name)", &info) == 0 else { continue }
        let time = "\(info.st_mtim.tv_sec).\(info.st_mtim.tv_nsec)"
        found[name] = "\(String(info.st_mode, radix: 8)) \(info.st_ino) \(info.st_size) \(time) \(info.st_nlink)"
    }
    return found
}
