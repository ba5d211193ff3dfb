import COpenSSL
import Glibc

/// Memory for keys, key shares and what was decrypted: pages of its own, kept from the swap (`mlock`) and from core files
/// (`MADV_DONTDUMP`) where the system allows that, and overwritten before they are given back.
///
/// Nothing of the content is ever copied by this type; whoever borrows it must not keep a copy either.
// Unchecked: filled by one thread before another can see it, and only read from then on.
package final class SecretBytes: @unchecked Sendable {
    private let base: UnsafeMutableRawPointer
    private let mappedBytes: Int
    /// Bytes in use; the room is given by ``init(room:)``.
    package private(set) var count: Int

    /// Room for a number of bytes, all of them 0 and in use.
    ///
    /// - Throws: ``DigestError`` if the system has no memory.
    package init(room: Int) throws(DigestError) {
        let page = max(sysconf(Int32(_SC_PAGESIZE)), 4096)
        mappedBytes = (max(room, 1) + page - 1) / page * page
        let map = mmap(nil, mappedBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let map, map != MAP_FAILED else {
            throw DigestError(
                sentence: "The system has no memory for keys. Stop other programs, or raise the limit (ulimit -v).")
        }
        base = map
        count = max(room, 0)
        // A limit on locked memory (ulimit -l) is no reason not to work.
        _ = mlock(base, mappedBytes)
        _ = madvise(base, mappedBytes, MADV_DONTDUMP)
    }

    deinit {
        OPENSSL_cleanse(base, mappedBytes)
        munmap(base, mappedBytes)
    }

    /// The bytes in use, borrowed for the call.
    package func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(start: base, count: count))
    }

    /// The bytes in use, to be filled, borrowed for the call.
    package func withMutableBytes<Result, Failure: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeMutableRawBufferPointer(start: base, count: count))
    }

    /// Uses fewer bytes from now on; the others are overwritten.
    package func truncate(to fewer: Int) {
        precondition(fewer >= 0 && fewer <= count, "a secret grows")
        OPENSSL_cleanse(base + fewer, count - fewer)
        count = fewer
    }

    /// Overwrites everything.
    package func erase() { OPENSSL_cleanse(base, mappedBytes) }

    /// Whether another secret has the same bytes, in a time that depends on the lengths only.
    package func isEqual(to other: SecretBytes) -> Bool {
        count == other.count && CRYPTO_memcmp(base, other.base, count) == 0
    }
}
