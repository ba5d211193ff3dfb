/// Places in a text where a count of one stands before a noun in the plural (`1 entries`), with what follows them.
///
/// Not every word that ends in `s` is a plural, so the nouns that are counted anywhere are listed.
package func countsOfOneInThePlural(in text: String) -> [String] {
    let nouns = [
        "bytes", "directories", "elements", "entries", "events", "files", "folders", "inodes", "items", "keys",
        "levels", "markers", "namespaces", "operations", "pages", "problems", "reads", "records", "requests",
        "retries", "shares", "tables", "threads", "times", "units", "values", "writes",
    ]
    let adjectives = ["directory", "other", "overflow", "read", "write"]
    return text.split { $0.isNewline || ":=\"(".contains($0) }.flatMap { part in
        let words = part.split { !($0.isLetter || $0.isNumber || ".,".contains($0)) }
        return words.indices.dropLast().compactMap { index -> String? in
            guard words[index] == "1" else { return nil }
            // A word may stand between: `1 read units`, `1 overflow pages`.
            let behind = words[(index + 1)...].prefix(2).map { $0.trimmingSuffix(while: { ".,".contains($0) }) }
            let isPlural = behind.first.map { nouns.contains(String($0)) } ?? false
            let isPluralBehindAWord =
                behind.count == 2 && adjectives.contains(String(behind[0])) && nouns.contains(String(behind[1]))
            return isPlural || isPluralBehindAWord ? words[index...].prefix(3).joined(separator: " ") : nil
        }
    }
}

extension Substring {
    fileprivate func trimmingSuffix(while isTrimmed: (Character) -> Bool) -> Substring {
        var text = self
        while let last = text.last, isTrimmed(last) { text.removeLast() }
        return text
    }
}
