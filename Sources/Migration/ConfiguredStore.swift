import HCL
package import Storage

/// A storage block of a configuration file, matched with the backend that serves it.
package struct ConfiguredStore: Sendable {
    /// The block's name: `storage_source`, `storage_destination`, `storage`.
    package let block: String
    /// The backend's type, lower case.
    package let type: String
    package let settings: BackendSettings
    let source: SourceText
    let storageBlock: StorageBlock
}

/// How strictly options are looked at.
package enum OptionRules: Sendable, Equatable {
    /// An unknown option is an error: the file was written for the migration.
    case migration
    /// An unknown option is a remark: a server ignores it too.
    case server
    /// The block is no storage: an unknown option is an error, whatever servers take; `help` is the command whose help lists
    /// the options.
    case section(help: String)
}

/// Options that belong to another backend or to nothing, and that files of servers carry nevertheless; every server
/// ignores them.
private let idleOptions: Set<String> = ["ha_enabled", "tls_disable", "node_id", "max_parallel", "//", "#", "_comment"]

extension ConfiguredStore {
    /// Most problems of one block that are shown.
    private static let mostShown = 20

    /// Checks the options against what the backend knows.
    ///
    /// - Returns: Sentences about options that have no effect here.
    /// - Throws: Every unknown option at once, with its place and the nearest known name.
    package func checkOptions(
        _ driver: BackendDriver, _ rules: OptionRules = .migration
    ) throws(MigrationFailure) -> [String] {
        var problems: [Diagnostic] = []
        var ignored: [String] = []
        var remarks: [String] = []
        for setting in storageBlock.settings {
            if let first = setting.firstNameRange { problems.append(duplicate(setting, first)) }
            if let option = driver.options.first(where: { $0.name == setting.name }) {
                if option.isIgnored {
                    ignored.append(setting.name)
                } else if let problem = placeholder(setting, option) ?? duplicateInside(setting) {
                    problems.append(problem)
                }
                continue
            }
            if rules == .migration, idleOptions.contains(setting.name) {
                ignored.append(setting.name)
                continue
            }
            let near = nearestName(to: setting.name, among: driver.options.map(\.name))
            let summary =
                "\(title) has no option \"\(shownName(setting.name))\"."
                + (near.map { " Did you mean \"\($0)\"?" } ?? "")
            switch rules {
            case .section(let help):
                problems.append(
                    Diagnostic(
                        summary: summary, detail: "Correct or remove it; `\(help)` lists the options.",
                        range: setting.nameRange))
            case .server: remarks.append("\(source.name):\(setting.nameRange.start): \(summary) A server ignores it.")
            case .migration:
                problems.append(
                    Diagnostic(
                        summary: summary,
                        detail: "Correct or remove it; `sealift help backends \(type)` lists the options.",
                        range: setting.nameRange))
            }
        }
        if case .section = rules {
            problems += storageBlock.ignoredSettings.map {
                Diagnostic(
                    summary: "\(title) has no option \"\(shownName($0.name))\".", detail: "Remove it.",
                    range: $0.nameRange)
            }
        }
        try refuse(problems)
        ignored += storageBlock.ignoredSettings.map(\.name)
        // In a server's stanza they are where they belong.
        if rules == .migration, !ignored.isEmpty {
            remarks.append(
                "\(block) \"\(type)\": no effect on a migration: \(ignored.sorted().joined(separator: ", ")).")
        }
        return remarks
    }

    /// How the block is called in messages: `storage_source "file"`, or `drill` for one without a type.
    private var title: String { type == block ? block : "\(block) \"\(type)\"" }

    private func refuse(_ problems: [Diagnostic]) throws(MigrationFailure) {
        guard let first = problems.first else { return }
        var rendered = problems.prefix(Self.mostShown).map { $0.rendered(in: source) }
        if problems.count > Self.mostShown { rendered.append("… and \(problems.count - Self.mostShown) more.") }
        throw MigrationFailure(
            .configuration,
            "Error loading configuration from \(source.name): \(first.summary)\n\(rendered.joined(separator: "\n"))",
            place: first.place(in: source))
    }

