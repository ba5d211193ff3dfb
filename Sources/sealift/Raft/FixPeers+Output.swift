import RaftFormat
import RaftMaintenance
import Storage
import Telemetry

extension PeersLook {
    /// The look for a person.
    func text(of path: String) -> String {
        var lines = [
            "Directory   \(path)", "Node id     \(nodeID.map { "\(StorageKey($0))" } ?? "not known: give -node-id")",
            "Data        index \(position.index), term \(position.term)",
        ]
        if let outline {
            lines.append(
                "Log         term \(outline.currentTerm), "
                    + "\(counted(outline.tail.entries, "entry", "entries")) behind the data")
        } else {
            lines.append("Log         \(hasSegments ? "in raft/wal, not read" : "none")")
        }
        if let recorded {
            lines += table("vault.db, latest_config, index \(recorded.index)", recorded.servers, .record)
        }
        if let newest = outline?.newestConfiguration {
            lines += table("raft.db, index \(newest.index), wins over vault.db", newest.servers, .log)
        }
        switch pending {
        case .none: break
        case .servers(let servers): lines += table("raft/peers.json, wins over all else", servers, .pending)
        case .unusable(let reason): lines += ["", "raft/peers.json \(reason)"]
        }
        lines.append("")
        lines += findings.isEmpty ? ["Nothing suspicious."] : ["Suspicious:"] + findings.map { "  \($0.text)" }
        return lines.joined(separator: "\n")
    }

    private func table(_ title: String, _ servers: [ClusterServer], _ origin: Origin) -> [String] {
        ["", title + (next?.origin == origin ? " (the next start's)" : "")] + serverTable(servers)
    }

    /// The look for a program.
    func members(of path: String) -> [(String, JSONText)] {
        let pendingText: JSONText =
            switch pending {
            case .none: .null
            case .servers(let servers): .object([("servers", serverList(servers)), ("problem", .null)])
            case .unusable(let reason): .object([("servers", .null), ("problem", .string(reason))])
            }
        return [
            ("path", .string(path)), ("node_id", .optional(nodeID)),
            ("position", .object([("index", indexText(position.index)), ("term", indexText(position.term))])),
            ("latest_config", configuration(recorded)),
            ("newer_configuration", configuration(outline?.newestConfiguration)), ("peers_json", pendingText),
            (
                "log",
                .object([
                    ("form", .string(outline != nil ? "raft.db" : hasSegments ? "wal" : "none")),
                    ("term", outline.map { indexText($0.currentTerm) } ?? .null),
                    ("entries_behind_data", .optional(outline?.tail.entries)),
                ])
            ),
            ("next_start", .optional(next?.origin.rawValue)), ("servers", next.map { serverList($0.servers) } ?? .null),
            (
                "findings",
                .array(findings.map { .object([("code", .string($0.code)), ("message", .string($0.text))]) })
            ),
        ]
    }

    private func configuration(_ configuration: ClusterConfiguration?) -> JSONText {
        configuration.map {
            .object([("index", indexText($0.index)), ("servers", serverList($0.servers))])
        } ?? .null
    }
}

extension PeersRewrite.Result {
    /// What was done, for a person.
    func text(isDry: Bool) -> String {
        let verb = isDry ? "would say" : "says"
        var lines = [
            isChanged ? "\(path) \(verb):" : "\(path) says so already; nothing \(isDry ? "would be" : "was") changed:"
        ]
        lines += serverTable(servers)
        if let oldPath { lines.append("The old file is kept as \(oldPath)") }
        return (lines + remarks).joined(separator: "\n")
    }

    /// The same for a program.
    func members(isDry: Bool) -> [(String, JSONText)] {
        [
            ("method", .string(method.rawValue)), ("path", .string(path)), ("dry_run", .boolean(isDry)),
            ("changed", .boolean(isChanged)), ("old_path", .optional(oldPath)), ("servers", serverList(servers)),
            ("remarks", .array(remarks.map { .string($0) })),
        ]
    }
}

private func serverTable(_ servers: [ClusterServer]) -> [String] {
    let rows =
        [("ID", "ADDRESS", "SUFFRAGE")]
        + servers.map { ("\(StorageKey($0.id))", "\(StorageKey($0.address))", suffrageName($0.suffrage)) }
    let widths = (rows.map(\.0.count).max() ?? 0, rows.map(\.1.count).max() ?? 0)
    return rows.map { row in
        "  " + row.0 + String(repeating: " ", count: widths.0 - row.0.count + 2) + row.1
            + String(repeating: " ", count: widths.1 - row.1.count + 2) + row.2
    }
}

private func serverList(_ servers: [ClusterServer]) -> JSONText {
    .array(
        servers.map {
            .object([
                ("id", .string($0.id)), ("address", .string($0.address)),
                ("suffrage", .string(suffrageName($0.suffrage))),
            ])
        })
}

private func suffrageName(_ suffrage: ClusterServer.Suffrage) -> String {
    switch suffrage {
    case .voter: "voter"
    case .nonvoter: "non-voter"
    case .staging: "staging"
    }
}

/// An index of the log; those that no JSON number of ours can say are far beyond any log.
private func indexText(_ index: UInt64) -> JSONText { .integer(Int(clamping: index)) }
