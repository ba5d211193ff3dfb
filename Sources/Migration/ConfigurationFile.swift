import Glibc
package import HCL
package import Storage

/// A storage block of a configuration file, matched with the backend that serves it.
package struct ConfiguredStore: Sendable {
    /// The block's name: `storage_source`, `storage_destination`, `storage`.
    package let block: String
    /// The backend's type, lower case.
    package let type: String
    package let settings: BackendSettings
    fileprivate let source: SourceText
    fileprivate let storageBlock: StorageBlock
}

/// A configuration file as `operator migrate` reads it.
package struct ConfigurationFile: Sendable {
    package let path: String
    package let document: Document
    private let environment: [String: String]

    /// Reads a file.
    ///
    /// - Throws: `MigrationFailure` of kind `configuration`, in the stock command's words.
    package init(path: String, environment: [String: String]) throws(MigrationFailure) {
        self.path = path
        self.environment = environment
        let bytes = try Self.read(path)
        do throws(Diagnostic) {
            document = try Document.parse(SourceText(name: path, bytes: bytes))
        } catch {
            throw Self.failure(error, SourceText(name: path, bytes: bytes))
        }
    }

    /// Sealift has no use for a configuration larger than this.
    private static let maximumBytes = 16 << 20

    private static func read(_ path: String) throws(MigrationFailure) -> [UInt8] {
        let prefix = "Error loading configuration from \(path): "
        var info = stat()
        guard stat(path, &info) == 0 else {
            throw MigrationFailure(.configuration, "\(prefix)stat \(path): \(systemMessage(errno))")
        }
        guard info.st_mode & S_IFMT != S_IFDIR else {
            throw MigrationFailure(.configuration, "\(prefix)location is a directory, not a file")
        }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw MigrationFailure(.configuration, "\(prefix)open \(path): \(systemMessage(errno))")
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            guard count >= 0 else {
                throw MigrationFailure(.configuration, "\(prefix)read \(path): \(systemMessage(errno))")
            }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= maximumBytes else {
                throw MigrationFailure(.configuration, "\(prefix)the file is larger than 16 MiB; is it the right one?")
            }
        }
    }

    /// `Error loading configuration from …` with the stock command's line, then the place and the remedy.
    static func failure(_ diagnostic: Diagnostic, _ source: SourceText) -> MigrationFailure {
        MigrationFailure(
            .configuration,
            "Error loading configuration from \(source.name): \(diagnostic.incumbentText)\n"
                + diagnostic.rendered(in: source))
    }

    /// The one block of that name.
    package func store(_ block: String) throws(MigrationFailure) -> ConfiguredStore {
        do throws(Diagnostic) {
            return configured(try document.storageBlock(named: block))
        } catch {
            throw Self.failure(error, document.source)
        }
    }

    /// The blocks of that name, perhaps none.
    package func stores(_ block: String) throws(MigrationFailure) -> [ConfiguredStore] {
        do throws(Diagnostic) {
            return try document.storageBlocks(named: block).map(configured)
        } catch {
            throw Self.failure(error, document.source)
        }
    }

    /// The top-level `cluster_addr`; `nil` if it is not set.
    package func clusterAddress() throws(MigrationFailure) -> String? {
        do throws(Diagnostic) {
            return try document.stringSetting(named: "cluster_addr")?.value
        } catch {
            throw Self.failure(error, document.source)
        }
    }

    private func configured(_ block: StorageBlock) -> ConfiguredStore {
        let settings = block.settings.map { setting in
            BackendSetting(
                name: setting.name, value: setting.value, namePlace: Self.place(setting.nameRange),
                valuePlace: Self.place(setting.valueRange))
        }
        return ConfiguredStore(
            block: block.name, type: block.type,
            settings: BackendSettings(
                block: block.name, place: Self.place(block.typeRange), settings: settings, environment: environment),
            source: document.source, storageBlock: block)
    }

    private static func place(_ range: SourceRange) -> SettingPlace {
        SettingPlace(
            lower: range.start.offset, upper: range.end.offset, line: range.start.line, column: range.start.column)
    }
}

extension ConfiguredStore {
    /// Checks the options against what the backend knows.
    ///
    /// - Returns: Sentences about options that have no effect here.
    /// - Throws: Every unknown option at once, with its place and the nearest known name.
    package func checkOptions(_ driver: BackendDriver) throws(MigrationFailure) -> [String] {
        var problems: [Diagnostic] = []
        var ignored: [String] = []
        for setting in storageBlock.settings {
            if setting.isDuplicate {
                problems.append(
                    Diagnostic(
                        summary: "\(block) \"\(type)\" sets \(setting.name) twice.",
                        detail: "Vault releases differ in which one counts, so neither is taken. Remove one.",
                        range: setting.nameRange))
            }
            if let option = driver.options.first(where: { $0.name == setting.name }) {
                if option.isIgnored { ignored.append(setting.name) }
                continue
            }
            let near = nearestName(to: setting.name, among: driver.options.map(\.name))
            problems.append(
                Diagnostic(
                    summary: "\(block) \"\(type)\" has no option \"\(setting.name)\"."
                        + (near.map { " Did you mean \"\($0)\"?" } ?? ""),
                    detail: "Correct or remove it; see the README for the options of each backend.",
                    range: setting.nameRange))
        }
        if !problems.isEmpty {
            let rendered = problems.map { $0.rendered(in: source) }.joined(separator: "\n")
            throw MigrationFailure(
                .configuration, "Error loading configuration from \(source.name): \(problems[0].summary)\n\(rendered)")
        }
        ignored += storageBlock.ignoredSettings.map(\.name)
        guard !ignored.isEmpty else { return [] }
        return ["\(block) \"\(type)\": no effect on a migration: \(ignored.sorted().joined(separator: ", "))."]
    }

    /// Opens the store.
    ///
    /// - Parameter isCancelled: Asked by whatever the store waits for.
    /// - Throws: `error mounting '<block>': …`, with the place in the file if an option is at fault.
    package func open(
        _ drivers: [BackendDriver], _ purpose: OpenPurpose, isCancelled: @escaping @Sendable () -> Bool = { false }
    ) throws(MigrationFailure) -> any StorageBackend {
        let prefix = "error mounting '\(block)': "
        guard let driver = drivers.first(where: { $0.kind == type }) else {
            let known = drivers.map(\.kind)
            let near = nearestName(to: type, among: known).map { " Did you mean \"\($0)\"?" } ?? ""
            throw .migrating(
                "\(prefix)no Vault storage backend named: \(goQuoted(type))\n"
                    + "Sealift knows \(known.joined(separator: ", ")).\(near)")
        }
        var settings = settings
        settings.isCancelled = isCancelled
        do throws(StorageError) {
            return try driver.open(settings, purpose)
        } catch {
            if error.code == .cancelled { throw MigrationFailure.stage(prefix, error) }
            throw .migrating(prefix + describe(error))
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

    private func goQuoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                quoted += "\\x" + hex(scalar.value, 2)
            case _ where scalar.value < 0x7f: quoted.unicodeScalars.append(scalar)
            case _ where scalar.value <= 0xffff: quoted += "\\u" + hex(scalar.value, 4)
            default: quoted += "\\U" + hex(scalar.value, 8)
            }
        }
        return quoted + "\""
    }

    private func hex(_ value: UInt32, _ width: Int) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: max(width - digits.count, 0)) + digits
    }
}
