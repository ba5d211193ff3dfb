/// Decodes the items of a block as HCL 1 decodes into `map[string]interface{}` (hashicorp/hcl v1.0.1-vault-5,
/// `decoder.go`).
///
/// A name given again is decoded into what is there: scalars are replaced if the new one fits the kind of the old,
/// lists and repeated blocks grow.
struct Decoder {
    /// An item some of whose leading keys have been used up.
    struct Stripped {
        var item: ObjectItem
        var used: Int

        var keys: ArraySlice<SettingKey> { item.keys.dropFirst(used) }
    }

    /// What can be decoded.
    enum Operand {
        case node(Node)
        case item(Stripped)
        case items([Stripped], at: SourceRange)
    }

    private let form: Document.Form
    private var remaining = Limits.decodedValues
    /// Values inside blocks and objects that a later one of their name takes the place of: the setting they are in, their name, and
    /// where the later one stands.
    private(set) var replaced: [(setting: String, name: String, range: SourceRange)] = []

    init(form: Document.Form) {
        self.form = form
    }

    /// Decodes a block's body.
    ///
    /// - Throws: A diagnostic in the words of HCL 1, for values that do not fit together or have no value.
    mutating func decodeBody(_ body: Node) throws(Diagnostic) -> DecodedMap {
        var map = DecodedMap()
        try merge(.node(body), into: &map, name: "root")
        return map
    }

    /// Decodes into what is there already, or into `nil`.
    ///
    /// Collections are taken out of the value while they grow: two references would copy them for every element.
    private mutating func decode(
        _ operand: Operand, into value: inout DecodedValue?, name: String, inList: Bool
    ) throws(Diagnostic) {
        remaining -= 1
        if remaining < 0 { throw tooMuch(operand) }
        if case nil = value { value = try emptyValue(for: operand, name: name, inList: inList) }
        switch value {
        case nil: break
        case .boolean:
            guard case .node(let node) = operand, case .boolean(let given) = node.value else {
                throw mismatch(operand, "\(name): unknown type \(goType(operand))")
            }
            value = .boolean(given)
        case .integer: value = .integer(try integer(operand, name: name))
        case .float: value = .float(try float(operand, name: name))
        case .string: value = .string(try string(operand, name: name))
        case .map(var map):
            value = nil
            try merge(operand, into: &map, name: name)
            value = .map(map)
        case .maps(var maps):
            value = nil
            try append(operand, to: &maps, name: name)
            value = .maps(maps)
        case .list(var list):
            value = nil
            try append(operand, to: &list, name: name)
            value = .list(list)
        }
    }

    /// What a value starts as, by what is decoded: an object is a map inside a list, a list of maps elsewhere.
    private func emptyValue(for operand: Operand, name: String, inList: Bool) throws(Diagnostic) -> DecodedValue {
        switch operand {
        case .items: return inList ? .map(DecodedMap()) : .maps([])
        case .item:
            let text = "\(name): cannot decode into interface: *ast.ObjectItem"
            throw Diagnostic(summary: text, detail: remedy, range: range(operand), incumbentText: text)
        case .node(let node):
            switch node.value {
            case .object: return inList ? .map(DecodedMap()) : .maps([])
            case .list: return .list([])
            case .boolean: return .boolean(false)
            case .float: return .float(0)
            case .integer: return .integer(0)
            case .string, .null: return .string("")
            case .malformed(let diagnostic): throw diagnostic
            }
        }
    }

    private mutating func append(_ operand: Operand, to maps: inout [DecodedMap], name: String) throws(Diagnostic) {
        for (index, element) in try elements(of: operand).enumerated() {
            remaining -= 1
            if remaining < 0 { throw tooMuch(operand) }
            var map = DecodedMap()
            try merge(element, into: &map, name: "\(name)[\(index)]")
            maps.append(map)
        }
    }

    private mutating func append(_ operand: Operand, to list: inout [DecodedValue], name: String) throws(Diagnostic) {
        for (index, element) in try elements(of: operand).enumerated() {
            var value: DecodedValue?
            try decode(element, into: &value, name: "\(name)[\(index)]", inList: true)
            if let value { list.append(value) }
        }
    }

    private func elements(of operand: Operand) throws(Diagnostic) -> [Operand] {
        switch operand {
        case .items(let items, _): return items.map { .item($0) }
        case .node(let node):
            switch node.value {
            case .object: return [operand]
            case .list(let elements): return elements.map { .node($0) }
            default: break
            }
        case .item: break
        }
        throw mismatch(operand, "unknown slice type: \(goType(operand))")
    }

