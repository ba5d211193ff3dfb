/// What an UpdateExpression changes, in the order written.
struct Update {
    /// Something that gives a value for SET.
    indirect enum Term {
        case value(AttributeValue)
        case path(DocumentPath)
        case ifNotExists(DocumentPath, Term)
        case appended(Term, Term)
        case sum(Term, Term)
        case difference(Term, Term)
    }

    enum Action {
        case set(DocumentPath, Term)
        case remove(DocumentPath)
        case add(DocumentPath, AttributeValue)
        case delete(DocumentPath, AttributeValue)

        var path: DocumentPath {
            switch self {
            case .set(let path, _), .remove(let path), .add(let path, _), .delete(let path, _): path
            }
        }
    }

    var actions: [Action] = []

    /// Changes an item.
    ///
    /// - Returns: The names of the attributes that were touched.
    func apply(to item: inout [AttributeValue.Member]) throws(ServiceError) -> [[UInt8]] {
        // All values are taken from the item as it was.
        let old = item
        var removals: [DocumentPath] = []
        for action in actions {
            switch action {
            case .set(let path, let term): try Self.write(try Self.evaluate(term, old), at: path, in: &item)
            case .remove(let path): removals.append(path)
            case .add(let path, let value): try Self.add(value, at: path, old, &item)
            case .delete(let path, let value): try Self.delete(value, at: path, old, &item)
            }
        }
        // Later elements first, so that the places of earlier ones stay what they were.
        for path in removals.sorted(by: Self.isBehind) { try Self.remove(path, from: &item) }
        return actions.map(\.path.name)
    }

    private static func isBehind(_ left: DocumentPath, _ right: DocumentPath) -> Bool {
        if case .element(let one) = left.steps.last, case .element(let two) = right.steps.last { return one > two }
        return false
    }

    private static func value(_ path: DocumentPath, _ item: [AttributeValue.Member]) -> AttributeValue? {
        path.value(in: item.first { $0.name == path.name }?.value)
    }

    private static func evaluate(
        _ term: Term, _ item: [AttributeValue.Member]
    ) throws(ServiceError) -> AttributeValue {
        switch term {
        case .value(let value): return value
        case .path(let path):
            guard let value = value(path, item) else {
                throw .validation(
                    "The provided expression refers to an attribute that does not exist in the item")
            }
            return value
        case .ifNotExists(let path, let other):
            if let value = value(path, item) { return value }
            return try evaluate(other, item)
        case .appended(let left, let right):
            guard case .list(let first) = try evaluate(left, item), case .list(let second) = try evaluate(right, item)
            else { throw wrongType }
            return .list(first + second)
        case .sum(let left, let right): return try sum(left, right, subtracting: false, item)
        case .difference(let left, let right): return try sum(left, right, subtracting: true, item)
        }
    }

    private static func sum(
        _ left: Term, _ right: Term, subtracting: Bool, _ item: [AttributeValue.Member]
    ) throws(ServiceError) -> AttributeValue {
        guard case .number(let one) = try evaluate(left, item), case .number(let two) = try evaluate(right, item) else {
            throw wrongType
        }
        return .number(try one.adding(two, subtracting: subtracting))
    }

    private static var wrongType: ServiceError {
        .validation("An operand in the update expression has an incorrect data type")
    }

    private static var invalidPath: ServiceError {
        .validation("The document path provided in the update expression is invalid for update")
    }

    private static func write(
        _ value: AttributeValue, at path: DocumentPath, in item: inout [AttributeValue.Member]
    ) throws(ServiceError) {
        guard let place = item.firstIndex(where: { $0.name == path.name }) else {
            guard path.steps.isEmpty else { throw invalidPath }
            item.append(.init(name: path.name, value: value))
            return
        }
        item[place].value = try replaced(item[place].value, path.steps[...], with: value)
    }

    /// The value with what is at `steps` replaced; with `nil` removed.
    private static func replaced(
        _ whole: AttributeValue, _ steps: ArraySlice<DocumentPath.Step>, with value: AttributeValue?
    ) throws(ServiceError) -> AttributeValue {
        guard let step = steps.first else { return value ?? whole }
        let rest = steps.dropFirst()
        switch (step, whole) {
        case (.member(let name), .map(var members)):
            let place = members.firstIndex { $0.name == name }
            if !rest.isEmpty {
                guard let place else { throw invalidPath }
                members[place].value = try replaced(members[place].value, rest, with: value)
            } else if let value {
                if let place { members[place].value = value } else { members.append(.init(name: name, value: value)) }
            } else if let place {
                members.remove(at: place)
            }
            return .map(members)
        case (.element(let index), .list(var elements)):
            if !rest.isEmpty {
                guard index < elements.count else { throw invalidPath }
                elements[index] = try replaced(elements[index], rest, with: value)
            } else if let value {
                // Behind the end means at the end.
                if index < elements.count { elements[index] = value } else { elements.append(value) }
            } else if index < elements.count {
                elements.remove(at: index)
            }
            return .list(elements)
        default: throw invalidPath
        }
    }

    private static func remove(
        _ path: DocumentPath, from item: inout [AttributeValue.Member]
    ) throws(ServiceError) {
        guard let place = item.firstIndex(where: { $0.name == path.name }) else {
            guard path.steps.isEmpty else { throw invalidPath }
            return
        }
        if path.steps.isEmpty {
            item.remove(at: place)
        } else {
            item[place].value = try replaced(item[place].value, path.steps[...], with: nil)
        }
    }

    private static func add(
        _ value: AttributeValue, at path: DocumentPath, _ old: [AttributeValue.Member],
        _ item: inout [AttributeValue.Member]
    ) throws(ServiceError) {
        let result: AttributeValue
        switch (self.value(path, old), value) {
        case (nil, _): result = value
        case (.number(let one)?, .number(let two)): result = .number(try one.adding(two))
        case (.stringSet(let one)?, .stringSet(let two)):
            result = .stringSet(one + two.filter { !one.contains($0) })
        case (.numberSet(let one)?, .numberSet(let two)):
            result = .numberSet(one + two.filter { !one.contains($0) })
        case (.binarySet(let one)?, .binarySet(let two)):
            result = .binarySet(one + two.filter { !one.contains($0) })
        default: throw wrongType
        }
        try write(result, at: path, in: &item)
    }

    private static func delete(
        _ value: AttributeValue, at path: DocumentPath, _ old: [AttributeValue.Member],
        _ item: inout [AttributeValue.Member]
    ) throws(ServiceError) {
        let result: AttributeValue?
        switch (self.value(path, old), value) {
        case (nil, _): return
        case (.stringSet(let one)?, .stringSet(let two)):
            let left = one.filter { !two.contains($0) }
            result = left.isEmpty ? nil : .stringSet(left)
        case (.numberSet(let one)?, .numberSet(let two)):
            let left = one.filter { !two.contains($0) }
            result = left.isEmpty ? nil : .numberSet(left)
        case (.binarySet(let one)?, .binarySet(let two)):
            let left = one.filter { !two.contains($0) }
            result = left.isEmpty ? nil : .binarySet(left)
        default: throw wrongType
        }
        // A set that has become empty is gone.
        if let result { try write(result, at: path, in: &item) } else { try remove(path, from: &item) }
    }
}
