/// Writes log lines in Vault's form. A value: copies share their output, so their lines do not mix.
///
/// Messages are constant; what varies goes into fields. Values of entries, credentials and key shares never do.
package struct Logger: Sendable {
    /// Lines below it are dropped.
    package let level: LogLevel
    package let format: LogFormat
    /// Stands before each message; empty for none.
    package let name: String
    private let output: TerminalOutput
    private let clock: @Sendable () -> WallTime

    /// - Parameters:
    ///   - output: Where lines go; a progress block shown there makes room for each line.
    ///   - clock: The time of a line.
    package init(
        level: LogLevel = .info, format: LogFormat = .standard, name: String = "",
        output: TerminalOutput = .standardError, clock: @escaping @Sendable () -> WallTime = WallTime.now
    ) {
        self.level = level
        self.format = format
        self.name = name
        self.output = output
        self.clock = clock
    }

    /// The same logger under a further name: `migrate`, then `migrate.raft`.
    package func named(_ added: String) -> Logger {
        Logger(
            level: level, format: format, name: name.isEmpty ? added : name + "." + added, output: output, clock: clock)
    }

    /// Whether lines of that level are written.
    package func isEnabled(_ level: LogLevel) -> Bool { level >= self.level }

    /// Writes one line; `fields` is not evaluated if the level is off.
    package func log(
        _ level: LogLevel, _ message: StaticString, _ fields: @autoclosure () -> KeyValuePairs<String, LogValue> = [:]
    ) {
        guard isEnabled(level) else { return }
        let line = LogLine(
            time: clock(), level: level, name: name, message: message.description,
            fields: fields().map { (key: $0.key, value: $0.value) })
        output.writeLine(line.text(format))
    }

    /// Writes a line of level `trace`: finest detail.
    package func trace(
        _ message: StaticString, _ fields: @autoclosure () -> KeyValuePairs<String, LogValue> = [:]
    ) { log(.trace, message, fields()) }

    /// Writes a line of level `debug`: detail for finding faults.
    package func debug(
        _ message: StaticString, _ fields: @autoclosure () -> KeyValuePairs<String, LogValue> = [:]
    ) { log(.debug, message, fields()) }

    /// Writes a line of level `info`: what a run normally does.
    package func info(
        _ message: StaticString, _ fields: @autoclosure () -> KeyValuePairs<String, LogValue> = [:]
    ) { log(.info, message, fields()) }

    /// Writes a line of level `warn`: something that may need attention.
    package func warn(
        _ message: StaticString, _ fields: @autoclosure () -> KeyValuePairs<String, LogValue> = [:]
    ) { log(.warn, message, fields()) }

    /// Writes a line of level `error`: something that failed.
    package func error(
        _ message: StaticString, _ fields: @autoclosure () -> KeyValuePairs<String, LogValue> = [:]
    ) { log(.error, message, fields()) }
}