    private mutating func merge(_ operand: Operand, into map: inout DecodedMap, name: String) throws(Diagnostic) {
        let items: [Stripped]
        switch operand {
        case .items(let list, _): items = list
        case .item(let item): items = [item]
        case .node(let node):
            guard case .object(let object) = node.value else {
                throw mismatch(operand, "\(name): not an object type for map (\(goType(operand)))")
            }
            items = object.items.map { Stripped(item: $0, used: 0) }
        }
        let groups = labelledGroups(items)
        var done: Set<[UInt8]> = []
        for item in items {
            guard let key = item.keys.first else {
                throw mismatch(operand, "\(name): map must have string keys", hasPlace: false)
            }
            let bytes = Array(key.text.utf8)
            if done.contains(bytes) { continue }
            var value = Operand.node(item.item.value)
            if item.keys.count > 1 {
                value = .items(groups[lowercasedBytes(key.text)] ?? [], at: key.range)
                done.insert(bytes)
            }
            let slot = map.slot(for: key.text)
            if name != "root", map.values[slot] != nil, item.keys.count == 1, Self.isPlain(item.item.value) {
                let setting = name.dropFirst("root.".count).prefix { $0 != "[" && $0 != "." }
                replaced.append((String(setting), key.text, key.range))
            }
            try decode(value, into: &map.values[slot], name: "\(name).\(shownName(key.text))", inList: false)
        }
    }

    /// Whether a value is neither a block nor a list, several of which add up.
    private static func isPlain(_ node: Node) -> Bool {
        switch node.value {
        case .object, .list: false
        default: true
        }
    }

    /// For every name that some item gives with labels: all items of that name, in any case, without it.
    private func labelledGroups(_ items: [Stripped]) -> [[UInt8]: [Stripped]] {
        guard items.contains(where: { $0.keys.count > 1 }) else { return [:] }
        var groups: [[UInt8]: [Stripped]] = [:]
        for item in items {
            guard let key = item.keys.first else { continue }
            groups[lowercasedBytes(key.text), default: []].append(Stripped(item: item.item, used: item.used + 1))
        }
        return groups
    }
}

extension Decoder {
    private func integer(_ operand: Operand, name: String) throws(Diagnostic) -> Int64 {
        guard case .node(let node) = operand else {
            throw mismatch(operand, "\(name): unknown type \(goType(operand))")
        }
        switch node.value {
        case .integer(let value): return value
        case .malformed(let diagnostic): throw diagnostic
        case .null: return try parsed("", node, "ParseInt", parseInteger)
        case .string(let text): return try parsed(text, node, "ParseInt", parseInteger)
        default: throw mismatch(operand, "\(name): unknown type \(goType(operand))")
        }
    }

    private func float(_ operand: Operand, name: String) throws(Diagnostic) -> Double {
        guard case .node(let node) = operand else {
            throw mismatch(operand, "\(name): unknown type \(goType(operand))")
        }
        if let text = node.integerText { return try parsed(text, node, "ParseFloat", parseFloat) }
        switch node.value {
        case .float(let value): return value
        case .malformed(let diagnostic): throw diagnostic
        default: throw mismatch(operand, "\(name): unknown type \(goType(operand))")
        }
    }

    /// A string, or the digits of a whole number as written.
    func string(_ operand: Operand, name: String) throws(Diagnostic) -> String {
        if case .node(let node) = operand {
            if let text = node.integerText { return text }
            switch node.value {
            case .string(let text): return text
            case .null: return ""
            case .malformed(let diagnostic): throw diagnostic
            default: break
            }
        }
        throw mismatch(operand, "\(name): unknown type for string \(goType(operand))")
    }

    private func parsed<Number>(
        _ text: String, _ node: Node, _ function: String, _ parse: (String) throws(NumberFault) -> Number
    ) throws(Diagnostic) -> Number {
        do throws(NumberFault) {
            return try parse(text)
        } catch {
            throw numberDiagnostic(function: function, fault: error, range: node.range)
        }
    }

    /// HCL 1's name for what is decoded.
    private func goType(_ operand: Operand) -> String {
        switch operand {
        case .items: return "*ast.ObjectList"
        case .item: return "*ast.ObjectItem"
        case .node(let node):
            switch node.value {
            case .object: return "*ast.ObjectType"
            case .list: return "*ast.ListType"
            default: return "*ast.LiteralType"
            }
        }
    }

    private func range(_ operand: Operand) -> SourceRange {
        switch operand {
        case .node(let node): node.range
        case .item(let stripped): stripped.item.range
        case .items(_, let range): range
        }
    }

    private var remedy: String { "Write the name once, or with values of one kind: all text, all lists or all blocks." }

    /// HCL 1 keeps no positions of JSON, and prints a dash where it has none.
    private func mismatch(_ operand: Operand, _ summary: String, hasPlace: Bool = true) -> Diagnostic {
        let range = range(operand)
        let place = form == .hcl && hasPlace ? incumbentPlace(operand) : nil
        return Diagnostic(
            summary: summary, detail: remedy, range: range,
            incumbentText: "At \(place?.description ?? "-"): \(summary)")
    }

    /// Where HCL 1 sees an operand: for items that is the first key not used up.
    private func incumbentPlace(_ operand: Operand) -> SourcePosition? {
        switch operand {
        case .node(let node): node.range.start
        case .item(let stripped): stripped.keys.first?.range.start
        case .items(let items, _): items.first?.keys.first?.range.start
        }
    }

    private func tooMuch(_ operand: Operand) -> Diagnostic {
        Diagnostic(
            summary: "more than \(Limits.decodedValues) values in one block",
            detail: "No storage block needs that many; split or shorten it.", range: range(operand))
    }
}
