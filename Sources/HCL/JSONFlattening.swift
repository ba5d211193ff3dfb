/// Turns JSON's nesting into HCL's labels and repeated blocks, all the way down.
///
/// A member that is an object of nothing but objects becomes one item for each of them, with their names as labels;
/// a member that is a list of nothing but objects becomes one item for each. Both repeat until neither applies, and the
/// result has the order in which the members were written. Empty objects and lists stay as they are.
func flattened(_ object: ObjectNode) -> ObjectNode {
    var items: [ObjectItem] = []
    for item in object.items { flatten(item, into: &items) }
    for index in items.indices { items[index].value = flattened(items[index].value) }
    return ObjectNode(items: items, range: object.range)
}

private func flattened(_ node: Node) -> Node {
    var copy = node
    switch node.value {
    case .object(let object): copy.value = .object(flattened(object))
    case .list(let elements): copy.value = .list(elements.map { flattened($0) })
    default: break
    }
    return copy
}

private func flatten(_ item: ObjectItem, into items: inout [ObjectItem]) {
    switch item.value.value {
    case .object(let object) where !object.items.isEmpty && object.items.allSatisfy({ isObject($0.value) }):
        for member in object.items {
            let keys = item.keys + member.keys
            flatten(ObjectItem(keys: keys, value: member.value, hasAssignment: true), into: &items)
        }
    case .list(let elements) where !elements.isEmpty && elements.allSatisfy({ isObject($0) }):
        for element in elements {
            flatten(ObjectItem(keys: item.keys, value: element, hasAssignment: true), into: &items)
        }
    default:
        items.append(item)
    }
}

private func isObject(_ node: Node) -> Bool {
    if case .object = node.value { true } else { false }
}
