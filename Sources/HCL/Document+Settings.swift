extension Document {
    /// The one block of a name at the top level, in any ASCII case.
    ///
    /// Label forms of HCL and all JSON shapes are understood: a member per type, a list of objects around or inside it.
    ///
    /// - Parameter name: The block's name in lower case, such as `storage_source`.
    /// - Throws: `exactly one "<name>" block is required` if there is none or more than one (then with the place of the
    ///   second); `error parsing "<name>": …` if its body cannot be decoded.
    package func storageBlock(named name: String) throws(Diagnostic) -> StorageBlock {
        let items = items(named: name)
        if let item = items.first, items.count == 1 {
            return try StorageBlock(item: item, name: name, form: form)
        }
        let summary = "exactly one \"\(name)\" block is required"
        guard let first = items.first, items.count > 1 else {
            throw Diagnostic(summary: summary, detail: absenceDetail(name), range: nil, incumbentText: summary)
        }
        let second = items[1]
        // JSON's types inside one member share its name; then their own names tell them apart.
        let isShared = first.keys.first?.range == second.keys.first?.range
        let count = isShared ? "The file names more than one type in it" : "The file has \(items.count) of them"
        throw Diagnostic(
            summary: summary, detail: "\(count), the first at \(first.range.start). Keep one.",
            range: isShared ? second.keys.last?.range : second.keys.first?.range, incumbentText: summary)
    }

    /// All blocks of a name at the top level, in order; empty if there is none.
    ///
    /// - Throws: `error parsing "<name>": …` for the first whose body cannot be decoded.
    package func storageBlocks(named name: String) throws(Diagnostic) -> [StorageBlock] {
        var blocks: [StorageBlock] = []
        for item in items(named: name) {
            blocks.append(try StorageBlock(item: item, name: name, form: form))
        }
        return blocks
    }

    /// A top-level setting that must be a string, such as `cluster_addr`.
    ///
    /// A whole number is accepted and stays as it is written; JSON's `null` is the empty string.
    ///
    /// - Returns: `nil` if the file does not have it.
    /// - Throws: `<name> is set twice` with both places; `root.<name>: unknown type for string *ast.LiteralType` (or
    ///   another kind of node) for anything but a string.
    package func stringSetting(named name: String) throws(Diagnostic) -> LocatedString? {
        let items = items(named: name)
        let decoder = Decoder(form: form)
        // HCL 1 looks at the ones with labels first, and takes them as one.
        let labelled = items.filter { $0.keys.count > 1 }.map { Decoder.Stripped(item: $0, used: 1) }
        if let first = labelled.first {
            _ = try string(.items(labelled, at: first.item.range), name, decoder)
        }
        var result: LocatedString?
        for item in items {
            var operand = Decoder.Operand.node(item.value)
            if case .object(let object) = item.value.value {
                operand = .items(object.items.map { Decoder.Stripped(item: $0, used: 0) }, at: item.value.range)
            }
            result = LocatedString(value: try string(operand, name, decoder), range: item.value.range)
        }
        if items.count > 1, let second = items[1].keys.first {
            throw Diagnostic(
                summary: "\(name) is set twice.",
                detail:
                    "The first is at \(items[0].range.start). Servers differ in which one counts, so neither is taken. "
                    + "Remove one.", range: second.range)
        }
        return result
    }

    private func string(_ operand: Decoder.Operand, _ name: String, _ decoder: Decoder) throws(Diagnostic) -> String {
        do throws(Diagnostic) {
            return try decoder.string(operand, name: "root.\(name)")
        } catch {
            var diagnostic = error
            diagnostic.detail = "Write \(name) once, as text in double quotes."
            throw diagnostic
        }
    }

    private func items(named name: String) -> [ObjectItem] {
        let wanted = lowercasedBytes(name)
        return root.items.filter { $0.keys.first.map { lowercasedBytes($0.text) == wanted } ?? false }
    }

    /// What to do about a missing block, with a guess at what stands in its place.
    private func absenceDetail(_ name: String) -> String {
        let names = root.items.compactMap { $0.keys.first }
        let advice = "Add a block: \(name) \"file\" { path = \"…\" }."
        if names.isEmpty { return "\(emptinessText) \(advice)" }
        let near = nearestName(to: name, among: names.map(\.text))
        if let near, let key = names.first(where: { $0.text == near }) {
            return "Is \"\(near)\" at \(key.range.start) meant to be it? \(advice)"
        }
        if name.hasPrefix("storage_"), let key = firstKey("storage", "backend") {
            return
                "The \"\(key.text)\" block at \(key.range.start) is a server's; a migration does not read it. \(advice)"
        }
        if let key = firstKey("ha_storage", "ha_backend") {
            return "The \"\(key.text)\" block at \(key.range.start) holds only the locks of servers, no data. \(advice)"
        }
        if let origin = foreignOrigin(of: names.map(\.text)) { return origin }
        return advice
    }

    private func firstKey(_ wanted: String...) -> SettingKey? {
        root.items.lazy.compactMap { $0.keys.first }.first { wanted.contains($0.text.lowercased()) }
    }

    private var emptinessText: String {
        let hasText = source.bytes.contains { !isBlank(UInt32($0)) }
        return hasText
            ? "The file has no setting and no block, only comments or the beginning of one." : "The file is empty."
    }

    /// Where a block of the name stands first.
    package func placeOfBlock(named name: String) -> SourcePosition? {
        items(named: name).first?.range.start
    }
}
