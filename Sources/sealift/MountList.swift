import Barrier
import Storage
import Telemetry

/// The mounts of a store, with what lies below each, for `prove -mounts`.
struct MountList {
    private struct Row {
        let mount: Mount
        let sum: MountUsage.Sum
        let isServed: Bool
    }

    private let rows: [Row]
    private let strays: [(folder: StorageKey, sum: MountUsage.Sum)]
    private let problems: [String]
    private let server: NextServer?

    private static let mostStrays = 1000

    /// - Parameter server: Whose plugins are looked for; `nil` if no mount is to be marked.
    init(_ tables: MountTables, _ usage: inout MountUsage, _ server: NextServer?) {
        var rows: [Row] = []
        for mount in tables.mounts {
            rows.append(Row(mount: mount, sum: usage.sum(of: mount), isServed: server?.hasPlugin(for: mount) ?? true))
        }
        self.rows = rows
        strays = usage.strays(besides: tables.mounts, in: tables.sealed)
        problems =
            tables.problems
            + tables.sealed.map {
                "\($0) has a seal of its own, or lies in such a namespace: its mounts are not known."
            }
            + (usage.others.entries == 0
                ? []
                : [
                    "The store has more than \(formatCount(MountUsage.mostFolders)) folders of mounts: "
                        + "\(counted(usage.others.entries, "entry", "entries")) are counted to none."
                ])
        self.server = server
    }

    func emit() {
        let events = EventWriter()
        for row in rows {
            let mount = row.mount
            events.emit(
                "mount",
                [
                    ("kind", .string(mount.kind.rawValue)), ("path", .string(mount.path)),
                    ("type", .string(mount.type)),
                    ("uuid", .string(mount.uuid)), ("namespace", .string(mount.namespace)),
                    ("folder", .string("\(mount.folder)")), ("entries", .integer(row.sum.entries)),
                    ("bytes", .integer(row.sum.bytes)), ("served", server == nil ? .null : .boolean(row.isServed)),
                ])
        }
        for stray in strays {
            events.emit(
                "entries_of_no_mount",
                [
                    ("folder", .string("\(stray.folder)")), ("entries", .integer(stray.sum.entries)),
                    ("bytes", .integer(stray.sum.bytes)),
                ])
        }
        for problem in problems { events.emit("mount_table_problem", [("message", .string(problem))]) }
    }

    var text: String {
        var lines = ["", "  \(counted(rows.count, "mount")):"]
        let cells = rows.map { row in
            [
                (row.mount.namespace.isEmpty ? "" : "\(row.mount.namespace): ") + row.mount.path
                    + (row.mount.kind == .audit ? " (audit device)" : ""), row.mount.type, row.mount.uuid,
                row.sum.entries == 0
                    ? "no entries" : "\(counted(row.sum.entries, "entry", "entries")), \(formatBytes(row.sum.bytes))",
            ]
        }
        let widths = (0..<3).map { column in min(cells.map { $0[column].count }.max() ?? 0, 60) }
        for (row, cells) in zip(rows, cells) {
            let padded = zip(cells, widths).map { text, width in
                text + String(repeating: " ", count: max(width - text.count, 0))
            }
            let mark = row.isServed ? "" : "  NOT SERVED by \(server?.rawValue ?? ""): no plugin \(row.mount.type)"
            lines.append("    " + (padded + [cells[3]]).joined(separator: "  ") + mark)
        }
        if let server {
            let count = rows.count { !$0.isServed }
            lines += [
                "",
                count == 0
                    ? "  \(server.rawValue) has a plugin for every mount"
                        + (problems.isEmpty ? "." : " that could be read; what was not (below) may have others.")
                    : "  \(server.rawValue) has no plugin for \(counted(count, "mount")): entries are kept and not "
                        + "served until one of that name is registered."
                        + (problems.isEmpty ? "" : " What could not be read (below) may have more."),
            ]
        }
        if !strays.isEmpty {
            lines += ["", "  Entries of no mount:"]
            lines += strays.prefix(Self.mostStrays).map {
                "    \($0.folder)  \(counted($0.sum.entries, "entry", "entries")), \(formatBytes($0.sum.bytes))"
            }
            if strays.count > Self.mostStrays {
                lines.append("    … and \(formatCount(strays.count - Self.mostStrays)) more")
            }
        }
        if !problems.isEmpty { lines += ["", "  Not read:"] + problems.map { "    \($0)" } }
        return lines.joined(separator: "\n")
    }
}
