import DynamoDBBackend
import FileBackend
import Glibc
import Migration
import Storage

/// Holds what is imported against the manifest that lies beside it, as in a store that was put away with its evidence.
struct ImportCheck {
    private let folder: String
    /// Files with items; none for a folder of a Vault's file storage.
    private let files: [String]

    init(folder: String, files: [String]) {
        self.folder = folder
        self.files = files
    }

    private var manifest: String { "\(folder)/manifest.txt" }

    /// Compares keyspace digests.
    ///
    /// - Returns: The digest; `nil` if there is no manifest.
    /// - Throws: `.damagedStore` if the manifest names other entries.
    func run(isCancelled: @escaping @Sendable () -> Bool) throws -> String? {
        guard access(manifest, F_OK) == 0 else { return nil }
        let store = try open()
        defer { store.close() }
        var options = DigestedScan.Options()
        options.writesManifestLines = true
        options.request.isCancelled = isCancelled
        let scan = DigestedScan(store, options)
        defer { scan.stop() }
        var digest = try KeyspaceDigest()
        while let batch = try scan.nextBatch() {
            try digest.add(batch.manifestLines)
            batch.recycle()
        }
        let (found, wanted) = (try digest.finish(), try digestOfManifest())
        guard found == wanted else {
            throw StorageError(
                .damagedStore,
                "\(folder) holds entries with the keyspace digest \(found), but its manifest.txt has \(wanted). Get an "
                    + "intact copy, or remove the manifest if it belongs to something else.")
        }
        return found
    }

    private func open() throws(StorageError) -> any StorageSource {
        guard let first = files.first else { return try FileBackend(path: folder, mustExist: true) }
        let path = files.count == 1 ? first : folder
        return try DynamoDBExport.driver().openSource(
            BackendSettings(block: "import", settings: [BackendSetting(name: "path", value: path)]),
            SourceContext(writesMarker: false))
    }

    private func digestOfManifest() throws -> String {
        guard let file = fopen(manifest, "re") else { throw StorageError.system("open", manifest, errno: errno) }
        defer { fclose(file) }
        var digest = try KeyspaceDigest()
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        while case let count = getline(&line, &capacity, file), count > 0, let text = line {
            guard text.pointee != CChar(UInt8(ascii: "#")) else { continue }
            try digest.add(Array(UnsafeRawBufferPointer(start: text, count: count)))
        }
        return try digest.finish()
    }
}
