/// What Vault Enterprise puts around some values: the message of a seal (``SealedBlob``) with one byte behind it, or what
/// several seals make of it.
///
/// | Form | Bytes |
/// | --- | --- |
/// | one seal | the message, `s` |
/// | several | `multiwrapvalue:1`, 4 bytes of length, a message, `s` |
///
/// That the seal wraps a value in a message does not say that it encrypts it.
enum SealWrap: Equatable {
    /// Not wrapped.
    case none
    /// The barrier's envelope stands in the message.
    case inClear([UInt8])
    /// The seal has encrypted it.
    case bySeal
    case bySeveral

    private static let severalMark = Array("multiwrapvalue:1".utf8)
    private static let mark = UInt8(ascii: "s")
    /// The tag of a message's first field, the ciphertext.
    private static let firstTag: UInt8 = 0x0a

    init(_ value: UnsafeRawBufferPointer) {
        self = .none
        if value.starts(with: Self.severalMark) {
            self = .bySeveral
        } else if value.first == Self.firstTag, value.last == Self.mark {
            guard let blob = SealedBlob(Array(value.dropLast())), !blob.ciphertext.isEmpty else { return }
            self = blob.isWrapped ? .bySeal : .inClear(blob.ciphertext)
        }
    }
}

/// Entries by what is wrapped around them.
struct SealWrapCounts: Sendable, Equatable {
    var inClear = 0
    var bySeal = 0
    var bySeveral = 0

    var all: Int { inClear + bySeal + bySeveral }

    mutating func merge(_ other: SealWrapCounts) {
        inClear += other.inClear
        bySeal += other.bySeal
        bySeveral += other.bySeveral
    }
}
