import Files
import Glibc
import Storage
import Wording

/// The files that a path names: a downloaded export, its data alone, or one file.
struct ExportLayout: Sendable {
    private static let bucketFolder = "AWSDynamoDB"
    private static let dataFolder = "data"
    private static let maximumNamed = 5
    private static let maximumNames = 1_000_000

    /// In the order of their names.
    let files: [ExportFile]
    let manifest: ExportManifest?
    /// What tells this export from others: its folder or file, resolved.
    let path: String
    let remarks: [String]

    /// Finds out what lies at a path and holds it against the export's manifests.
    ///
    /// - Throws: `.missingStore` if nothing is there, `.configuration` if it is no export or several, `.damagedStore` if
    ///   files are missing or do not belong there, `.unsupported` for an export of changes or in another form.
    init(at path: String) throws(StorageError) {
        var info = stat()
        guard stat(path, &info) == 0 else {
            guard errno == ENOENT else { throw StorageError.system("look at", path, errno: errno) }
            throw StorageError(
                .missingStore,
                "\(path) does not exist. Download the export first: aws s3 cp --recursive s3://BUCKET/PREFIX/AWSDynamoDB "
                    + "DIR/AWSDynamoDB.")
        }
        let resolved = resolvedPath(path)
        guard info.st_mode & S_IFMT == S_IFDIR else {
            self = try .init(file: resolved, info)
            return
        }
        if let folder = try Self.exportFolder(in: resolved) {
            self = try .init(export: folder)
        } else {
            self = try .init(data: resolved)
        }
    }

    private init(files: [ExportFile], manifest: ExportManifest?, path: String, remarks: [String]) {
        self.files = files
        self.manifest = manifest
        self.path = path
        self.remarks = remarks
    }

    /// One file.
    private init(file: String, _ info: stat) throws(StorageError) {
        let name = file.split(separator: "/").last.map(String.init) ?? file
        guard info.st_mode & S_IFMT == S_IFREG else {
            throw StorageError(.configuration, "\(file) is neither a file nor a folder.")
        }
        guard name != ExportManifest.summaryName, name != ExportManifest.filesName else {
            throw StorageError(.configuration, "\(file) is an export's manifest. Name the folder in which it lies.")
        }
        self.init(
            files: [ExportFile(path: file, size: Int(info.st_size), manifest: nil)], manifest: nil, path: file,
            remarks: [
                "\(file) is one file: that it holds all items of a table cannot be checked. The folder of an export "
                    + "with its manifests says what belongs to it."
            ])
    }

