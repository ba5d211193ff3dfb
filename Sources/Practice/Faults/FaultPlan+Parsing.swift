import Wording

/// Why a list of faults cannot be followed.
package struct FaultPlanError: Error, Equatable, CustomStringConvertible {
    package let description: String
}

extension FaultPlan {
    /// Names that are no kinds.
    private static let otherNames = ["deny", "expired-after", "delete-table-after", "slow-ms", "seed"]
    private static let maximumSlowMilliseconds = 60_000

    /// Adds what a text such as `throttle=0.2,drop=0.02,seed=7` names.
    ///
    /// - Throws: `FaultPlanError` with the nearest name for one that is unknown, or what a value must be.
    package mutating func add(_ text: String) throws(FaultPlanError) {
        for part in text.split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let name = pair[0]
            guard pair.count == 2 else {
                throw FaultPlanError(description: "fault \"\(name.prefix(40))\" has no value. Example: throttle=0.2")
            }
            try set(name, pair[1])
        }
    }

    private mutating func set(_ name: String, _ value: String) throws(FaultPlanError) {
        if let kind = Kind(rawValue: name) {
            guard let rate = Double(value), (0...1).contains(rate) else {
                throw FaultPlanError(
                    description: "fault \(name)=\(value.prefix(40)): the share of requests must be between 0 and 1.")
            }
            rates[kind] = rate
            return
        }
        guard Self.otherNames.contains(name) else {
            let names = Kind.allCases.map(\.rawValue) + Self.otherNames
            let typed = Array(name.utf8.prefix(40))
            let near = names.map { (name: $0, edits: editDistance(typed, Array($0.utf8))) }.min { $0.edits < $1.edits }
            let hint = near.flatMap { $0.edits <= 3 ? "Did you mean \"\($0.name)\"? " : nil } ?? ""
            throw FaultPlanError(
                description:
                    "there is no fault \"\(name.prefix(40))\". \(hint)Known are \(names.joined(separator: ", ")).")
        }
        if name == "deny" {
            guard RequestHandler.operations.contains(value) else {
                throw FaultPlanError(
                    description: "fault deny=\(value.prefix(40)): name an operation. Known are "
                        + "\(RequestHandler.operations.sorted().joined(separator: ", ")).")
            }
            denied.insert(value)
            return
        }
        guard let number = UInt64(value), number <= UInt64(Int.max) || name == "seed" else {
            throw FaultPlanError(
                description: "fault \(name)=\(value.prefix(40)): the value must be a whole number that is not negative."
            )
        }
        switch name {
        case "expired-after": expiredAfter = Int(number)
        case "delete-table-after": deleteTableAfter = Int(number)
        case "slow-ms": slowMilliseconds = Int(min(number, UInt64(Self.maximumSlowMilliseconds)))
        default: seed = number
        }
    }
}
