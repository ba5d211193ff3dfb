import Glibc
import Storage
import StorageTestKit

/// Replaces a file's content, making no folders.
func writeFile(_ path: String, _ text: [UInt8]) throws {
    guard let file = fopen(path, "w") else { throw PromiseFailure("cannot write \(path)") }
    defer { fclose(file) }
    guard fwrite(text, 1, text.count, file) == text.count else { throw PromiseFailure("short write: \(path)") }
}

/// The whole content of a file.
func readFile(_ path: String) throws -> [UInt8] {
    guard let file = fopen(path, "r") else { throw PromiseFailure("cannot read \(path)") }
    defer { fclose(file) }
    fseek(file, 0, SEEK_END)
    var bytes = [UInt8](repeating: 0, count: ftell(file))
    rewind(file)
    let count = fread(&bytes, 1, bytes.count, file)
    return Array(bytes[..<count])
}

/// Permission bits of a path.
func mode(_ path: String) -> mode_t? {
    var info = stat()
    return lstat(path, &info) == 0 ? info.st_mode & 0o777 : nil
}

/// Fails unless `body` throws a `StorageError` with this code whose message has all these parts.
func expectError(_ code: StorageError.Code?, _ parts: [String], _ body: () throws -> Void) throws {
    do {
        try body()
    } catch let error as StorageError {
        guard code == nil || error.code == code, parts.allSatisfy(error.message.contains) else {
            throw PromiseFailure("wanted a message with \(parts), found \(error.code): \(error.message)")
        }
        return
    }
    throw PromiseFailure("wanted an error with \(parts), nothing was thrown")
}
