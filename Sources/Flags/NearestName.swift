import Wording

/// Longest text that is compared with known names: foreign input must not cost quadratic time.
private let longestComparedName = 64

/// The known name that a mistyped one most likely meant; `nil` if none is near.
///
/// Near means at most one edit for each three letters, or a name that begins with what was typed.
func nearestName(to text: String, among names: [String]) -> String? {
    let typed = Array(text.utf8)
    guard !typed.isEmpty, typed.count <= longestComparedName else { return nil }
    var best: (name: String, distance: Int)?
    for name in names {
        let distance = editDistance(typed, Array(name.utf8))
        if distance < best?.distance ?? Int.max { best = (name, distance) }
    }
    if let best, best.distance <= max(1, (typed.count + 1) / 3), best.distance < best.name.utf8.count {
        return best.name
    }
    let continuations = names.filter { typed.count >= 3 && $0.utf8.starts(with: typed) }
    return continuations.count == 1 ? continuations[0] : nil
}
