import Flags
import Glibc
import Migration
import Storage
import Telemetry
import Workers

/// `sealift operator migrate`: the drop-in for Vault's command of that name.
let operatorMigrateCommand = CommandSpec(
    path: ["sealift", "operator", "migrate"], summary: "Migrate a store between storage backends",
    description: """
        Copies every entry of storage_source to storage_destination while no server runs on either, reads the \
        destination back and compares it with what the source gave. Takes the file and the flags of `vault operator \
        migrate`.

        A Raft destination is a directory for one node, built whole and put in place when it is proven. Any other \
        destination carries Vault's migration marker until it is proven, so that no server starts on half a store. A \
        run that was stopped or killed is taken up by running the same command again.

        For a short outage, copy ahead with -mode=warm while the server still runs. It changes nothing on the source, \
        leaves the destination guarded and is never the end. Then stop the server and run -mode=final.

        The state folder has a manifest and a report then. With -sign-key each has a raw Ed25519 signature beside it, and \
        the commands by which openssl verifies them are printed. With -key-file there is a manifest-keyed.txt as well, \
        without names of entries: see `sealift checksum -help`.

        With -prove every entry that is read back is authenticated as well, in the same pass, with key shares: it is as a \
        server wrote it, under its own name, and will decrypt. With -upgrade-legacy-seal a store of before Vault 1.3, which \
        OpenBao does not unseal, becomes one that it does, with the same shares; the source stays as it is. With \
        -generate-raft-tls a store that was never integrated storage gets the key ring by which its nodes know each other, so \
        that with node blocks in storage_destination "raft" all directories of a cluster are written at once. The shares are \
        asked for and tried before anything is written; see `sealift prove -help`.

        Exit codes: 0 done and proven, 1 flags or configuration, 2 migration failed or its result could not be written, \
        3 the destination differs, 4 a warm pass is done and a final one must follow, 130 interrupted.
        """,
    examples: [
        .init("Look first, write nothing:", "sealift operator migrate -config migrate.hcl -dry-run"),
        .init("Migrate:", "sealift operator migrate -config migrate.hcl"),
        .init(
            "Copy ahead beside the server at work, so that the outage is short:",
            "sealift operator migrate -config migrate.hcl -mode=warm"),
        .init(
            "Stop the server, then write what has changed:",
            "sealift operator migrate -config migrate.hcl "
                + "-mode=final"),
        .init(
            "Prove on the way that every entry will decrypt; without -shares-fd the key shares are asked for:",
            "sealift operator migrate -config migrate.hcl -prove -shares-fd 3 3< shares.txt"),
        .init(
            "Remove the marker that another tool's crashed run left on the source:",
            "sealift operator migrate -config migrate.hcl -reset"),
    ],
    flags: [
        CommonFlags.config,
        .bytes(
            "start", placeholder: "key",
            help:
                "Copy only keys that sort at or behind this one, bytewise; \\xhh stands for any byte and \\\\ for a "
                + "backslash, as in manifests. The result is a part, so not into a Raft directory."),
        CommonFlags.include, CommonFlags.exclude,
        .boolean("force", help: "Leave out even what no server starts without (core/)."),
        .string(
            "mode", placeholder: "warm|final",
            help:
                "warm: copy ahead while the server still runs, as often as you like; exits 4, never 0. final: with the "
                + "server stopped, write only what has changed since, and prove all.",
            completion: .values(["warm", "final"])),
        .boolean("reset", help: "Remove the migration marker from the source and copy nothing."),
        CommonFlags.maxParallel,
        .boolean("dry-run", help: "Look at both sides, read the whole source, write nothing, print the plan."),
        CommonFlags.allowAnyData,
        CommonFlags.allowLostEntries,
        CommonFlags.allowMissingLog,
        .boolean(
            "practice", environment: ["SEALIFT_PRACTICE"],
            help: "A practice run on one machine: accept a loopback or port-less cluster_addr."),
        .string(
            "source-in-use", placeholder: "allow",
            help:
                "With allow, read a source whose lock of the active node is alive. What a server writes meanwhile may "
                + "be missing.", completion: .values(["allow"])),
        .boolean(
            "source-unchanged",
            help:
                "Nothing was written to the source since an earlier run of this migration stopped: go on from what it "
                + "had read, although its migration marker is gone."),
        CommonFlags.listedOnly,
        .string(
            "source-backup", placeholder: "name",
            help:
                "Have DynamoDB back the source table up under this name first, and wait until the backup is available; needs "
                + "dynamodb:CreateBackup and dynamodb:DescribeBackup. A run that goes on uses the one it has."),
        .string(
            "read-back", placeholder: "disk|cache", default: "disk",
            help:
                "Where what was written is read from for the proof: the disk, or also the system's memory, which is "
                + "faster and would not see what the disk has lost. The result says which it was.",
            completion: .values(["disk", "cache"])),
        CommonFlags.readOnlySource,
        CommonFlags.stateFolder,
        .boolean(
            "discard-state",
            help: "Start afresh: remove the journal and whatever else earlier runs have left in the state folder."),
        CommonFlags.keyFile, CommonFlags.signKey,
        .boolean(
            "prove",
            help:
                "Authenticate every entry that is read back, with key shares that are asked for or read from "
                + "-shares-fd."
        ),
        .boolean(
            "upgrade-legacy-seal",
            help:
                "Make a store of before Vault 1.3 one that OpenBao unseals with the same key shares; what is added or "
                + "changed is "
                + "named."),
        .boolean(
            "generate-raft-tls",
            help:
                "Make core/raft/tls with key shares if the source has none, so that all nodes of a cluster can be written at once "
                + "(node blocks), or an archive that can be restored."),
        ShareInput.flag,
        .string("chown", placeholder: "user[:group]", help: "Owner of what is created, by name or number; needs root."),
        ArchiveFlag.spec,
        // Benchmarks tell with it what the journal costs.
        FlagSpec.boolean("no-journal", help: "Keep no journal: a run that is cut off reads everything anew.").hidden,
    ] + LiveView.flags + [CommonFlags.logLevel, CommonFlags.logFormat, CommonFlags.format])

