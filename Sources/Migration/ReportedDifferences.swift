import FoundationEssentials
import Glibc
package import Storage

/// The differences that `check -format=json` has told, read in step with a walk over both sides.
// Unchecked: one run reads it, on one thread at a time.
package final class ReportedDifferences: @unchecked Sendable {
    /// A key has at most 64 KiB, and each of its bytes at most six characters in an event.
    private static let mostLineBytes = 1 << 20

    private struct Event: Decodable {
        var event: String
        var verdict: String?
        var key: String?
    }

    private let path: String
    private let file: UnsafeMutablePointer<FILE>
    private var line: UnsafeMutablePointer<CChar>?
    private var capacity = 0
    private var number = 0
    private var next: StorageKey?
    /// Whether the result that ends a report was there.
    private var isWhole = false

    /// - Throws: `.configuration` if the file cannot be read or does not begin as a report of a comparison.
    package init(path: String) throws(StorageError) {
        self.path = path
        guard let file = fopen(path, "re") else { throw StorageError.system("open", path, errno: errno) }
        self.file = file
        try advance()
    }

    deinit {
        fclose(file)
        free(line)
    }

    /// Whether a difference was told.
    func holds(_ key: UnsafeRawBufferPointer) throws(StorageError) -> Bool {
        while let reported = next {
            let order = reported.bytes.withUnsafeBytes { compareBytes($0, key) }
            guard order < 0 else { return order == 0 }
            // It has become the same since.
            try advance()
        }
        return false
    }

    /// Sees that nothing of the report was cut off.
    func finish() throws(StorageError) {
        while next != nil { try advance() }
        guard isWhole else {
            throw fault("ends without a result: it was cut off. Make it anew: sealift check -format=json.")
        }
    }

    private func advance() throws(StorageError) {
        let last = next
        next = nil
        while next == nil {
            guard let event = try readEvent() else { return }
            switch event.event {
            case "result": isWhole = true
            case "difference":
                guard let text = event.key, let key = StorageKey(escaped: text.utf8), let verdict = event.verdict else {
                    throw fault("tells a difference without a key.")
                }
                if let last, !(last < key) {
                    // What neither side could read is told at the end, out of order.
                    if verdict == Verdict.unreadable.sign { continue }
                    throw fault("tells keys that are not in ascending order.")
                }
                next = key
            default: continue
            }
        }
    }

    private func readEvent() throws(StorageError) -> Event? {
        number += 1
        let count = getline(&line, &capacity, file)
        guard count > 0, let line else {
            guard feof(file) != 0 else { throw StorageError.system("read", path, errno: errno) }
            return nil
        }
        guard count <= Self.mostLineBytes, !isWhole else { throw fault("is no report of a comparison.") }
        let bytes = Data(bytes: line, count: count)
        do {
            return try JSONDecoder().decode(Event.self, from: bytes)
        } catch {
            throw fault("is no event of sealift check -format=json.")
        }
    }

    private func fault(_ what: String) -> StorageError {
        StorageError(.configuration, "\(path):\(number) \(what)")
    }
}
