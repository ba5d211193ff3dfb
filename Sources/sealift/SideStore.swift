import Flags
import Migration
import RaftDirectoryBackend
import Storage
import Telemetry
import Workers

/// Opens one store of a configuration file for reading: a migration's source or destination, or a server's `storage`.
func openSide(
    _ flags: ParsedFlags, _ console: Console, _ cancellation: CancellationToken
) throws(MigrationFailure) -> any StorageSource {
    let file = try ConfigurationFile(
        path: try CommonFlags.configPath(flags), environment: console.environment, allowsFolder: true)
    switch flags.string("side") {
    case "": return try openForReading(try file.serverStore(), console, cancellation, .server)
    case "source": return try openForReading(try file.store("storage_source"), console, cancellation)
    case "destination": return try openForReading(try file.store("storage_destination"), console, cancellation)
    default:
        throw MigrationFailure(
            .configuration, "-side takes source or destination, not \"\(flags.string("side"))\".")
    }
}

/// Opens a configured store for reading only; prints a warning for every option that means nothing.
func openForReading(
    _ store: ConfiguredStore, _ console: Console, _ cancellation: CancellationToken, _ rules: OptionRules = .migration
) throws(MigrationFailure) -> any StorageSource {
    if let driver = backendDrivers.first(where: { $0.kind == store.type }) {
        let remarks = try store.checkOptions(driver, rules)
        if rules == .server {
            for remark in remarks { console.printError(console.screen.paint("Warning: \(remark)", .yellow)) }
        }
    }
    let opened = try store.openSource(
        backendDrivers, SourceContext(writesMarker: false), isCancelled: { cancellation.isCancelled })
    if let node = opened as? RaftDirectoryBackend {
        for text in node.logWarnings { console.printError(console.screen.paint("Warning: \(text)", .yellow)) }
    }
    return opened
}
