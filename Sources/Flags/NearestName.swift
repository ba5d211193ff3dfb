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

/// How many insertions, deletions, replacements and swaps of neighbours turn one name into the other.
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var beforePrevious = [Int](repeating: 0, count: right.count + 1)
    var previous = Array(0...right.count)
    for row in 0..<left.count {
        var current = [row + 1]
        for column in 0..<right.count {
            let isEqual = left[row] == right[column]
            var cost = min(previous[column] + (isEqual ? 0 : 1), previous[column + 1] + 1, current[column] + 1)
            let isSwap = row > 0 && column > 0 && left[row] == right[column - 1] && left[row - 1] == right[column]
            if isSwap { cost = min(cost, beforePrevious[column - 1] + 1) }
            current.append(cost)
        }
        beforePrevious = previous
        previous = current
    }
    return previous[right.count]
}
