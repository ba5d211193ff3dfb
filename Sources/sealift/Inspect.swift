import Flags
import Migration
import Storage
import Telemetry
import Workers

/// `sealift inspect`: looks into one store without showing values.
let inspectCommand = CommandSpec(
    path: ["sealift", "inspect"], summary: "Look into a store: names, sizes, digests; never values",
    description: "Looks into one store of a configuration file, for any backend. Values are never shown.",
    subcommands: [
        CommandSpec(
            path: ["sealift", "inspect", "ls"], summary: "List the names under a prefix",
            description: "Lists entries and directories directly under a prefix, directories with a trailing slash.",
            examples: [
                .init("The top level:", "sealift inspect ls -config server.hcl"),
                .init("Below core/:", "sealift inspect ls -config migrate.hcl -side=source core/"),
            ], flags: inspectFlags, positional: [prefixArgument]),
        CommandSpec(
            path: ["sealift", "inspect", "du"], summary: "Count entries and bytes per prefix",
            description: "Reads everything under a prefix and counts entries and bytes for each name directly in it.",
            examples: [
                .init("The whole store:", "sealift inspect du -config server.hcl"),
                .init("Below logical/:", "sealift inspect du -config migrate.hcl -side=source logical/"),
            ], flags: inspectFlags, positional: [prefixArgument]),
        CommandSpec(
            path: ["sealift", "inspect", "stat"], summary: "Show length and digest of one entry",
            description: "Shows the length of an entry's value and its SHA-256, not the value.",
            examples: [.init("The keyring:", "sealift inspect stat -config server.hcl core/keyring")],
            flags: inspectFlags, positional: [.init("KEY", help: "key of the entry, escaped as in manifests")]),
        inspectPagesCommand, inspectSnapshotCommand,
    ])

private let inspectFlags = [
    CommonFlags.storeConfig, CommonFlags.side, CommonFlags.logLevel, CommonFlags.logFormat, CommonFlags.format,
]
private let prefixArgument = CommandSpec.Positional(
    "PREFIX", help: "directory, escaped as in manifests; the whole store if absent")

/// Runs the commands of `inspect`.
struct Inspect {
    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    private var isJSON: Bool { flags.string("format") == "json" }

    func list() -> Int32 {
        withStore { store in
            let output = try ResultWriter()
            for name in try store.list(try prefix()) {
                try output.writeLine(isJSON ? JSONText.object([("name", .string("\(name)"))]).text : "\(name)")
            }
            try output.finish()
            return 0
        }
    }

    func usage() -> Int32 {
        withStore { store in
            let prefix = try prefix()
            let notes = ScanNotes(start: nil)
            let lines = try DiskUsage.measure(store, under: prefix) { notes.add($0) }
            let lost = notes.lost.problem(of: "\(store.kind) \(store.location)", advice: "They are not counted.")
            if let lost { console.printError(lost) }
            let output = try ResultWriter()
            for line in lines { try output.writeLine(isJSON ? line.json : line.text) }
            try output.finish()
            return 0
        }
    }

    func stat() -> Int32 {
        withStore { store in
            guard flags.arguments.count == 1, let key = StorageKey(loosely: flags.arguments[0]) else {
                throw MigrationFailure(
                    .configuration,
                    "Name one key, escaped as in manifests (\\xhh for any byte, \\\\ for a backslash).")
            }
            guard let value = try store.get(key) else {
                if let place = try LostEntries.place(of: key, in: store) {
                    throw MigrationFailure(
                        .failed,
                        "the entry \(key) is lost: \(place) has zero length, as a crash can leave files. Restore it "
                            + "from a backup.")
                }
                throw MigrationFailure(.failed, "\(store.kind) \(store.location) has no entry \(key).")
            }
            let digest = try entryDigest(value)
            if isJSON {
                console.printResult(
                    JSONText.object([
                        ("key", .string("\(key)")), ("bytes", .integer(value.count)), ("sha256", .string(digest)),
                    ]).text)
            } else {
                console.printResult("key     \(key)\nbytes   \(value.count)\nsha256  \(digest)")
            }
            return 0
        }
    }

    private func prefix() throws -> StorageKey {
        guard let text = flags.arguments.first else { return StorageKey([]) }
        guard flags.arguments.count == 1, let key = StorageKey(loosely: text) else {
            throw MigrationFailure(
                .configuration,
                "Name one prefix, escaped as in manifests (\\xhh for any byte, \\\\ for a backslash).")
        }
        guard let last = key.bytes.last, last != UInt8(ascii: "/") else { return key }
        return StorageKey(key.bytes + [UInt8(ascii: "/")])
    }

    private func withStore(_ body: (any StorageSource) throws -> Int32) -> Int32 {
        console.perform(flags) { _ in
            let store = try openSide(flags, console, CancellationToken())
            defer { store.close() }
            return try body(store)
        }
    }
}

/// Entries and bytes under one name.
struct DiskUsage {
    var name: [UInt8]
    var entries = 0
    var bytes = 0

    private var shown: String { name.isEmpty ? "total" : name.withUnsafeBytes { escapedKey($0) } }

    var text: String {
        let columns = [formatCount(entries), formatBytes(bytes)].map { text in
            String(repeating: " ", count: max(14 - text.count, 0)) + text
        }
        return columns.joined() + "  " + shown
    }

    var json: String {
        JSONText.object([("name", .string(shown)), ("entries", .integer(entries)), ("bytes", .integer(bytes))]).text
    }

    /// Counts per name directly under `prefix`, in key order, with a total at the end.
    ///
    /// - Parameter note: Told of what is no ordinary entry.
    static func measure(
        _ store: any StorageSource, under prefix: StorageKey, note: @escaping @Sendable (ScanNote) -> Void
    ) throws -> [DiskUsage] {
        var lines: [DiskUsage] = []
        var places: [[UInt8]: Int] = [:]
        var total = DiskUsage(name: [])
        var request = ScanRequest()
        request.pool = BatchPool(keepsValues: false)
        request.note = note
        if !prefix.bytes.isEmpty {
            let behind = prefix.bytes.dropLast() + [UInt8(ascii: "/") + 1]
            request.partition = StoragePartition(from: prefix, to: StorageKey(Array(behind)))
        }
        try store.scan(request) { batch throws(StorageError) in
            for index in 0..<batch.count {
                let key = batch.key(index)
                guard key.starts(with: prefix.bytes) else { continue }
                let rest = key[prefix.bytes.count...]
                let name = rest.firstIndex(of: UInt8(ascii: "/")).map { Array(rest[...$0]) } ?? Array(rest)
                let bytes = key.count + batch.valueCount(index)
                let place = places[name] ?? lines.count
                if place == lines.count {
                    places[name] = place
                    lines.append(DiskUsage(name: name))
                }
                lines[place].entries += 1
                lines[place].bytes += bytes
                total.entries += 1
                total.bytes += bytes
            }
            request.pool.recycle(batch)
            return true
        }
        // Not every store is scanned in key order.
        lines.sort { $0.name.lexicographicallyPrecedes($1.name) }
        return lines + [total]
    }
}
