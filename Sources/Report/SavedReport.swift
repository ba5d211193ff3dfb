import JSON
import Telemetry

/// A report that was saved, read from its JSON.
package enum SavedReport {
    /// A report of a run has far less: 600 samples, 1,000 prefixes, 1,000 lost entries, each with a key. A parsed value takes
    /// 32 bytes, and a text of nothing but values has half as many as bytes.
    package static let mostBytes = 16 << 20
    /// Values in a text; more is no report.
    private static let mostValues = 1_000_000

    /// - Throws: ``ReportError`` if it is no report.
    package static func read(_ bytes: [UInt8]) throws(ReportError) -> ReportDocument {
        guard bytes.count <= mostBytes else { throw ReportError("it is larger than any report (16 MiB)") }
        guard var root = try parsed(bytes) else { throw ReportError("it has more values than any report") }
        if root["sealift"].string == nil, root["event"].string == "result" { root = ofEvent(root) }
        guard root["result"].string != nil, root["source"]["kind"].string != nil, !root["destinations"].elements.isEmpty
        else {
            throw ReportError("it is JSON, but no report of a migration (result, source and destinations are missing)")
        }
        return ReportDocument(root)
    }

    /// The result event of a run is only written when the run has succeeded.
    private static func ofEvent(_ event: JSONText) -> JSONText {
        let result =
            event["dry_run"].boolean == true
            ? "would go through"
            : event["final"].boolean == false
                ? "a warm pass, not final"
                : event["partial"].boolean == true ? "a part migrated and proven" : "migrated and proven"
        return .object([("result", .string(result)), ("failure", .null)] + event.members)
    }

    /// - Returns: `nil` if there are too many values.
    private static func parsed(_ bytes: [UInt8]) throws(ReportError) -> JSONText? {
        do throws(JSONError) {
            let parser = try JSONParser()
            var left = mostValues
            // The nodes are the parser's, which lives to the end of this.
            defer { withExtendedLifetime(parser) {} }
            let node = bytes.withUnsafeBytes { text in Result { () throws(JSONError) in try parser.parse(text) } }
            return copy(try node.get(), &left)
        } catch {
            throw ReportError("it is not JSON: \(error)")
        }
    }

    /// - Parameter left: Values that may still come. The parser bounds the depth.
    private static func copy(_ node: JSONNode, _ left: inout Int) -> JSONText? {
        left -= 1
        guard left >= 0 else { return nil }
        switch node.kind {
        case .null: return .null
        case .boolean: return .boolean(node.boolean ?? false)
        case .number: return node.integer.map(JSONText.integer) ?? .optional(node.double)
        case .string: return .string(node.text ?? "")
        case .array:
            var elements: [JSONText] = []
            for element in node.elements {
                guard let element = copy(element, &left) else { return nil }
                elements.append(element)
            }
            return .array(elements)
        case .object:
            var members: [(String, JSONText)] = []
            for (name, value) in node.members {
                guard let value = copy(value, &left) else { return nil }
                members.append((String(decoding: name, as: UTF8.self), value))
            }
            return .object(members)
        }
    }
}

/// Why a file is no report.
package struct ReportError: Error, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
