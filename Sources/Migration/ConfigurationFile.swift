import HCL
import Storage

/// A configuration file as `operator migrate` reads it, or a server's folder of them.
package struct ConfigurationFile: Sendable {
    package let path: String
    private let documents: [Document]
    private let environment: [String: String]

    /// Reads a file.
    ///
    /// - Parameter allowsFolder: Take a folder as well, as servers do: its `*.hcl` and `*.json`, in the order of their
    ///   names.
    /// - Throws: `MigrationFailure` of kind `configuration`, in the stock command's words.
    package init(
        path: String, environment: [String: String], allowsFolder: Bool = false
    ) throws(MigrationFailure) {
        self.path = path
        self.environment = environment
        var documents: [Document] = []
        for source in try ConfigurationText.read(path, allowsFolder: allowsFolder) {
            do throws(Diagnostic) {
                documents.append(try Document.parse(source))
            } catch {
                throw Self.failure(error, source)
            }
        }
        self.documents = documents
    }

    /// `Error loading configuration from …` with the stock command's line, then the place and the remedy.
    static func failure(_ diagnostic: Diagnostic, _ source: SourceText) -> MigrationFailure {
        MigrationFailure(
            .configuration,
            "Error loading configuration from \(source.name): \(diagnostic.incumbentText)\n"
                + diagnostic.rendered(in: source), place: diagnostic.place(in: source))
    }

    /// The one block of that name.
    package func store(_ block: String) throws(MigrationFailure) -> ConfiguredStore {
        let holders = documents.filter { $0.placeOfBlock(named: block) != nil }
        try refuseSeveral(holders, block)
        guard let document = holders.first ?? documents.first else { throw emptyFolder }
        do throws(Diagnostic) {
            return configured(try document.storageBlock(named: block), in: document)
        } catch {
            throw Self.failure(error, document.source)
        }
    }

    /// Refuses whatever stands at the top level and is none of these, with its place and the nearest name.
    ///
    /// - Parameter help: The command whose help tells of the file.
    package func refuseOthers(than known: [String], help: String) throws(MigrationFailure) {
        for document in documents {
            for item in document.root.items {
                guard let key = item.keys.first, !known.contains(key.text.lowercased()) else { continue }
                let near = nearestName(to: key.text, among: known).map { " Did you mean \"\($0)\"?" } ?? ""
                throw Self.failure(
                    Diagnostic(
                        summary: "\"\(shownName(key.text))\" means nothing in this file.\(near)",
                        detail: "Correct or remove it; see `\(help)`.", range: key.range), document.source)
            }
        }
    }

    /// Whether there is a stanza of this name.
    package func has(_ block: String) -> Bool { documents.contains { $0.placeOfBlock(named: block) != nil } }

    /// The store of a server: its `storage` stanza, or `backend`, as it was called before Vault 0.8, where a file has
    /// no `storage`.
    ///
    /// - Throws: What the file is instead, if it has none.
    package func serverStore() throws(MigrationFailure) -> ConfiguredStore {
        let names = ["storage", "backend"]
        let holders = documents.compactMap { document in
            names.first { document.placeOfBlock(named: $0) != nil }.map { (document, $0) }
        }
        try refuseSeveral(holders.map { $0.0 }, "storage")
        if let (document, name) = holders.first {
            do throws(Diagnostic) {
                return configured(try document.storageBlock(named: name), in: document)
            } catch {
                throw Self.failure(error, document.source)
            }
        }
        for document in documents {
            for block in ["storage_source", "storage_destination"] {
                guard let place = document.placeOfBlock(named: block) else { continue }
                throw MigrationFailure(
                    .configuration,
                    "\(document.source.name) is a migration's file (\(block) at \(place)). Say which of its stores is meant: "
                        + "-side=source or -side=destination.")
            }
        }
        guard documents.count > 1 else { return try store("storage") }
        throw MigrationFailure(
            .configuration,
            "Error loading configuration from \(path): none of its \(documents.count) files has a storage stanza.\nName the "
                + "folder or the file with which the server is started.")
    }

    /// The top-level `cluster_addr`; `nil` if it is not set.
    package func clusterAddress() throws(MigrationFailure) -> String? { try text("cluster_addr") }

    /// Every block of a name, in the order of the files.
    package func blocks(_ name: String) throws(MigrationFailure) -> [ConfiguredStore] {
        var blocks: [ConfiguredStore] = []
        for document in documents {
            do throws(Diagnostic) {
                for block in try document.storageBlocks(named: name) { blocks.append(configured(block, in: document)) }
            } catch {
                throw Self.failure(error, document.source)
            }
        }
        return blocks
    }

    /// A text at the top level; `nil` if it is not set.
    package func text(_ name: String) throws(MigrationFailure) -> String? {
        for document in documents {
            do throws(Diagnostic) {
                if let setting = try document.stringSetting(named: name) { return setting.value }
            } catch {
                throw Self.failure(error, document.source)
            }
        }
        return nil
    }

    /// A server takes the stanza of the file that it reads last, in an order that only its file system knows.
    private func refuseSeveral(_ holders: [Document], _ block: String) throws(MigrationFailure) {
        guard holders.count > 1 else { return }
        let places = holders.map { document in
            let place = document.placeOfBlock(named: block) ?? document.placeOfBlock(named: "backend")
            return "\(document.source.name)\(place.map { ":\($0)" } ?? "")"
        }
        throw MigrationFailure(
            .configuration,
            "Error loading configuration from \(path): \(holders.count) files have a \(block) stanza: "
                + "\(places.joined(separator: ", ")).\nWhich one counts for a server depends on the order in which its "
                + "file system lists the folder. Name one of the files.")
    }

    private var emptyFolder: MigrationFailure {
        MigrationFailure(
            .configuration,
            "Error loading configuration from \(path): the folder has no file whose name ends in .hcl or .json; a server "
                + "reads no others.\nName the file itself.")
    }

    private func configured(_ block: StorageBlock, in document: Document) -> ConfiguredStore {
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

extension Diagnostic {
    /// Where its range begins; `nil` if it has none.
    func place(in source: SourceText) -> MigrationFailure.Place? {
        range.map { MigrationFailure.Place(file: source.name, line: $0.start.line, column: $0.start.column) }
    }
}
