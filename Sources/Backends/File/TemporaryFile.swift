import Glibc
import Storage

/// Tells left-overs of a server's interrupted write from entries whose key happens to end in `.temp`.
///
/// A server writes `_k.temp` and renames it to `_k`. A file cut off in between holds no whole envelope; without a `_k` it is
/// the first write of `k`, which never took effect, or an entry `k.temp` that a crash damaged: only the store's owner can
/// tell. One that is whole stands beside a `_k`; if their contents are equal nothing is lost by leaving it out, because two
/// entries never have equal bytes (their nonces are random). Anything else is an entry to the server as well: it lists and
/// serves it.
enum TemporaryFile {
    private static let suffix = Array(".temp".utf8)

    /// Whether the key is one that such a left-over would seem to have.
    static func hasItsName(_ key: UnsafeRawBufferPointer) -> Bool {
        key.count > suffix.count && key[(key.count - suffix.count)...].elementsEqual(suffix)
    }

    /// What the file `name`, which holds a whole envelope, is; `nil` for an ordinary entry.
    static func judge(
        _ name: UnsafePointer<CChar>, in directory: DirectoryHandle, _ reader: EntryReader
    ) throws(StorageError) -> ScanNote.Reason? {
        let rivalName = UnsafeRawBufferPointer(start: name, count: strlen(name) - suffix.count)
        let rival = try withTerminated(rivalName) { rival in
            Result { () throws(StorageError) in try value(rival, in: directory, reader) }
        }.get()
        guard let rival, let own = try value(name, in: directory, reader) else { return nil }
        return own == rival ? .temporaryFile : .possiblyTemporary
    }

    /// Whether the entry that the file `name` may be a cut-off write of has a file with content.
    static func hasRival(
        _ name: UnsafePointer<CChar>, in directory: DirectoryHandle, _ reader: EntryReader
    ) throws(StorageError) -> Bool {
        let rivalName = UnsafeRawBufferPointer(start: name, count: strlen(name) - suffix.count)
        return try withTerminated(rivalName) { rival in
            Result { () throws(StorageError) in try reader.content(rival, in: directory)?.isEmpty == false }
        }.get()
    }

    /// The key of that entry, for messages.
    static func rival(of key: UnsafeRawBufferPointer) -> String {
        escapedKey(UnsafeRawBufferPointer(rebasing: key.dropLast(suffix.count)))
    }

    private static func value(
        _ name: UnsafePointer<CChar>, in directory: DirectoryHandle, _ reader: EntryReader
    ) throws(StorageError) -> [UInt8]? {
        guard let content = try reader.content(name, in: directory) else { return nil }
        return try? EntryEnvelope.value(in: content)
    }
}
