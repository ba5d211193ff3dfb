package import Foundation

/// What was to be damaged stands nowhere.
private struct NothingDamaged: Error {}

extension Data {
    /// Changes one bit of some bytes wherever they stand.
    ///
    /// - Parameter offset: The byte of them that changes.
    /// - Throws: If they stand nowhere: then nothing was damaged.
    package func damaged(at offset: Int, of bytes: [UInt8]) throws -> Data {
        var changed = self
        var places = 0
        var rest = startIndex..<endIndex
        while let found = range(of: Data(bytes), in: rest) {
            changed[found.lowerBound + offset] ^= 1
            places += 1
            rest = found.upperBound..<endIndex
        }
        guard places > 0 else { throw NothingDamaged() }
        return changed
    }
}