    /// The folder of one export, with its manifests.
    private init(export folder: String) throws(StorageError) {
        let manifest = try ExportManifest(folder: folder)
        let data = try Self.names(in: folder).contains(Self.dataFolder) ? "\(folder)/\(Self.dataFolder)" : folder
        var files: [ExportFile] = []
        var missing: [String] = []
        for described in manifest.files.sorted(by: { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }) {
            let path = "\(data)/\(described.name)"
            var info = stat()
            guard stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
                missing.append(described.name)
                continue
            }
            files.append(ExportFile(path: path, size: Int(info.st_size), manifest: described))
        }
        let known = Set(manifest.files.map(\.name))
        let surplus = try Self.names(in: data).filter { name in
            !known.contains(name) && !Self.isLeftAlone(name) && (data != folder || Self.isDataFile(name))
        }
        try Self.refuse(missing, "\(data): \(ExportManifest.filesName) names data files that are not there")
        try Self.refuse(surplus, "\(data): there are files that \(ExportManifest.filesName) does not name")
        var remarks: [String] = []
        if !manifest.table.isEmpty || !manifest.exportTime.isEmpty {
            remarks.append(
                "The export is of table \(StorageKey(manifest.table)) as it was at \(StorageKey(manifest.exportTime)): "
                    + "what was written later is not in it.")
        }
        for name in manifest.unchecked { remarks.append("\(folder)/\(name) has no checksum file beside it.") }
        self.init(files: files, manifest: manifest, path: folder, remarks: remarks)
    }

    /// A folder of data files without manifests.
    private init(data folder: String) throws(StorageError) {
        let names = try Self.names(in: folder).filter { !Self.isLeftAlone($0) }
        if let ion = names.first(where: { $0.hasSuffix(".ion") || $0.hasSuffix(".ion.gz") }) {
            throw StorageError(.unsupported, "\(folder)/\(StorageKey(ion)): \(ExportManifest.ionAdvice)")
        }
        if names.contains(Self.dataFolder) {
            throw StorageError(
                .configuration,
                "\(folder) has no \(ExportManifest.summaryName): the export is not finished or was not downloaded whole. "
                    + "Download it all, or name the folder \(Self.dataFolder) alone.")
        }
        let found = names.filter(Self.isDataFile)
        guard !found.isEmpty else {
            throw StorageError(
                .configuration,
                "\(folder) holds no export: neither \(ExportManifest.summaryName) nor data files (.json.gz). Name the "
                    + "folder that was downloaded, or one file.")
        }
        try Self.refuse(names.filter { !Self.isDataFile($0) }, "\(folder): there are files that are no data files")
        var files: [ExportFile] = []
        for name in found {
            let path = "\(folder)/\(name)"
            var info = stat()
            guard stat(path, &info) == 0 else { throw StorageError.system("look at", path, errno: errno) }
            guard info.st_mode & S_IFMT == S_IFREG else {
                throw StorageError(.configuration, "\(path) is not a file.")
            }
            files.append(ExportFile(path: path, size: Int(info.st_size), manifest: nil))
        }
        self.init(
            files: files, manifest: nil, path: folder,
            remarks: [
                "\(folder) has no manifests: whether \(files.count) \(plural(files.count, "file is", "files are")) all "
                    + "of the export cannot be checked."
            ])
    }

    /// Ends with an error that names some of the files.
    private static func refuse(_ names: [String], _ what: String) throws(StorageError) {
        guard !names.isEmpty else { return }
        let shown = names.prefix(maximumNamed).map { "\(StorageKey($0))" }.joined(separator: ", ")
        let more = names.count > maximumNamed ? " and \(names.count - maximumNamed) more" : ""
        throw StorageError(.damagedStore, "\(what): \(shown)\(more). Download the export again, into an empty folder.")
    }

    /// The folder with the manifests, looked for in a folder, in what AWS makes below it, and above a data folder.
    private static func exportFolder(in folder: String) throws(StorageError) -> String? {
        let names = try names(in: folder)
        if names.contains(ExportManifest.summaryName) { return folder }
        let base = names.contains(bucketFolder) ? "\(folder)/\(bucketFolder)" : folder
        var found: [String] = []
        for name in base == folder ? names : try self.names(in: base) {
            if has(ExportManifest.summaryName, "\(base)/\(name)") { found.append("\(base)/\(name)") }
        }
        if found.count > 1 {
            let shown = found.prefix(maximumNamed).map { "\(StorageKey($0))" }.joined(separator: ", ")
            throw StorageError(
                .configuration, "\(folder) holds \(found.count) exports (\(shown)…). Name the folder of one of them.")
        }
        if let one = found.first { return one }
        guard folder.hasSuffix("/\(dataFolder)") else { return nil }
        let parent = String(folder.dropLast(dataFolder.count + 1))
        return has(ExportManifest.summaryName, parent) ? parent : nil
    }

    private static func has(_ name: String, _ folder: String) -> Bool { access("\(folder)/\(name)", F_OK) == 0 }

    private static func isDataFile(_ name: String) -> Bool {
        (name.hasSuffix(".json.gz") || name.hasSuffix(".json")) && !name.hasPrefix("manifest-")
    }

    /// What AWS and file managers leave beside data: `_started`, `.DS_Store`.
    private static func isLeftAlone(_ name: String) -> Bool { name.hasPrefix(".") || name.hasPrefix("_") }

    /// The names in a folder, in bytewise order.
    private static func names(in folder: String) throws(StorageError) -> [String] {
        guard let stream = opendir(folder) else { throw StorageError.system("open", folder, errno: errno) }
        defer { closedir(stream) }
        let names = try readNames(of: stream, path: folder, atMost: maximumNames + 1)
        guard names.count <= maximumNames else {
            throw StorageError(.configuration, "\(folder) holds more than \(maximumNames) files. Is it an export?")
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}
