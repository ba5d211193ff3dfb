import Flags

/// A small program with everything that specs can hold.
enum Sample {
    static let migrate = CommandSpec(
        path: ["sealift", "operator", "migrate"],
        summary: "Copies a storage backend's data to another",
        description: """
            This command starts a storage backend migration process to copy all data
            from one backend to another.

            Stop Vault first.
            """,
        examples: [
            .init("Start a migration with a configuration file:", "sealift operator migrate -config=migrate.hcl")
        ],
        flags: [
            .string(
                "config", placeholder: "path",
                help: "Path to a configuration file. It should contain only migrator directives.", completion: .file),
            .string("start", help: "Only copy keys lexicographically at or after this value."),
            .boolean("reset", help: "Reset the migration lock. No migration will occur."),
            .integer("max-parallel", default: 10, emptyIsZero: true, help: "Copies under way at most."),
            .string(
                "log-level", default: "info", environment: ["SEALIFT_LOG_LEVEL", "VAULT_LOG_LEVEL"],
                help: "Log verbosity level.", completion: .values(["trace", "debug", "info", "warn", "error"])),
            .duration("timeout", default: "30s", environment: ["SEALIFT_TIMEOUT"], help: "Time for one request."),
            .list("skip", placeholder: "prefix", environment: ["SEALIFT_SKIP"], help: "Prefix that isn't copied."),
            .integer("workers", environment: ["SEALIFT_WORKERS"], help: "Threads."),
            .string("debug-dump", help: "For tests.").hidden,
        ])

    static let inspect = CommandSpec(
        path: ["sealift", "operator", "inspect"], summary: "Shows what a store's file holds",
        positional: [.init("FILE", help: "The file: a Raft node's, for example.", completion: .file)])

    static let root = CommandSpec(
        path: ["sealift"], summary: "Moves Vault's data between storage backends",
        subcommands: [
            CommandSpec(
                path: ["sealift", "operator"], summary: "Work on stores", subcommands: [migrate, inspect]),
            CommandSpec(path: ["sealift", "version"], summary: "Prints the version"),
        ])
}
