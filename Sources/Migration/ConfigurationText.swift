import Files
import Glibc
import HCL
import Storage

/// Reads the bytes of configuration files.
enum ConfigurationText {
    /// Sealift has no use for a configuration larger than this.
    private static let maximumBytes = 16 << 20
    /// Nor for more files of a folder than these.
    private static let maximumFiles = 1000

    /// The file, or the files of a folder.
    ///
    /// - Throws: In the stock command's words.
    static func read(_ path: String, allowsFolder: Bool) throws(MigrationFailure) -> [SourceText] {
        let prefix = "Error loading configuration from \(path): "
        var info = stat()
        guard stat(path, &info) == 0 else {
            throw MigrationFailure(.configuration, "\(prefix)stat \(path): \(systemMessage(errno))")
        }
        guard info.st_mode & S_IFMT == S_IFDIR else { return [try file(path, prefix)] }
        guard allowsFolder else {
            throw MigrationFailure(
                .configuration,
                "\(prefix)location is a directory, not a file\nA migration is described by one file. Name it.")
        }
        var sources: [SourceText] = []
        for name in try names(in: path, prefix) { sources.append(try file("\(path)/\(name)", prefix)) }
        return sources
    }

    /// The names a server would read (Vault 1.14 `command/server/config.go`, `LoadConfigDir`), sorted by their bytes.
    private static func names(in folder: String, _ prefix: String) throws(MigrationFailure) -> [String] {
        guard let stream = opendir(folder) else {
            throw MigrationFailure(.configuration, "\(prefix)open \(folder): \(systemMessage(errno))")
        }
        defer { closedir(stream) }
        var names: [String] = []
        let all: [String]
        do throws(StorageError) {
            all = try readNames(of: stream, path: folder)
        } catch {
            throw MigrationFailure(.configuration, "\(prefix)\(error)")
        }
        for name in all {
            // What begins so is an editor's.
            guard name.hasSuffix(".hcl") || name.hasSuffix(".json"), !name.hasPrefix(".#") else { continue }
            var info = stat()
            if stat("\(folder)/\(name)", &info) == 0, info.st_mode & S_IFMT != S_IFREG {
                if info.st_mode & S_IFMT == S_IFDIR { continue }
                throw MigrationFailure(
                    .configuration,
                    "\(prefix)\(folder)/\(name) is no regular file, such as a server reads. Move it away.")
            }
            names.append(name)
            guard names.count <= maximumFiles else {
                throw MigrationFailure(
                    .configuration, "\(prefix)more than \(maximumFiles) files; is it the right folder?")
            }
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    private static func file(_ path: String, _ prefix: String) throws(MigrationFailure) -> SourceText {
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
            if count == 0 { return SourceText(name: path, bytes: bytes) }
            bytes += chunk[..<count]
            guard bytes.count <= maximumBytes else {
                throw MigrationFailure(.configuration, "\(prefix)the file is larger than 16 MiB; is it the right one?")
            }
        }
    }
}
