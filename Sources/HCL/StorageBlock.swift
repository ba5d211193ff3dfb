/// A `storage_source`, `storage_destination` or `storage` block, ready for a backend.
package struct StorageBlock: Sendable {
    /// The block's name as asked for, in lower case.
    package let name: String
    /// The first label in lower case: the kind of backend. The block's own name if it has no label.
    package let type: String
    /// The type as messages may show it: what stands in its place can be a secret that went astray.
    package let shownType: String
    /// Where the label is, or the block's name if it has none.
    package let typeRange: SourceRange
    /// The whole block.
    package let range: SourceRange
    /// One for each distinct name, in the order of first appearance; what `ignoredSettings` has is left out.
    package let settings: [LocatedSetting]
    /// Settings that belong to a server, not to its storage, and have no effect on a migration: `redirect_addr` or
    /// else `advertise_addr`, `cluster_addr`, `disable_clustering`.
    package let ignoredSettings: [LocatedSetting]
}

/// One setting of a storage block.
package struct LocatedSetting: Sendable {
    /// The name as written, without quotes.
    package let name: String
    /// Where the name was given last.
    package let nameRange: SourceRange
    /// The string the backend receives: text as it is, anything else as compact JSON, objects as lists of maps.
    package let value: String
    /// Where the value was given last.
    package let valueRange: SourceRange
    /// Whether the attribute was given before in the same block. The last value counts here; Vault releases with
    /// HCL v1.0.1-vault-6 and later refuse such a file. Repeated blocks are no duplicates.
    package var isDuplicate: Bool { firstNameRange != nil }
    /// For a duplicate: where the name was given first.
    package let firstNameRange: SourceRange?
    /// The first name inside its blocks that is given twice in one of them, with the place of the second.
    package let replacedInside: (name: String, range: SourceRange)?
}

/// A string and where it was written.
package struct LocatedString: Sendable {
    /// The text, escapes resolved.
    package let value: String
    /// Where, quotes included.
    package let range: SourceRange
}

extension StorageBlock {
    /// Decodes one block.
    ///
    /// - Parameters:
    ///   - item: The block; its first key is its name.
    ///   - name: The name to use in messages.
    init(item: ObjectItem, name: String, form: Document.Form) throws(Diagnostic) {
        let label = item.keys.dropFirst().first
        let written = label?.text ?? name
        let prefix = "error parsing \"\(name)\": \(name).\(shownName(written)): "
        let body = item.value
        let ranges = Self.ranges(in: body)
        var settings: [LocatedSetting] = []
        do throws(Diagnostic) {
            var decoder = Decoder(form: form)
            let map = try decoder.decodeBody(body)
            for (settingName, value) in zip(map.names, map.values) {
                guard let value, let places = ranges[Array(settingName.utf8)] else { continue }
                settings.append(
                    LocatedSetting(
                        name: settingName, nameRange: places.name, value: value.settingText, valueRange: places.value,
                        firstNameRange: places.isDuplicate ? places.first : nil,
                        replacedInside: decoder.replaced.first { $0.setting.utf8.elementsEqual(settingName.utf8) }
                            .map { ($0.name, $0.range) }))
            }
            try Self.checkClustering(settings)
        } catch {
            throw error.prefixed(by: prefix)
        }
        let ignoredNames = Self.ignoredNames(among: settings)
        self.name = name.lowercased()
        type = written.lowercased()
        shownType = shownName(written).lowercased()
        typeRange = label?.range ?? item.keys.first?.range ?? item.range
        range = item.range
        self.settings = settings.filter { !ignoredNames.contains($0.name) }
        ignoredSettings = settings.filter { ignoredNames.contains($0.name) }
    }

    private struct Places {
        var first: SourceRange
        var name: SourceRange
        var value: SourceRange
        var isDuplicate: Bool
        var hasAssignment: Bool
    }

    /// By the bytes of a name: where it was given last, and whether it was assigned twice.
    private static func ranges(in body: Node) -> [[UInt8]: Places] {
        guard case .object(let object) = body.value else { return [:] }
        var ranges: [[UInt8]: Places] = [:]
        for item in object.items {
            guard let key = item.keys.first else { continue }
            let bytes = Array(key.text.utf8)
            let before = ranges[bytes]
            // JSON's lists of objects are several items with one and the same key.
            let isAssignedAgain =
                before.map { $0.hasAssignment && item.hasAssignment && $0.name != key.range } ?? false
            ranges[bytes] = Places(
                first: before?.first ?? key.range, name: key.range, value: item.value.range,
                isDuplicate: isAssignedAgain || before?.isDuplicate ?? false,
                hasAssignment: item.hasAssignment || before?.hasAssignment ?? false)
        }
        return ranges
    }

    private static func ignoredNames(among settings: [LocatedSetting]) -> Set<String> {
        let hasRedirect = settings.contains { $0.name == "redirect_addr" }
        return [hasRedirect ? "redirect_addr" : "advertise_addr", "cluster_addr", "disable_clustering"]
    }

    private static func checkClustering(_ settings: [LocatedSetting]) throws(Diagnostic) {
        let words: Set<String> = ["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"]
        guard let setting = settings.first(where: { $0.name == "disable_clustering" }),
            !words.contains(setting.value)
        else { return }
        let text = "strconv.ParseBool: parsing \"***\": invalid syntax"
        throw Diagnostic(
            summary: text, detail: "Write true or false. The setting has no effect on a migration and may be removed.",
            range: setting.valueRange, incumbentText: text)
    }
}
