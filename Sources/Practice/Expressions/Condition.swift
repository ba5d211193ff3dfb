/// A condition on one item, read from an expression.
indirect enum Condition {
    enum Comparison: String {
        case equal = "="
        case notEqual = "<>"
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="

        /// The same comparison with its sides exchanged.
        var mirrored: Comparison {
            switch self {
            case .less: .greater
            case .lessOrEqual: .greaterOrEqual
            case .greater: .less
            case .greaterOrEqual: .lessOrEqual
            case .equal, .notEqual: self
            }
        }
    }

    /// Something with a value.
    enum Operand: Hashable {
        case path(DocumentPath)
        case value(AttributeValue)
        /// The size of what is at a path.
        case size(DocumentPath)
        case sizeOfValue(AttributeValue)
    }

    case compare(Comparison, Operand, Operand)
    case between(Operand, Operand, Operand)
    case among(Operand, [Operand])
    case exists(DocumentPath)
    case isAbsent(DocumentPath)
    case hasType(DocumentPath, String)
    case beginsWith(Operand, Operand)
    case contains(Operand, Operand)
    case all([Condition])
    case any([Condition])
    case not(Condition)

    /// Whether an item meets the condition.
    ///
    /// - Parameter attribute: Gives an attribute's value, `nil` where the item has none.
    func holds(_ attribute: ([UInt8]) throws(ServiceError) -> AttributeValue?) throws(ServiceError) -> Bool {
        switch self {
        case .compare(let comparison, let left, let right):
            return Self.compare(comparison, try left.value(attribute), try right.value(attribute))
        case .between(let operand, let lower, let upper):
            let value = try operand.value(attribute)
            let (low, high) = (try lower.value(attribute), try upper.value(attribute))
            return Self.compare(.greaterOrEqual, value, low) && Self.compare(.lessOrEqual, value, high)
        case .among(let operand, let choices):
            let value = try operand.value(attribute)
            for choice in choices where Self.compare(.equal, value, try choice.value(attribute)) { return true }
            return false
        case .exists(let path): return path.value(in: try attribute(path.name)) != nil
        case .isAbsent(let path): return path.value(in: try attribute(path.name)) == nil
        case .hasType(let path, let type):
            return path.value(in: try attribute(path.name)).map { $0.typeName.description == type } ?? false
        case .beginsWith(let operand, let prefix):
            switch (try operand.value(attribute), try prefix.value(attribute)) {
            case (.string(let bytes), .string(let start)), (.binary(let bytes), .binary(let start)):
                return bytes.starts(with: start)
            default: return false
            }
        case .contains(let operand, let part):
            return Self.contains(try operand.value(attribute), try part.value(attribute))
        case .all(let parts):
            for part in parts { guard try part.holds(attribute) else { return false } }
            return true
        case .any(let parts):
            for part in parts { if try part.holds(attribute) { return true } }
            return false
        case .not(let part): return !(try part.holds(attribute))
        }
    }

    private static func compare(_ comparison: Comparison, _ left: AttributeValue?, _ right: AttributeValue?) -> Bool {
        guard let left, let right else {
            // What is not there is different from everything that is.
            return comparison == .notEqual && (left != nil || right != nil)
        }
        switch comparison {
        case .equal: return left.isEqual(to: right)
        case .notEqual: return !left.isEqual(to: right)
        case .less: return AttributeValue.isLess(left, right) ?? false
        case .greater: return AttributeValue.isLess(right, left) ?? false
        case .lessOrEqual: return AttributeValue.isLess(right, left).map { !$0 } ?? false
        case .greaterOrEqual: return AttributeValue.isLess(left, right).map { !$0 } ?? false
        }
    }

    private static func contains(_ whole: AttributeValue?, _ part: AttributeValue?) -> Bool {
        switch (whole, part) {
        case (.string(let whole), .string(let part)), (.binary(let whole), .binary(let part)):
            isInside(part, whole)
        case (.stringSet(let elements), .string(let part)), (.binarySet(let elements), .binary(let part)):
            elements.contains(part)
        case (.numberSet(let numbers), .number(let part)): numbers.contains(part)
        case (.list(let elements), let part?): elements.contains { $0.isEqual(to: part) }
        default: false
        }
    }

    private static func isInside(_ part: [UInt8], _ whole: [UInt8]) -> Bool {
        guard let first = part.first else { return true }
        guard part.count <= whole.count else { return false }
        return whole.indices.dropLast(part.count - 1).contains {
            whole[$0] == first && whole[$0..<$0 + part.count].elementsEqual(part)
        }
    }

    /// Names of attributes the condition looks at.
    var attributeNames: [[UInt8]] {
        switch self {
        case .compare(_, let left, let right), .beginsWith(let left, let right), .contains(let left, let right):
            [left, right].compactMap(\.attributeName)
        case .between(let operand, let lower, let upper): [operand, lower, upper].compactMap(\.attributeName)
        case .among(let operand, let choices): ([operand] + choices).compactMap(\.attributeName)
        case .exists(let path), .isAbsent(let path), .hasType(let path, _): [path.name]
        case .all(let parts), .any(let parts): parts.flatMap(\.attributeNames)
        case .not(let part): part.attributeNames
        }
    }
}

extension Condition.Operand {
    var attributeName: [UInt8]? {
        switch self {
        case .path(let path), .size(let path): path.name
        case .value, .sizeOfValue: nil
        }
    }

    fileprivate func value(
        _ attribute: ([UInt8]) throws(ServiceError) -> AttributeValue?
    ) throws(ServiceError) -> AttributeValue? {
        switch self {
        case .path(let path): return path.value(in: try attribute(path.name))
        case .value(let value): return value
        case .size(let path): return try Self.count(path.value(in: try attribute(path.name)))
        case .sizeOfValue(let value): return try Self.count(value)
        }
    }

    private static func count(_ value: AttributeValue?) throws(ServiceError) -> AttributeValue? {
        guard let count = value?.elementCount else { return nil }
        return .number(try DecimalNumber(String(count)))
    }
}
