import Files
import Flags
import Glibc
import Migration
import RaftDirectoryBackend
import Storage
import Telemetry

extension Check {
    static let resumeFlags: [FlagSpec] = [
        .string(
            "resume", placeholder: "path",
            help:
                "Write down in this file how far the comparison has come, and go on from there if it was cut off; it is "
                + "removed at the end.", completion: .file),
        .boolean(
            "stores-unchanged",
            help:
                "Nothing was written to either store since the run that -resume goes on from was cut off: needed for stores "
                + "that do not tell."),
    ]

    /// Where the progress of the comparison is kept, and what is there already; `nil` if nobody asked for it.
    func resumption(
        _ sides: [(name: String, store: any StorageSource)], _ scope: KeyScope
    ) throws -> (inOrder: CheckResumption?, inNoOrder: CheckJournals?) {
        guard flags.isSet("resume") else {
            guard !flags.isSet("stores-unchanged") else {
                throw MigrationFailure(.configuration, "-stores-unchanged goes with -resume.")
            }
            return (nil, nil)
        }
        let path = flags.string("resume")
        guard !path.isEmpty else { throw MigrationFailure(.configuration, "-resume names no file.") }
        // They would have what one of the runs has found, and look whole.
        if let other = ["manifest", "combined", "missing", "extra", "differ"].first(where: flags.isSet) {
            throw MigrationFailure(
                .configuration,
                "-resume does not go with -\(other). Leave one of them out: -format=json names every difference, also those that an "
                    + "earlier run has found.")
        }
        guard scope.sample == nil || flags.isSet("sample-seed") else {
            throw MigrationFailure(
                .configuration, "-resume of a sample needs -sample-seed, so that it is the same one.")
        }
        if sides.contains(where: { !$0.store.traits.isAscending }) { return (nil, try journals(path, sides, scope)) }
        let stamps = sides.map { Self.stamps(of: $0.store) }
        let file = try CheckProgressFile(
            path, comparison: try comparison(sides, scope), stores: stamps.flatMap { $0 ?? ["unknown"] })
        switch try file.load() {
        case .nothing: return (CheckResumption(file, earlier: nil), nil)
        case .storesChanged:
            console.printError("A store was written to since \(path) was written: all is compared anew.")
            return (CheckResumption(file, earlier: nil), nil)
        case .progress(let progress):
            if let place = stamps.firstIndex(where: { $0 == nil }), !flags.boolean("stores-unchanged") {
                let side = sides[place]
                console.printError(
                    "The \(side.name) (\(side.store.kind) \(side.store.location)) does not tell whether it was written to since \(path) "
                        + "was written: all is compared anew. If nothing was, interrupt this and add -stores-unchanged."
                )
                return (CheckResumption(file, earlier: nil), nil)
            }
            console.printError("Going on behind \(progress.key), where an earlier run was cut off.")
            return (CheckResumption(file, earlier: progress), nil)
        }
    }

    /// What is kept of tables, which are read whole before the comparison begins.
    private func journals(
        _ path: String, _ sides: [(name: String, store: any StorageSource)], _ scope: KeyScope
    ) throws -> CheckJournals? {
        let journals = CheckJournals(
            path, comparison: try comparison(sides, scope), isUnchanged: flags.boolean("stores-unchanged"))
        var isKept = false
        for (name, store) in sides where !store.traits.isAscending {
            guard CheckJournals.serves(store) else {
                console.printError(
                    "The \(name) (\(store.kind) \(store.location)) gives its entries in no order, so that all of them are read "
                        + "before the comparison begins, and is no service that it would cost to ask again: nothing is kept of it."
                )
                continue
            }
            try journals.open(store, name, readers: flags.integer("max-parallel"))
            isKept = true
        }
        if journals.entriesDoubted > 0 {
            console.printError(
                "An earlier run had read \(counted(journals.entriesDoubted, "entry", "entries")), and a table does not tell whether it "
                    + "was written to since: all is read anew, and what was read stays in the files beside \(path) until the end. If "
                    + "nothing was written, interrupt this and add -stores-unchanged; else remove them, so that this reading is kept."
            )
        }
        if journals.entriesReadBefore > 0 {
            let entries = counted(journals.entriesReadBefore, "entry", "entries")
            console.printError("Going on behind \(entries) that an earlier run had read.")
        }
        return isKept ? journals : nil
    }

    /// Whatever must be the same for a run that goes on.
    private func comparison(_ sides: [(name: String, store: any StorageSource)], _ scope: KeyScope) throws -> [String] {
        var lines: [String] = []
        for (name, store) in sides { lines += [name, store.kind, store.identity.text, try store.incarnation()] }
        // What was read eventually consistently is no beginning for what is to be consistent.
        for (name, store) in sides where store.traits.readsEventually { lines.append("\(name) eventually consistent") }
        let prefixes = { (name: String, keys: [StorageKey]) in keys.map { "\(name) \($0)" } }
        lines += prefixes("start", scope.start.map { [$0] } ?? []) + prefixes("prefix", scope.prefix.map { [$0] } ?? [])
        lines += prefixes("include", scope.included) + prefixes("exclude", scope.excluded)
        if let sample = scope.sample { lines.append("sample \(sample.share) \(sample.seed)") }
        for flag in ["listed-only", "allow-lost-entries"] { lines.append("\(flag) \(flags.boolean(flag))") }
        return lines
    }

    /// What changes when a store is written to: sizes and times of its files. `nil` for a store that has no few files.
    private static func stamps(of store: any StorageSource) -> [String]? {
        guard let path = store.identity.path else { return nil }
        let paths: [String] =
            store is RaftDirectoryBackend
            ? ["\(path)/vault.db", "\(path)/raft/raft.db"] + segments(in: "\(path)/raft/wal")
            : store.kind == "sqlite" ? [path, "\(path)-wal"] : []
        guard !paths.isEmpty else { return nil }
        let stamps = paths.map { path in
            var info = stat()
            guard stat(path, &info) == 0 else { return "none" }
            let times = [info.st_mtim, info.st_ctim].map { "\($0.tv_sec).\($0.tv_nsec)" }
            return "\(info.st_dev) \(info.st_ino) \(info.st_size) \(times.joined(separator: " "))"
        }
        return stamps.allSatisfy { $0 == "none" } ? nil : stamps
    }

    /// The files of a log in segments, which are written to without a change of its list.
    private static func segments(in folder: String) -> [String] {
        guard let names = try? names(in: AT_FDCWD, folder, shown: folder) else { return [] }
        return names.map { "\(folder)/\($0)" }
    }

    /// Says what of a result an earlier run has found; empty if nothing.
    static func earlierText(_ result: StoreCheck.Result) -> String {
        guard let earlier = result.earlier else { return "" }
        let entries = counted(earlier.counts.total, "entry was", "entries were")
        return
            "\nContinued: \(entries) compared by an earlier run, up to \(earlier.key). Digests, bytes and time are of the others."
    }

    /// The same for programs.
    static func earlierMembers(_ result: StoreCheck.Result) -> [(String, JSONText)] {
        guard let earlier = result.earlier else { return [] }
        return [
            (
                "continued",
                .object([
                    ("behind", .string("\(earlier.key)")), ("compared_before", .integer(earlier.counts.total)),
                    ("digests_are_of_the_rest", .boolean(true)),
                ])
            )
        ]
    }
}
