import Wording

/// Longest name, in bytes, for which a suggestion is looked for.
private let longestName = 64

/// The candidate that a mistyped name most likely meant, or `nil` if none is near.
///
/// Counts single insertions, deletions, replacements and swaps of neighbours, without regard to ASCII case: one for
/// names of up to three bytes, two up to eight, three beyond that. The first of equally near candidates wins.
package func nearestName(to name: String, among candidates: [String]) -> String? {
    let wanted = lowercasedBytes(name)
    guard !wanted.isEmpty, wanted.count <= longestName else { return nil }
    let tolerance = wanted.count <= 3 ? 1 : wanted.count <= 8 ? 2 : 3
    var best: (name: String, distance: Int)?
    for candidate in candidates {
        let bytes = lowercasedBytes(candidate)
        guard abs(bytes.count - wanted.count) <= tolerance else { continue }
        let distance = editDistance(wanted, bytes)
        guard distance <= tolerance, distance < max(wanted.count, bytes.count) else { continue }
        if distance < best?.distance ?? .max { best = (candidate, distance) }
    }
    return best?.name
}

/// The bytes of a text, ASCII letters in lower case.
func lowercasedBytes(_ text: String) -> [UInt8] {
    text.utf8.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
}
