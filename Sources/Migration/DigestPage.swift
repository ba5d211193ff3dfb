import Digest
import Storage

/// Keys in ascending order with the SHA-256 of their values: what comparisons and manifests are made of.
package protocol DigestPage: AnyObject {
    var count: Int { get }
    /// The key of entry `index`, borrowed while the page lives.
    func key(_ index: Int) -> UnsafeRawBufferPointer
    /// The 32 bytes of the digest of entry `index`, borrowed while the page lives.
    func digest(_ index: Int) -> UnsafeRawBufferPointer
    /// What entry `index` is called in reports, borrowed while the page lives: its key, unless a page has another order.
    func name(_ index: Int) -> UnsafeRawBufferPointer
    /// Gives the page's memory back for the next one; the page is not used any more.
    func recycle()
}

extension DigestPage {
    package func name(_ index: Int) -> UnsafeRawBufferPointer { key(index) }

    /// The digest of entry `index`, lower-case hexadecimal.
    package func hexadecimalDigest(_ index: Int) -> String {
        var text: [UInt8] = []
        appendHexadecimal(digest(index), to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}

/// Gives pages in ascending key order, one after the other.
package protocol DigestSource: AnyObject {
    /// The next page, never an empty one; `nil` at the end.
    func next() throws -> (any DigestPage)?
    /// Ends the work behind it; may be called at any time, also after the end.
    func stop()
}
