import Glibc

/// The line feeds in the random part of a value, up to the first that has no CR before it: one in 256 has by chance.
struct LineFeeds: Equatable {
    /// So many with a CR each are no chance.
    static let fewestToTell = 5

    /// How many were met; the last of them perhaps without a CR.
    private(set) var count = 0
    /// Whether all have a CR before them, and there is one.
    private(set) var areAllConverted = false
    /// Whether the first has.
    private(set) var isFirstConverted = false

    init(_ value: UnsafeRawBufferPointer) {
        guard let base = value.baseAddress else { return }
        var place = BarrierEnvelope.nonceOffset
        while place < value.count, let found = memchr(base + place, 0x0a, value.count - place) {
            let index = UnsafeRawPointer(found) - base
            let isConverted = index > BarrierEnvelope.nonceOffset && value[index - 1] == 0x0d
            if count == 0 { isFirstConverted = isConverted }
            count += 1
            areAllConverted = isConverted
            if !isConverted { return }
            place = index + 1
        }
    }
}
