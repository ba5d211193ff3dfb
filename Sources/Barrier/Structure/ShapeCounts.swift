import Storage

/// What only many envelopes together tell: line ends that were converted in short values, values that were cut at the width
/// of a column, bytes that were trimmed from their ends.
struct ShapeCounts: Sendable {
    private(set) var envelopes = 0
    /// Those with a line feed in their random part, and of them those with a CR before the first.
    private(set) var withLineFeed = 0
    private(set) var withConvertedLineFeed = 0
    /// Those all of whose line feeds have a CR, too few to tell by themselves.
    private(set) var perhapsConverted = FirstKeys(most: StructureTally.mostNamed)
    private(set) var longest = 0
    /// Envelopes that are as long as one of the widths.
    private(set) var ofWidth: [Int: FirstKeys] = [:]
    /// Last bytes of the envelopes, by value.
    private(set) var lastBytes = [Int](repeating: 0, count: 256)

    mutating func count(
        _ envelope: UnsafeRawBufferPointer, _ lineFeeds: LineFeeds, of key: UnsafeRawBufferPointer, isDamaged: Bool
    ) {
        envelopes += 1
        if lineFeeds.count > 0 {
            withLineFeed += 1
            if lineFeeds.isFirstConverted { withConvertedLineFeed += 1 }
            if lineFeeds.areAllConverted, !isDamaged { perhapsConverted.add(key) }
        }
        longest = max(longest, envelope.count)
        if let last = envelope.last { lastBytes[Int(last)] += 1 }
        if Self.isWidth(envelope.count) {
            ofWidth[envelope.count, default: FirstKeys(most: StructureTally.mostNamed)].add(key)
        }
    }

    /// Whether columns of that many bytes are common, which cut off what is longer: MySQL's TINYTEXT, TEXT and MEDIUMTEXT, what
    /// fits into an index of InnoDB, Oracle's and SQL Server's longest, powers of two.
    private static func isWidth(_ count: Int) -> Bool {
        switch count {
        case 255, 256, 512, 767, 1024, 2000, 2048, 3072, 4000, 4096, 8000, 8192, 32767, 65535, 1 << 20, 16_777_215: true
        default: false
        }
    }

    mutating func merge(_ other: ShapeCounts) {
        envelopes += other.envelopes
        withLineFeed += other.withLineFeed
        withConvertedLineFeed += other.withConvertedLineFeed
        perhapsConverted.add(other.perhapsConverted)
        longest = max(longest, other.longest)
        for (width, keys) in other.ofWidth {
            ofWidth[width, default: FirstKeys(most: StructureTally.mostNamed)].add(keys)
        }
        for index in lastBytes.indices { lastBytes[index] += other.lastBytes[index] }
    }

    /// Entries that look converted among the others that do: a CR stands before a byte in one of 256 cases, so six of at most
    /// twelve have it with a chance of 924 · 256⁻⁶ ≈ 3·10⁻¹².
    var converted: FirstKeys? {
        guard withConvertedLineFeed >= 6, withConvertedLineFeed * 2 >= withLineFeed, perhapsConverted.count > 0 else {
            return nil
        }
        return perhapsConverted
    }

    /// Entries as long as a column, where none is longer. Lengths are no matter of chance: sound values of one size may all be
    /// that long, so it takes a store whose values differ in length. One value is enough where the width is great, since
    /// hardly a store's longest is exactly that by chance; three are for the smaller ones.
    var cut: FirstKeys? {
        guard let keys = ofWidth[longest], keys.count * 2 <= envelopes else { return nil }
        return keys.count >= (longest >= 32767 ? 1 : 3) ? keys : nil
    }

    /// What became of all values, in a sentence each.
    var signs: [String] {
        var signs: [String] = []
        // (255/256)⁸⁰⁰⁰ ≈ 2.5·10⁻¹⁴.
        if withLineFeed >= 8000, withConvertedLineFeed == 0 {
            signs.append(
                "No line feed in any value has a CR before it, which one in 256 has by chance: every CR LF was made a LF, and "
                    + "the values that had one are damaged. Which they are cannot be told.")
        }
        // Of 20 values: 256 · C(20, 10) · 256⁻¹⁰ ≈ 4·10⁻¹⁷, and less of more.
        if envelopes >= 20, let most = lastBytes.indices.max(by: { lastBytes[$0] < lastBytes[$1] }),
            lastBytes[most] * 2 >= envelopes
        {
            let name = "0x" + (most < 16 ? "0" : "") + String(most, radix: 16)
            signs.append(
                "\(lastBytes[most]) of \(envelopes) values end in the byte \(name), which one in 256 does by chance: something "
                    + "was added behind them, or padded them.")
        }
        for (byte, name) in [(0x00, "a zero byte"), (0x20, "a space"), (0x0a, "a line feed")]
        where envelopes >= 8000 && lastBytes[byte] == 0 {
            signs.append(
                "No value ends in \(name), which one in 256 does by chance: such bytes were cut from the ends, and the values that "
                    + "had one are damaged. Which they are cannot be told.")
        }
        return signs
    }
}
