import Flags

/// A command of `sealift raft`: its declaration and what it does.
struct RaftCommand: Sendable {
    let spec: CommandSpec
    /// Runs it and gives the exit code.
    let run: @Sendable (ParsedFlags, Console) -> Int32
}

/// Every command of `sealift raft`, in the order of its help.
let raftCommands: [RaftCommand] = [
    RaftCommand(spec: fixPeersCommand) { FixPeers($0, $1).run() },
    RaftCommand(spec: compactCommand) { Compact($0, $1).run() },
]

/// `sealift raft`: what is done to nodes of integrated storage.
let raftCommand = CommandSpec(
    path: ["sealift", "raft"], summary: "Mend and shrink nodes of integrated storage",
    description: """
        Commands for nodes of integrated storage (Raft), Vault's and OpenBao's. Those that take a directory work on a \
        stopped node: a server's lock is respected.
        """,
    subcommands: raftCommands.map(\.spec))