/// Runs `operator migrate`.
struct OperatorMigrate {
    /// The exit code of a warm pass that has done its work: not 0, since a migration of which it is a part is not done.
    private static let notFinal: Int32 = 4

    fileprivate let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    /// - Returns: The exit code.
    func run() -> Int32 {
        let command = MigrationCommand(flags, console)
        let isReset = flags.boolean("reset")
        return command.perform("Error migrating: ") { logger throws(MigrationFailure) in
            let path = try CommonFlags.configPath(flags)
            let options = try options(command)
            let configuration = try ConfigurationFile(path: path, environment: console.environment)
            let archive = try archive(configuration)
            try command.run(configuration, options, logger, isReset: isReset, isServed: !isReset, archive: archive)
            return options.mode == .warm && !options.isDryRun && !isReset ? Self.notFinal : 0
        }
    }

    private func archive(_ configuration: ConfigurationFile) throws(MigrationFailure) -> ArchiveFlag? {
        guard let archive = try ArchiveFlag(flags) else { return nil }
        guard try configuration.store("storage_destination").type == "raft" else {
            throw MigrationFailure(
                .configuration, "-archive packs directories of integrated storage: storage_destination \"raft\".")
        }
        return archive
    }

    private func mode() throws(MigrationFailure) -> MigrationMode {
        switch flags.string("mode") {
        case "": return .whole
        case "warm": return .warm
        case "final": return .final
        case let other:
            throw MigrationFailure(
                .configuration, "-mode takes warm or final, not \"\(StorageKey(Array(other.utf8)))\".")
        }
    }

    private func options(_ command: MigrationCommand) throws(MigrationFailure) -> MigrationOptions {
        var options = command.options(try mode())
        options.scope = KeyScope(
            start: try CommonFlags.start(flags), included: try CommonFlags.prefixes(flags, "include"),
            excluded: try CommonFlags.prefixes(flags, "exclude"))
        options.isForced = flags.boolean("force")
        options.discardsState = flags.boolean("discard-state")
        options.keepsJournal = !flags.boolean("no-journal")
        options.isDryRun = flags.boolean("dry-run")
        options.allowsAnyData = flags.boolean("allow-any-data")
        options.allowsLostEntries = flags.boolean("allow-lost-entries")
        options.isPractice = flags.boolean("practice")
        options.listedOnly = flags.boolean("listed-only")
        options.isSourceUnchanged = flags.boolean("source-unchanged")
        if flags.isSet("source-backup") { options.sourceBackup = flags.string("source-backup") }
        switch flags.string("source-in-use") {
        case "": break
        case "allow": options.allowsSourceInUse = true
        case let other:
            throw MigrationFailure(.configuration, "-source-in-use takes allow, not \"\(other)\".")
        }
        switch flags.string("read-back") {
        case "disk": options.readsBackFromDisk = true
        case "cache": options.readsBackFromDisk = false
        case let other:
            throw MigrationFailure(
                .configuration, "-read-back takes disk or cache, not \"\(StorageKey(Array(other.utf8)))\".")
        }
        options.signer = try CommonFlags.signer(flags)
        options.manifestKey = try CommonFlags.manifestKey(flags)
        options.shares = try shares(command, options)
        if !flags.string("chown").isEmpty { options.owner = try fileOwner(flags.string("chown")) }
        return options
    }
}

extension OperatorMigrate {
    /// What is to be done with key shares; `nil` if none are needed.
    private func shares(
        _ command: MigrationCommand, _ options: MigrationOptions
    ) throws(MigrationFailure) -> ShareRequest? {
        let (proves, upgrades) = (flags.boolean("prove"), flags.boolean("upgrade-legacy-seal"))
        let makesKeyRing = flags.boolean("generate-raft-tls")
        guard proves || upgrades || makesKeyRing else {
            guard !flags.isSet("shares-fd") else {
                throw MigrationFailure(
                    .configuration, "-shares-fd goes with -prove, -upgrade-legacy-seal or -generate-raft-tls.")
            }
            return nil
        }
        guard !flags.boolean("reset") else { return nil }
        guard !proves || options.mode != .warm else {
            throw MigrationFailure(
                .configuration,
                "-prove goes with the final pass: what a warm pass copies is not final. Leave it out here.")
        }
        let input = try ShareInput(flags, command.cancellation)
        var request = ShareRequest(proves: proves, upgradesLegacySeal: upgrades) { try input.ask($0) }
        request.makesKeyRing = makesKeyRing
        return request
    }
}

/// Resolves `user[:group]`, names or numbers.
func fileOwner(_ text: String) throws(MigrationFailure) -> FileOwner {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    var user: UInt32?
    var group: UInt32?
    if let number = UInt32(parts[0]) {
        user = number
        group = getpwuid(number)?.pointee.pw_gid ?? number
    } else if let entry = getpwnam(parts[0]) {
        user = entry.pointee.pw_uid
        group = entry.pointee.pw_gid
    }
    if parts.count == 2 { group = UInt32(parts[1]) ?? getgrnam(parts[1])?.pointee.gr_gid }
    guard let user, let group else {
        throw MigrationFailure(.configuration, "-chown \(text): there is no such user or group on this machine.")
    }
    return FileOwner(user: user, group: group)
}
