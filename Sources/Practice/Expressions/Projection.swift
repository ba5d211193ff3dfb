import Storage

/// Which parts of an item are wanted.
struct Projection {
    /// Paths in one expression; the service's bound is the expression's length alone.
    let paths: [DocumentPath]
    /// Whether every path is a whole attribute, so that stored text can be copied.
    let isPlain: Bool

    init(_ paths: [DocumentPath]) {
        self.paths = paths
        isPlain = paths.allSatisfy(\.steps.isEmpty)
    }

    /// Reads a ProjectionExpression.
    static func parse(_ text: String, _ context: inout ExpressionContext) throws(ServiceError) -> Projection {
        var lexer = try ExpressionLexer(text, .projection)
        var paths = [try DocumentPath(&lexer, &context)]
        while lexer.take(",") { paths.append(try DocumentPath(&lexer, &context)) }
        try lexer.expectEnd()
        try checkOverlaps(paths, .projection)
        return Projection(paths)
    }

    /// Two paths to the same place, or into one another, are an error.
    static func checkOverlaps(_ paths: [DocumentPath], _ kind: ExpressionContext.Kind) throws(ServiceError) {
        var earlier: [[UInt8]: [DocumentPath]] = [:]
        for path in paths {
            if let other = earlier[path.name]?.first(where: path.overlaps) {
                throw kind.invalid(
                    "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: "
                        + "\(other), path two: \(path)")
            }
            earlier[path.name, default: []].append(path)
        }
    }

    /// Whether a whole attribute is wanted; only for plain projections.
    func includes(_ name: UnsafeRawBufferPointer) -> Bool {
        for path in paths where path.name.count == name.count {
            if path.name.withUnsafeBytes({ compareBytes($0, name) == 0 }) { return true }
        }
        return false
    }

    /// The wanted parts of an item; elements of lists close up.
    func apply(_ item: [AttributeValue.Member]) -> [AttributeValue.Member] {
        item.compactMap { attribute in
            let wanted = paths.filter { $0.name == attribute.name }.map { $0.steps[...] }
            guard !wanted.isEmpty else { return nil }
            return Self.part(of: attribute.value, wanted).map { .init(name: attribute.name, value: $0) }
        }
    }

    private static func part(
        of value: AttributeValue, _ wanted: [ArraySlice<DocumentPath.Step>]
    ) -> AttributeValue? {
        if wanted.contains(where: \.isEmpty) { return value }
        switch value {
        case .map(let members):
            let parts = members.compactMap { member -> AttributeValue.Member? in
                let inner = wanted.filter { $0.first == .member(member.name) }.map { $0.dropFirst() }
                guard !inner.isEmpty else { return nil }
                return part(of: member.value, inner).map { .init(name: member.name, value: $0) }
            }
            return parts.isEmpty ? nil : .map(parts)
        case .list(let elements):
            let parts = elements.enumerated().compactMap { index, element -> AttributeValue? in
                let inner = wanted.filter { $0.first == .element(index) }.map { $0.dropFirst() }
                return inner.isEmpty ? nil : part(of: element, inner)
            }
            return parts.isEmpty ? nil : .list(parts)
        default: return nil
        }
    }
}
