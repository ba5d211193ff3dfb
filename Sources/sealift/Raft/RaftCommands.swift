import Flags

/// `sealift raft`: the Raft log store, and directories of integrated storage.
let raftCommand = CommandSpec(
    path: ["sealift", "raft"], summary: "Run a Raft log store; mend and shrink nodes of integrated storage",
    description: """
        The Raft log store keeps a store on several machines at once: every write is durable on most of them before it is \
        acknowledged, and each node can prove its copy. A migration fills it as storage_destination "raft_cluster".

        fix-peers, compact and spread are for nodes of integrated storage (Raft), Vault's and OpenBao's. Commands that take a \
        directory work on a stopped node: a server's lock is respected.
        """,
    subcommands: raftCommands.map(\.spec).filter { $0.path.count == 3 } + [raftSnapshotCommand])

/// A command of the group, and how it is run.
struct RaftCommand: Sendable {
    let spec: CommandSpec
    let run: @Sendable (ParsedFlags, Console) -> Int32
}

/// Every command of the group.
let raftCommands: [RaftCommand] = [
    RaftCommand(spec: raftServerCommand) { RaftServerRun($0, $1).run() },
    RaftCommand(spec: raftJoinCommand) { RaftMembers($0, $1).join() },
    RaftCommand(spec: raftListPeersCommand) { RaftMembers($0, $1).list() },
    RaftCommand(spec: raftRemovePeerCommand) { RaftMembers($0, $1).remove() },
    RaftCommand(spec: raftTransferCommand) { RaftMembers($0, $1).transfer() },
    RaftCommand(spec: raftStatusCommand) { RaftStatus($0, $1).run() },
    RaftCommand(spec: raftSnapshotSaveCommand) { RaftSnapshot($0, $1).save() },
    RaftCommand(spec: raftExportCommand) { RaftExport($0, $1).run() },
    RaftCommand(spec: fixPeersCommand) { FixPeers($0, $1).run() },
    RaftCommand(spec: compactCommand) { Compact($0, $1).run() },
    RaftCommand(spec: raftSpreadCommand) { RaftSpread($0, $1).run() },
]