    private func duplicate(_ setting: LocatedSetting, _ first: SourceRange) -> Diagnostic {
        Diagnostic(
            summary: "\(title) sets \(shownName(setting.name)) twice.",
            detail: "The first is at \(first.start). Vault releases differ in which one counts, so neither is taken. "
                + "Remove one.", range: setting.nameRange)
    }

    private func duplicateInside(_ setting: LocatedSetting) -> Diagnostic? {
        setting.replacedInside.map { name, range in
            Diagnostic(
                summary: "\(block) \"\(type)\" sets \(shownName(name)) twice in one \(shownName(setting.name)).",
                detail: "Vault releases differ in which one counts, so neither is taken. Remove one.", range: range)
        }
    }

    /// What a shell or a template would have filled in, where it is taken as it stands.
    private func placeholder(_ setting: LocatedSetting, _ option: BackendOption) -> Diagnostic? {
        let value = setting.value
        if option.kind == .path, value.hasPrefix("~") {
            return Diagnostic(
                summary: "\(title): ~ is not filled in.",
                detail: "Neither servers nor Sealift know it as the home folder. Write the whole path, from / on.",
                range: setting.valueRange)
        }
        // Secrets are any text.
        guard option.kind == .path || option.kind == .text, !option.isSecret else { return nil }
        guard let mark = ["${", "$(", "{{"].first(where: { value.contains($0) }) else { return nil }
        return Diagnostic(
            summary: "\(title): \(setting.name) has a placeholder, \(mark)…, which nothing fills in.",
            detail: "Neither servers nor Sealift fill in variables here. Write what it stands for.",
            range: setting.valueRange)
    }

    /// Opens the store to be read.
    ///
    /// - Parameter isCancelled: Asked by whatever the store waits for.
    /// - Throws: `error mounting '<block>': …`, with the place in the file if an option is at fault.
    package func openSource(
        _ drivers: [BackendDriver], _ context: SourceContext,
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) throws(MigrationFailure) -> any StorageSource {
        try mount(drivers, isCancelled) { driver, settings throws(StorageError) in
            try driver.openSource(settings, context)
        }
    }

    /// Opens the store to be filled.
    ///
    /// - Parameter isCancelled: Asked by whatever the store waits for.
    /// - Throws: `error mounting '<block>': …`, with the place in the file if an option is at fault.
    package func openDestination(
        _ drivers: [BackendDriver], _ context: DestinationContext,
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) throws(MigrationFailure) -> any StorageDestination {
        try mount(drivers, isCancelled) { driver, settings throws(StorageError) in
            guard let open = driver.openDestination else {
                throw StorageError(
                    .configuration, "\(driver.kind) can only be a source: it is not written to.", place: settings.place)
            }
            return try open(settings, context)
        }
    }

    /// Opens every store that the block stands for, to be filled.
    ///
    /// - Throws: As ``openDestination(_:_:isCancelled:)``.
    package func openDestinations(
        _ drivers: [BackendDriver], _ context: DestinationContext,
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) throws(MigrationFailure) -> [any StorageDestination] {
        try openTargets(drivers, context, isCancelled: isCancelled).map(\.store)
    }

    /// The same, with how each is opened to be read.
    func openTargets(
        _ drivers: [BackendDriver], _ context: DestinationContext, isCancelled: @escaping @Sendable () -> Bool
    ) throws(MigrationFailure) -> [MigrationPhases.Target] {
        guard drivers.first(where: { $0.kind == type })?.openDestinations != nil else {
            return [
                MigrationPhases.Target(store: try openDestination(drivers, context, isCancelled: isCancelled)) {
                    () throws(MigrationFailure) in
                    try openSource(drivers, SourceContext(writesMarker: false))
                }
            ]
        }
        let opened = try mount(drivers, isCancelled) { driver, settings throws(StorageError) in
            try driver.openDestinations?(settings, context) ?? []
        }
        return opened.map { destination in
            MigrationPhases.Target(store: destination.store) { () throws(MigrationFailure) in
                try mount(drivers, { false }) { _, _ throws(StorageError) in try destination.reopening() }
            }
        }
    }

