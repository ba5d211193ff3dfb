import Storage
import Telemetry
import Wording

extension StructureReport {
    private static let mostPlacesShown = 40
    private static let mostNamedShown = StructureTally.mostNamed
    private static let mostNamespacesShown = 20

    /// For people: the verdict first, then what there is and what was found.
    package var lines: [String] {
        var lines = [verdict]
        func row(_ name: String, _ text: String) {
            lines.append("  " + name + String(repeating: " ", count: max(14 - name.count, 1)) + text)
        }
        row("Entries", "\(formatCount(entries)), \(formatBytes(bytes))\(forms)")
        if let seal { row("Seal", seal.summary) }
        if !layout.sortedReleases.isEmpty { row("Releases", layout.sortedReleases.joined(separator: ", ")) }
        row("Key terms", Self.text(terms) + Self.text(active: activeTerm))
        for namespace in sealedNamespaces.prefix(Self.mostNamespacesShown) {
            row(
                "Namespace",
                "\(namespace.id), sealed by itself; key terms \(Self.text(namespace.terms))"
                    + Self.text(active: namespace.activeTerm))
        }
        if openTerms.entries > 0 {
            row("Namespaces", "others use a keyring above them; key terms \(Self.text(openTerms))")
        }
        for fault in sealFaults { row("Fault", fault) }
        if isIncomplete {
            row("Missing", missing.joined(separator: ", ") + "; servers write them at their first unsealing")
        }
        for sign in signs { row("Damage", sign) }
        for suspicion in suspicions {
            row("Suspicious", "\(formatCount(suspicion.entries)): \(suspicion.damage.meaning)")
            for key in suspicion.first.prefix(Self.mostNamedShown) { row("", "  \(key)") }
            let more = suspicion.entries - min(suspicion.first.count, Self.mostNamedShown)
            if more > 0 { row("", "  … and \(formatCount(more)) more") }
        }
        for remark in remarks { row("Remark", remark) }
        lines += ["", "  Entries by prefix and mount:"]
        let shown = places.sorted { $0.bytes == $1.bytes ? $0.prefix < $1.prefix : $0.bytes > $1.bytes }
        for place in shown.prefix(Self.mostPlacesShown) {
            let name = place.prefix.bytes.isEmpty ? "(top level)" : "\(place.prefix)"
            row("", "\(name)  \(formatCount(place.entries)), \(formatBytes(place.bytes))")
        }
        if shown.count > Self.mostPlacesShown {
            row("", "… and \(formatCount(shown.count - Self.mostPlacesShown)) more, see -format=json")
        }
        return lines
    }

    private var verdict: String {
        guard !isSound else {
            return "Nothing suspicious: \(formatCount(entries)) \(plural(entries, "entry", "entries"))."
        }
        var found: [String] = []
        if suspicious > 0 {
            found.append("\(formatCount(suspicious)) suspicious \(plural(suspicious, "entry", "entries"))")
        }
        if !signs.isEmpty { found.append("damage that all values show") }
        if !sealFaults.isEmpty { found.append("faults of the seal or the keyring") }
        if isIncomplete { found.append("entries missing") }
        return "Found: \(found.joined(separator: ", "))."
    }

    private var forms: String {
        var parts: [String] = []
        if inClear > 0 { parts.append("\(formatCount(inClear)) in clear") }
        if sealWrapped.all > 0 {
            let sealed = sealWrapped.bySeal + sealWrapped.bySeveral
            parts.append(
                "\(formatCount(sealWrapped.all)) wrapped by a seal (\(formatCount(sealed)) of them encrypted by it)")
        }
        if ofOtherForm > 0 { parts.append("\(formatCount(ofOtherForm)) logs and chunks") }
        return parts.isEmpty ? "" : "; " + parts.joined(separator: ", ")
    }

    private static func text(_ terms: TermCounts) -> String {
        var parts = terms.terms.prefix(12).map { "\($0.term): \(formatCount($0.entries))" }
        let more = terms.terms.dropFirst(12).reduce(terms.ofHigherTerms.count) { $0 + $1.entries }
        if more > 0 { parts.append("higher ones: \(formatCount(more))") }
        if parts.isEmpty { parts = ["none"] }
        let version1 =
            terms.ofVersion1 > 0 ? " (\(formatCount(terms.ofVersion1)) in version 1, which binds no name)" : ""
        return parts.joined(separator: ", ") + version1
    }

    private static func text(active term: UInt32?) -> String {
        term.map { "; active is \($0)" } ?? "; which is active is not told"
    }
}
