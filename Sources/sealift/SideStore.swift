import Flags
import Migration
import Storage
import Workers

/// Opens one store of a configuration file for reading: a migration's source or destination, or a server's `storage`.
func openSide(
    _ flags: ParsedFlags, _ console: Console, _ cancellation: CancellationToken
) throws(MigrationFailure) -> any StorageBackend {
    let file = try ConfigurationFile(path: try CommonFlags.configPath(flags), environment: console.environment)
    let block: String
    switch flags.string("side") {
    case "":
        guard try file.stores("storage").count == 1 else {
            throw MigrationFailure(
                .configuration,
                "\(file.path) has no single storage stanza. Say which store is meant: -side=source or -side=destination."
            )
        }
        block = "storage"
    case "source": block = "storage_source"
    case "destination": block = "storage_destination"
    default:
        throw MigrationFailure(
            .configuration, "-side takes source or destination, not \"\(flags.string("side"))\".")
    }
    return try openForReading(try file.store(block), cancellation)
}

/// Opens a configured store for reading only.
func openForReading(
    _ store: ConfiguredStore, _ cancellation: CancellationToken
) throws(MigrationFailure) -> any StorageBackend {
    if let driver = backendDrivers.first(where: { $0.kind == store.type }) { _ = try store.checkOptions(driver) }
    do throws(MigrationFailure) {
        return try store.open(backendDrivers, .source(writesMarker: false), isCancelled: { cancellation.isCancelled })
    } catch {
        // These commands migrate nothing; the rest of the message is the same.
        throw MigrationFailure(error.kind, error.message.replacing("Error migrating: ", with: "Error: "))
    }
}
