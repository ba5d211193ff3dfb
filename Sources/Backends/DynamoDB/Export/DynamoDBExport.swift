import AWS
import DynamoDBFormat
package import Storage
import Synchronization

/// A downloaded export of a table, or the output of a scan, read as a Vault's store: it never changes and no request is
/// made.
package final class DynamoDBExport: StorageSource {
    package let kind = "dynamodb_export"
    package let location: String
    package let identity: StoreIdentity
    package let remarks: [String]
    package let rules = DynamoDBBackend.tableRules
    let layout: ExportLayout
    private let isCancelled: @Sendable () -> Bool
    private let surveyed = Mutex<Result<ExportSurvey, StorageError>?>(nil)
    private let isClosed = Mutex(false)

    /// - Parameter isCancelled: Asked while the whole export is looked at.
    /// - Throws: See ``ExportLayout/init(at:)``.
    init(path: String, isCancelled: @escaping @Sendable () -> Bool) throws(StorageError) {
        layout = try ExportLayout(at: path)
        location = layout.path
        identity = StoreIdentity("dynamodb_export:\(layout.path)", path: layout.path)
        remarks = layout.remarks
        self.isCancelled = isCancelled
    }

    package var traits: SourceTraits { SourceTraits(isAscending: false, keepsDirectoryMarkers: true) }

    package func estimatedBytes() -> Int? {
        if case .success(let survey)? = surveyed.withLock({ $0 }) { return survey.bytes }
        return layout.manifest.flatMap { $0.tableBytes > 0 ? $0.tableBytes : nil }
    }

    package func estimatedEntries() -> Int? {
        if case .success(let survey)? = surveyed.withLock({ $0 }) { return survey.entries }
        return layout.manifest?.itemCount
    }

    package func incarnation() throws(StorageError) -> String { layout.manifest?.identity ?? "" }

    package func close() { isClosed.withLock { $0 = true } }

    func checkOpen() throws(StorageError) {
        if isClosed.withLock({ $0 }) { throw StorageError(.io, "\(location) was closed.") }
    }

    /// What one look at every item has shown; the look is taken once.
    private func survey() throws(StorageError) -> ExportSurvey {
        try checkOpen()
        let outcome = surveyed.withLock { surveyed in
            if let surveyed { return surveyed }
            let outcome = Result { () throws(StorageError) in
                try ExportSurvey(layout, isCancelled: isCancelled)
            }
            surveyed = outcome
            return outcome
        }
        return try outcome.get()
    }

    package func sourceFindings() throws(StorageError) -> [StoreFinding] {
        guard let lock = try survey().lock else { return [] }
        let until = lock.expires.map { "\(Timestamp(seconds: $0 / 1_000_000_000))" } ?? "an unknown time"
        var text = "The export holds the lock of node \(lock.holder), valid until \(until); it is left out."
        if let second = layout.manifest?.exportSecond, lock.isLive(atSecond: second) {
            text +=
                " That is behind the export's time: a server was running then, and what it wrote afterwards is not in "
                + "the export. If there was anything, stop every server and export again."
        }
        return [StoreFinding(.remark, text)]
    }

    // MARK: single entries

    package func get(_ key: StorageKey) throws(StorageError) -> [UInt8]? {
        let survey = try survey()
        if ExportSurvey.wellKnown.contains(key) { return survey.values[key] }
        guard survey.mayHold(key) else { return nil }
        var found: [UInt8]?
        var own: [UInt8] = []
        try forEachItem { item, parts throws(StorageError) in
            guard parts.kind == .entry else { return true }
            ItemKey.storageKey(path: parts.path, name: parts.name, into: &own)
            guard own == key.bytes else { return true }
            found = try ItemReader.value(of: item.node, key: key)
            return false
        }
        return found
    }

    /// As the table would be listed: names that begin with `_` are hidden.
    package func list(_ prefix: StorageKey) throws(StorageError) -> [StorageKey] {
        try checkOpen()
        let path = ItemKey.path(ofChildren: prefix)
        var names = Set<StorageKey>()
        try forEachItem { _, parts in
            if parts.path.elementsEqual(path), parts.name.first != UInt8(ascii: "_") {
                names.insert(StorageKey(copying: parts.name))
            }
            return true
        }
        return names.sorted()
    }

    /// Walks through all items until `body` returns `false`.
    private func forEachItem(
        _ body: (ExportFileReader.Item, ItemReader.Parts) throws(StorageError) -> Bool
    ) throws(StorageError) {
        let reader = try ExportFileReader()
        for file in layout.files {
            let isWhole = try reader.read(file) { item throws(StorageError) in
                if item.index.isMultiple(of: 1024), isCancelled() { throw StorageError.cancelled }
                return try body(item, try item.parts(in: file))
            }
            guard isWhole else { return }
        }
    }
}

extension ExportFileReader.Item {
    /// The item's attributes.
    ///
    /// - Throws: `.damagedStore` naming the place if it is no item of a Vault table, or not a whole one.
    func parts(in file: ExportFile) throws(StorageError) -> ItemReader.Parts {
        let parts: ItemReader.Parts
        do throws(StorageError) {
            parts = try ItemReader.parts(of: node)
        } catch {
            throw located(error, in: file)
        }
        if isListed, parts.kind == .entry, parts.value == nil {
            throw StorageError(
                .damagedStore,
                "\(file.path):\(line): the item has no Value: the scan did not ask for all attributes. Scan again without "
                    + "--projection-expression and --attributes-to-get.")
        }
        return parts
    }

    /// The same error with the item's place.
    func located(_ error: StorageError, in file: ExportFile) -> StorageError {
        StorageError(error.code, "\(file.path):\(line): \(error.message)", key: error.key)
    }
}
