import Foundation
import TestSupport
import Testing

/// What stands in the way of the commands for stopped nodes: nothing is changed, and the reason is said.
@Suite struct RaftObstacleTests {
    static let compact = ["raft", "compact"]
    static let record = ["raft", "fix-peers", "-method=vault-db", "-peer", "node1=10.0.0.11:8201"]
    static let peersFile = ["raft", "fix-peers", "-peer", "node1=10.0.0.11:8201"]
    static let look = ["raft", "fix-peers"]

    enum Obstacle: String, CaseIterable {
        case linkedVault, linkedRaft, linkedLog, danglingLog, linkedWork, foreignWork, strangeWork, workIsAFile
        case linkedPeers, peersIsAFolder, cutVault, cutLog, damagedPage, otherFile, emptyVault, noVault, noFolder

        /// Commands that it stops, and what they say.
        var stops: (commands: [[String]], says: String) {
            switch self {
            case .linkedVault, .linkedLog, .danglingLog, .linkedRaft:
                ([compact, record, peersFile, look], "what it leads to is not touched")
            case .linkedWork, .foreignWork, .strangeWork, .workIsAFile:
                ([compact, record, peersFile], "nothing in it is touched")
            case .linkedPeers, .peersIsAFolder: ([peersFile + ["-force"]], "is not replaced. Move it away")
            case .cutVault: ([compact, record, peersFile, look], "It was cut off")
            case .cutLog: ([compact, record, peersFile, look], "It was cut off")
            case .damagedPage: ([compact, record], "The file is damaged")
            case .otherFile: ([compact, record, peersFile, look], "is not a bbolt file")
            case .emptyVault: ([compact, record, peersFile, look], "the file is empty")
            case .noVault: ([compact, record, peersFile, look], "there is no such file")
            case .noFolder: ([compact, record, peersFile, look], "there is no such directory")
            }
        }

        /// Puts it into a node's directory, beside another node's, `other`.
        func make(_ node: String, _ sandbox: Sandbox) throws {
            let script =
                switch self {
                case .linkedVault: "mv vault.db ../v; ln -s ../other/vault.db vault.db"
                case .linkedRaft: "rm -r raft; ln -s ../other/raft raft"
                case .linkedLog: "rm raft/raft.db; ln -s ../../other/raft/raft.db raft/raft.db"
                case .danglingLog: "rm raft/raft.db; ln -s nowhere raft/raft.db"
                case .linkedWork: "ln -s ../other .sealift-work"
                case .foreignWork: "mkdir .sealift-work; cp vault.db .sealift-work"
                case .strangeWork:
                    "mkdir .sealift-work; echo 'sealift work folder 1' > .sealift-work/sealift-work; echo > .sealift-work/x"
                case .workIsAFile: "echo 'my own words' > .sealift-work"
                case .linkedPeers: "ln -s ../../other/vault.db raft/peers.json"
                case .peersIsAFolder: "mkdir raft/peers.json"
                case .cutVault: "truncate -s 100000 vault.db"
                case .cutLog: "truncate -s 100000 raft/raft.db"
                case .damagedPage: Self.damage
                case .otherFile: "head -c 100000 /dev/urandom > vault.db"
                case .emptyVault: ": > vault.db"
                case .noVault: "rm vault.db"
                case .noFolder: "rm -r ../node"
                }
            try sandbox.shell("cd '\(node)'; \(script)")
        }

        /// Zeros in the middle of the pages that are in use, as failing disks give.
        private static let damage = """
            python3 - <<'END'
            data = bytearray(open('vault.db', 'rb').read())
            leaves = [p for p in range(2, len(data) // 4096) if data[p * 4096 + 8:p * 4096 + 10] == b'\\x02\\x00']
            for page in leaves:
                data[page * 4096 + 16:page * 4096 + 40] = bytes(24)
            open('vault.db', 'wb').write(data)
            END
            """
    }

