import Glibc
import Storage

/// Tells left-overs of a server's interrupted write from entries whose key happens to end in `.temp`.
///
/// A server writes `_k.temp` and renames it to `_k`. A file cut off in between holds no whole envelope. One that is
/// whole stands beside a `_k`; if their contents are equal nothing is lost by leaving it out, because two entries never
/// have equal bytes (their nonces are random). Anything else is an entry to the server as well: it lists and serves it.
enum TemporaryFile {
    private static let suffix = Array(".temp".utf8)

    /// Whether the key is one that such a left-over would seem to have.
    static func hasItsName(_ key: UnsafeRawBufferPointer) -> Bool {
        key.count > suffix.count && key[(key.count - suffix.count)...].elementsEqual(suffix)
    }

    /// What the last entry of `batch`, read from the file `name`, is; `nil` for an ordinary entry.
    static func judge(
        _ batch: EntryBatch, in directory: DirectoryHandle, _ name: UnsafePointer<CChar>, _ reader: EntryReader
    ) throws(StorageError) -> ScanNote.Reason? {
        let text = UnsafeRawBufferPointer(start: name, count: strlen(name) - suffix.count)
        let result = withTerminated(text) { rival in
            Result { () throws(StorageError) -> [UInt8]? in
                try reader.content(rival, in: directory).flatMap { try? EntryEnvelope.value(in: $0) }
            }
        }
        guard let rival = try result.get() else { return nil }
        let value = batch.value(batch.count - 1)
        return value.elementsEqual(rival) ? .temporaryFile : .possiblyTemporary
    }
}
