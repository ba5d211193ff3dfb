import Files
import Glibc
import JSON
package import Migration
package import Storage

/// What a drill's file says, besides the source.
package struct DrillSettings: Sendable {
    /// The server that is started on the copy.
    package struct Server: Sendable {
        /// Whether the server gets a network of its own.
        package enum Network: String, Sendable, CaseIterable {
            /// Where the system allows it.
            case cutIfAllowed = "cut_if_allowed"
            /// Always: without it there is no drill.
            case cut
            case shared
        }

        package var binary: String
        package var network = Network.cutIfAllowed
        /// Where it listens on loopback if its network is shared; 0 for any free one.
        package var port = 0
        package var clusterPort = 0
        /// Seconds for its start, and again until it serves.
        package var timeout = 300
        /// Paths that it must serve.
        package var reads: [String] = []
        /// Start it even where it may reach what its leases stand for.
        package var allowsLiveLeases = false
    }

    package var folder: String
    package var dropsLeases = true
    package var dropsAuditDevices = true
    package var keeps = false
    /// A drill that takes more than this many times as long as the last good one is pointed out.
    package var slower = 1.5
    /// One that restores less than this share of it is, too.
    package var smaller = 0.9
    package var allowsSourceInUse = false
    package var allowsLostEntries = false
    package var allowsMissingLog = false
    package var server: Server?

    /// What may stand at the top level of a drill's file.
    private static let blocks = ["storage_source", "drill", "server"]
    /// The command whose help lists the options.
    private static let help = "sealift drill -help"

    // MARK: the options

    package static let drillOptions = [
        folderOption, leases, audit, keep, slowerOption, smallerOption, inUse, lost, missingLog,
    ]
    package static let serverOptions = [
        binary, network, portOption, clusterPortOption, timeoutOption, read, liveLeases,
    ]

    private static let folderOption = BackendOption(
        "folder", .path,
        "The drills' own folder, for the copy while a drill lasts and for the reports; made if it is missing.")
    private static let leases = BackendOption(
        "drop_leases", .boolean, default: "true",
        "Leave leases out of the copy, those of namespaces among them, so that a server on it revokes nothing that is real."
    )
    private static let audit = BackendOption(
        "drop_audit_devices", .boolean, default: "true",
        "Leave audit devices out of the copy, so that a server on it writes to no audit log of this machine.")
    private static let keep = BackendOption(
        "keep", .boolean, default: "false", "Leave the copy where it is; drills never remove it then.")
    private static let slowerOption = BackendOption(
        "slower", .number(maximum: nil), default: "1.5",
        "Point out a drill that took more than this many times as long as the last good one.")
    private static let smallerOption = BackendOption(
        "smaller", .number(maximum: 1), default: "0.9",
        "Point out a drill that restored less than this share of the entries, or bytes, of the last good one.")
    private static let inUse = BackendOption(
        "allow_source_in_use", .boolean, default: "false", "Read a source on which a server seems to run.")
    private static let lost = BackendOption(
        "allow_lost_entries", .boolean, default: "false",
        "Do without the entries of a file store that a crash left as files of zero length.")
    private static let missingLog = BackendOption(
        "allow_missing_log", .boolean, default: "false",
        "Read a Raft directory whose log is missing, cannot be read, or holds writes that the data lacks.")

    private static let binary = BackendOption("binary", .path, "The server's program: /usr/bin/bao, /usr/bin/vault.")
    private static let network = BackendOption(
        "network", .words(Server.Network.allCases.map(\.rawValue)), default: Server.Network.cutIfAllowed.rawValue,
        "Whether the server gets a network of its own, from which it reaches nothing.")
    private static let portOption = BackendOption(
        "port", .integer(minimum: 0), default: "0",
        "Where the server listens on 127.0.0.1 if its network is not its own; 0 for a free one.")
    private static let clusterPortOption = BackendOption(
        "cluster_port", .integer(minimum: 0), default: "0", "The same for its cluster's listener.")
    private static let timeoutOption = BackendOption(
        "timeout", .integer(minimum: 1), default: "300", "Seconds for its start, and again until it serves.")
    private static let read = BackendOption(
        "read", .text, "A path, or a list of them, that the server must serve: [\"secret/data/drill\"].")
    private static let liveLeases = BackendOption(
        "allow_live_leases", .boolean, default: "false",
        "Start the server with leases in the copy and with a network: it revokes what has expired, and that is real.")

    // MARK: decoding

    /// Reads a drill's file.
    ///
    /// - Parameter looksForServer: Whether the server's program must be there.
    /// - Returns: What it says, and the store it names.
    /// - Throws: Of kind `configuration`, with the place in the file.
    package static func read(
        _ path: String, environment: [String: String], looksForServer: Bool = true
    ) throws(MigrationFailure) -> (settings: DrillSettings, source: ConfiguredStore) {
        let file = try ConfigurationFile(path: path, environment: environment)
        try file.refuseOthers(than: blocks, help: help)
        let source = try file.store("storage_source")
        let (drills, servers) = (try file.blocks("drill"), try file.blocks("server"))
        // Tells where the second one stands.
        if drills.count > 1 { _ = try file.store("drill") }
        if servers.count > 1 { _ = try file.store("server") }
        guard let drill = drills.first else {
            throw MigrationFailure(
                .configuration,
                "Error loading configuration from \(path): exactly one \"drill\" block is required\n"
                    + "Add one: drill { folder = \"/var/lib/sealift/drills\" }.")
        }
        try drill.checkSection(drillOptions, help: help)
        var settings: DrillSettings
        do throws(StorageError) {
            settings = try decode(drill.settings)
        } catch {
            throw drill.failure(error)
        }
        if let server = servers.first {
            try server.checkSection(serverOptions, help: help)
            do throws(StorageError) {
                settings.server = try decodeServer(server.settings)
                if looksForServer { try checkProgram(server.settings) }
            } catch {
                throw server.failure(error)
            }
        }
        return (settings, source)
    }

    private static func decode(_ settings: BackendSettings) throws(StorageError) -> DrillSettings {
        var drill = DrillSettings(folder: try settings.path(folderOption))
        drill.dropsLeases = try settings.boolean(leases) ?? drill.dropsLeases
        drill.dropsAuditDevices = try settings.boolean(audit) ?? drill.dropsAuditDevices
        drill.keeps = try settings.boolean(keep) ?? drill.keeps
        drill.slower = try settings.number(slowerOption) ?? drill.slower
        drill.smaller = try settings.number(smallerOption) ?? drill.smaller
        guard drill.slower >= 1 else {
            throw StorageError(
                .configuration, "slower must be 1 or more: how many times as long as the last good drill is too long.",
                place: settings.place(of: slowerOption))
        }
        drill.allowsSourceInUse = try settings.boolean(inUse) ?? false
        drill.allowsLostEntries = try settings.boolean(lost) ?? false
        drill.allowsMissingLog = try settings.boolean(missingLog) ?? false
        return drill
    }

    private static func decodeServer(_ settings: BackendSettings) throws(StorageError) -> Server {
        var server = Server(binary: try settings.path(binary))
        if let word = try settings.word(network), let network = Server.Network(rawValue: word) {
            server.network = network
        }
        server.port = try port(settings, portOption)
        server.clusterPort = try port(settings, clusterPortOption)
        if server.port != 0, server.port == server.clusterPort {
            throw StorageError(
                .configuration, "port and cluster_port must differ.", place: settings.place(of: clusterPortOption))
        }
        server.timeout = min(try settings.integer(timeoutOption) ?? server.timeout, 86_400)
        server.reads = try reads(settings)
        server.allowsLiveLeases = try settings.boolean(liveLeases) ?? false
        return server
    }

    private static func checkProgram(_ settings: BackendSettings) throws(StorageError) {
        let path = try settings.path(binary)
        var info = stat()
        guard stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFREG, access(path, X_OK) == 0 else {
            throw StorageError(
                .configuration,
                "binary \(path): there is no program that may be run. Install the server, or name where it is.",
                place: settings.place(of: binary))
        }
    }

    private static func port(_ settings: BackendSettings, _ option: BackendOption) throws(StorageError) -> Int {
        let port = try settings.integer(option) ?? 0
        guard port <= 65_535 else {
            throw StorageError(
                .configuration, "\(option.name) must be a port: 0 to 65535.", place: settings.place(of: option))
        }
        return port
    }

    /// One text, or a list of texts in the form in which settings hold it, which is JSON.
    private static func reads(_ settings: BackendSettings) throws(StorageError) -> [String] {
        guard let text = settings.text(read), !text.isEmpty else { return [] }
        var paths = [text]
        if text.hasPrefix("[") {
            do throws(JSONError) {
                let parser = try JSONParser()
                defer { withExtendedLifetime(parser) {} }
                let bytes = Array(text.utf8)
                paths = try bytes.withBytes { (bytes) throws(JSONError) in
                    try parser.parse(bytes).elements.map { $0.text ?? "" }
                }
            } catch {
                throw StorageError(
                    .configuration, "read is a list of paths: \(error).", place: settings.place(of: read))
            }
        }
        // A server answers a path that it cleans with a redirect, and one with a control character not at all.
        for path in paths {
            let segments = path.split(separator: "/", omittingEmptySubsequences: false)
            guard !path.isEmpty, !segments.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }),
                path.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f })
            else {
                throw StorageError(
                    .configuration,
                    "read: \(StorageKey(Array(path.utf8))) is no path of a server: write it as in `bao read`, such as "
                        + "secret/data/drill.", place: settings.place(of: read))
            }
        }
        return paths
    }
}