    @Test(arguments: Obstacle.allCases)
    func nothingIsChangedAndTheReasonIsSaid(_ obstacle: Obstacle) throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(.raftOpenBao)
        let node = "\(sandbox.path)/node"
        try sandbox.shell("cp -a '\(store.path)' '\(node)'; mv '\(store.path)' '\(sandbox.path)/other'")
        try obstacle.make(node, sandbox)
        func present() throws -> [String: String] {
            try footprint(sandbox.path).filter { !$0.key.hasPrefix("home") && !["", "node"].contains($0.key) }
        }
        let before = try present()
        for command in obstacle.stops.commands {
            let outcome = try sandbox.sealift(command + [node])
            #expect(outcome.code == 2 && outcome.errors.contains(obstacle.stops.says), "\(command): \(outcome.errors)")
            #expect(outcome.output == "")
            #expect(try present() == before, "\(command)")
        }
    }

    /// A link to the directory is the user's own way to name it.
    @Test func aLinkToTheDirectoryIsFollowed() throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(.raftOpenBao)
        #expect(symlink(store.path, "\(sandbox.path)/link") == 0)
        let outcome = try sandbox.compact("\(sandbox.path)/link", ["-remove-old"])
        #expect(outcome.code == 0 && outcome.output.hasPrefix("Directory  \(store.path)\n"), "\(outcome.errors)")
        #expect(try sandbox.bytes("\(store.path)/vault.db") < 2_000_000)
    }

    @Test(arguments: ["vault.db", "raft/raft.db"])
    func aRunningServerIsRespected(_ file: String) throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(.raftOpenBao)
        let before = try footprint(store.path)
        let server = try sandbox.startShell(
            "exec flock -F -x '\(store.path)/\(file)' sh -c 'echo locked; exec sleep 100'")
        try waitUntil("the lock is held") { try text(of: server.output).contains("locked") }
        for command in [Self.compact, Self.compact + ["-dry-run"], Self.record, Self.peersFile, Self.look] {
            let outcome = try sandbox.sealift(command + [store.path])
            #expect(outcome.code == 2 && outcome.output == "")
            #expect(outcome.errors.contains("\(file) is locked: a server runs on this directory. Stop that node"))
            #expect(try footprint(store.path) == before)
        }
        server.program.send(SIGKILL)
        _ = try server.program.wait()
    }

    @Test func twoRunsDoNotMeet() throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(.raftOpenBao)
        let first = try sandbox.start(
            Self.compact + [store.path], adding: try Steps.variables(["STEPS_STOP": "8"]))
        try waitUntil("the run is halted") { first.program.isHalted }
        for command in [Self.compact, Self.record, Self.peersFile] {
            let second = try sandbox.sealift(command + [store.path])
            #expect(second.code == 2 && second.errors.contains("is locked: another run works there"))
        }
        first.program.send(SIGCONT)
        #expect(try first.outcome().code == 0)
        #expect(!exists("\(store.path)/.sealift-work"))
    }

    /// A file system that is too small is seen before; one whose limit shows only in the middle leaves nothing behind.
    @Test func aFullDiskLeavesEverythingAsItWas() throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(.raftOpenBao)
        func inSmallFolder(_ body: String) throws -> Outcome {
            let words =
                ["/usr/bin/unshare"] + (geteuid() == 0 ? ["-m"] : ["-r", "-m"])
                + [
                    "/bin/sh", "-c",
                    "cd '\(sandbox.path)'; mkdir -p small; mount -t tmpfs -o size=35m tmpfs small; "
                        + "cp -a '\(store.path)' small/node; find small -type f -exec sha256sum {} + > home/before; \(body)"
                        + "; code=$?; find small -type f -exec sha256sum {} + > home/after; cmp home/before home/after >&2; "
                        + "ls -A small/node >&2; exit $code", "sh", Sandbox.program,
                ]
            return try sandbox.start(program: words).outcome()
        }
        let tooSmall = try inSmallFolder("\"$1\" raft compact small/node")
        #expect(tooSmall.code == 2 && tooSmall.errors.contains("With -remove-old less is needed"), "\(tooSmall.errors)")
        #expect(tooSmall.errorLines.suffix(2) == ["raft", "vault.db"], "\(tooSmall.errors)")
        let dry = try inSmallFolder("\"$1\" raft compact -dry-run small/node")
        #expect(dry.code == 0 && dry.errors.contains("Not possible now: "), "\(dry.errors)")
        let record = try inSmallFolder(
            "head -c 1m /dev/zero > small/fill; cp small/fill home; "
                + "sha256sum small/fill >> home/before; \"$1\" \(Self.record.joined(separator: " ")) small/node")
        #expect(record.code == 2 && record.errors.contains("or use -method=peers-json, which needs none"))

        let before = try footprint(store.path).filter { !$0.key.isEmpty }
        for command in [Self.compact, Self.record] {
            let limited = try sandbox.startShell("ulimit -f 1000; exec \"$0\" \"$@\"", command + [store.path]).outcome()
            #expect(limited.code == 2 && limited.errors.contains("the file cannot be written"), "\(limited.errors)")
            #expect(try footprint(store.path).filter { !$0.key.isEmpty } == before)
        }
    }

    @Test(arguments: [
        ([], "Name one directory"), (["a", "b"], "Name one directory"), (["-config=x", "a"], "Name one directory"),
        (["-config", "nothing.hcl"], "nothing.hcl"),
    ])
    func aCommandLineWithoutADirectoryIsRefused(_ words: [String], _ says: String) throws {
        let sandbox = try Sandbox()
        for command in [Self.compact, Self.look] {
            let outcome = try sandbox.sealift(command + words)
            #expect(outcome.code == 1 && outcome.errors.contains(says), "\(outcome.errors)")
        }
        let file = try sandbox.write("file.hcl", "storage \"file\" {\n  path = \"x\"\n}\n")
        let outcome = try sandbox.sealift(Self.compact + ["-config", file])
        #expect(outcome.code == 1 && outcome.errors.contains("its storage is \"file\""), "\(outcome.errors)")
    }
}
