package import Telemetry

/// What a run did, as `report.json` has it: the one value of which every form of a report is made.
///
/// It may come from a file that anybody has written: every look at it takes what has the right form and passes over the
/// rest.
package struct ReportDocument: Sendable {
    package let root: JSONText

    package init(_ root: JSONText) { self.root = root }

    /// What the run came to, by the document's own figures.
    package enum Verdict: Sendable, Equatable {
        case running
        case proven
        /// Proven, and asked to be a part.
        case partProven
        /// A warm pass: a final one must follow.
        case notFinal
        /// A dry run: nothing was written.
        case wouldGoThrough
        case failed
        /// The document contradicts itself, or is no report.
        case unclear
    }

    package var verdict: Verdict {
        switch root["result"].string {
        case "running": return .running
        case "would go through" where root["dry_run"].boolean == true: return .wouldGoThrough
        case "failed": return .failed
        case "a warm pass, not final" where root["final"].boolean == false: return .notFinal
        case "migrated and proven" where root["partial"].boolean == false: return isProven ? .proven : .unclear
        case "a part migrated and proven" where root["partial"].boolean == true:
            return isProven ? .partProven : .unclear
        default: return .unclear
        }
    }

    /// Whether each destination's comparison says that it holds all entries, and nothing else.
    private var isProven: Bool {
        guard let entries = root["entries"].integer, !root["destinations"].elements.isEmpty,
            root["failure"].string == nil, root["dry_run"].boolean == false, root["final"].boolean == true
        else { return false }
        return root["destinations"].elements.allSatisfy { destination in
            let comparison = destination["comparison"]
            let others = ["missing", "different", "extra", "unreadable"].map { comparison[$0].integer }
            return comparison["same"].integer == entries && others.allSatisfy { $0 == 0 }
        }
    }

    var isDryRun: Bool { root["dry_run"].boolean == true }

    /// Bytes of keys and values; 0 if the document does not say.
    var bytes: Int { Self.sum(root["key_bytes"].integer, root["value_bytes"].integer) }

    private static func sum(_ left: Int?, _ right: Int?) -> Int {
        let (sum, isTooMuch) = max(left ?? 0, 0).addingReportingOverflow(max(right ?? 0, 0))
        return isTooMuch ? .max : sum
    }
}

extension JSONText {
    /// The first member of that name; null if there is none.
    subscript(_ name: String) -> JSONText {
        guard case .object(let members) = self else { return .null }
        return members.first { $0.0 == name }?.1 ?? .null
    }

    var string: String? { if case .string(let text) = self { text } else { nil } }

    var integer: Int? { if case .integer(let number) = self { number } else { nil } }

    /// Any number, if it is finite.
    var number: Double? {
        switch self {
        case .integer(let number): Double(number)
        case .double(let number) where number.isFinite: number
        default: nil
        }
    }

    var boolean: Bool? { if case .boolean(let isTrue) = self { isTrue } else { nil } }

    var elements: [JSONText] { if case .array(let elements) = self { elements } else { [] } }

    var members: [(String, JSONText)] { if case .object(let members) = self { members } else { [] } }

    /// The elements that are texts.
    var texts: [String] { elements.compactMap(\.string) }
}