    /// Looks at the block as one of another kind than storage, which has no type.
    ///
    /// - Parameter help: The command whose help lists the options.
    /// - Throws: Every unknown option at once, and a type.
    package func checkSection(_ options: [BackendOption], help: String) throws(MigrationFailure) {
        guard type == block else {
            try refuse([
                Diagnostic(
                    summary: "\(block) takes no name: \"\(storageBlock.shownType)\".",
                    detail: "Write \(block) { … }.", range: storageBlock.typeRange)
            ])
            return
        }
        let driver = BackendDriver(
            kind: block, summary: "", options: options,
            openSource: { _, _ throws(StorageError) in throw StorageError(.unsupported, "") }, openDestination: nil)
        _ = try checkOptions(driver, .section(help: help))
    }

    /// An option that is at fault, with its place in the file.
    package func failure(_ error: StorageError) -> MigrationFailure {
        MigrationFailure(
            .configuration, "Error loading configuration from \(source.name): \(describe(error))", cause: error,
            place: error.place.map { .init(file: source.name, line: $0.line, column: $0.column) })
    }

    private func mount<Store>(
        _ drivers: [BackendDriver], _ isCancelled: @escaping @Sendable () -> Bool,
        _ open: (BackendDriver, BackendSettings) throws(StorageError) -> Store
    ) throws(MigrationFailure) -> Store {
        let prefix = "error mounting '\(block)': "
        guard let driver = drivers.first(where: { $0.kind == type }) else {
            throw .migrating(prefix + unknownType(drivers.map(\.kind)))
        }
        var settings = settings
        settings.isCancelled = isCancelled
        do throws(StorageError) {
            return try open(driver, settings)
        } catch {
            if error.code == .cancelled { throw MigrationFailure.stage(prefix, error) }
            throw MigrationFailure(
                .failed, prefix + describe(error), cause: error,
                place: error.place.map { .init(file: source.name, line: $0.line, column: $0.column) })
        }
    }

    /// The error's text, with the place in the file behind it if an option is at fault.
    private func describe(_ error: StorageError) -> String {
        guard let place = error.place else { return error.message }
        let range = SourceRange(
            start: SourcePosition(line: place.line, column: place.column, offset: place.lower),
            end: SourcePosition(line: place.line, column: place.column + place.upper - place.lower, offset: place.upper)
        )
        let diagnostic = Diagnostic(summary: error.message, range: range)
        return "\(error.message)\n\(diagnostic.rendered(in: source))"
    }

    /// Why there is no driver: the stock command's line for a type that nobody knows.
    private func unknownType(_ supported: [String]) -> String {
        let list = "Sealift knows \(supported.joined(separator: ", "))."
        if knownStorageTypes.contains(type) { return "storage type \"\(type)\" is not supported yet.\n\(list)" }
        let stockLine = "no Vault storage backend named: \"\(storageBlock.shownType)\"\n"
        if type == block { return stockLine + missingType }
        let near = nearestName(to: type, among: supported).map { " Did you mean \"\($0)\"?" } ?? ""
        return stockLine + list + near
    }

    /// A block without a type is taken for one of its own name.
    private var missingType: String {
        if let only = storageBlock.settings.first, storageBlock.settings.count == 1, only.value.hasPrefix("[{"),
            knownStorageTypes.contains(only.name)
        {
            return
                "In \(block) the options of \(only.name) stand in a list, as programs that convert HCL write them. Write "
                + "{\"\(block)\": {\"\(only.name)\": { … }}}."
        }
        return "\(block) names no type. Write \(block) \"file\" { … }, or {\"\(block)\": {\"file\": { … }}}."
    }
}
