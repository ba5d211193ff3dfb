import Glibc
import Storage
import StorageTestKit

/// Runs SQL through the sqlite3 command, as a user would.
///
/// - Returns: What it prints, errors included.
func sqliteTool(_ path: String, _ sql: String) throws -> String {
    let quoted = "'" + sql.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    guard let pipe = popen("sqlite3 '\(path)' \(quoted) 2>&1", "r") else { throw PromiseFailure("popen failed") }
    defer { pclose(pipe) }
    var output: [UInt8] = []
    while case let byte = getc(pipe), byte != EOF { output.append(UInt8(truncatingIfNeeded: byte)) }
    while output.last == UInt8(ascii: "\n") { output.removeLast() }
    return String(decoding: output, as: UTF8.self)
}

/// Bytes of a file.
func readFile(_ path: String) throws -> [UInt8] {
    guard let file = fopen(path, "r") else { throw PromiseFailure("cannot read \(path)") }
    defer { fclose(file) }
    fseek(file, 0, SEEK_END)
    var bytes = [UInt8](repeating: 0, count: ftell(file))
    rewind(file)
    let count = fread(&bytes, 1, bytes.count, file)
    return Array(bytes[..<count])
}

/// Replaces a file's content.
func writeFile(_ path: String, _ bytes: [UInt8]) throws {
    guard let file = fopen(path, "w") else { throw PromiseFailure("cannot write \(path)") }
    defer { fclose(file) }
    guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw PromiseFailure("short write: \(path)") }
}

/// Fails unless `body` throws a `StorageError` with this code whose message has all these parts.
func expectError(_ code: StorageError.Code?, _ parts: [String], _ body: () throws -> Void) throws {
    do {
        try body()
    } catch let error as StorageError {
        guard code == nil || error.code == code, parts.allSatisfy(error.message.contains) else {
            throw PromiseFailure(
                "wanted \(code.map { "\($0)" } ?? "an error") with \(parts), found \(error.code): \(error.message)")
        }
        return
    }
    throw PromiseFailure("wanted an error with \(parts), nothing was thrown")
}
