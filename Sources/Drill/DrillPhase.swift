/// What a drill does, in order.
package enum DrillPhase: String, Sendable, CaseIterable {
    case source, shares, restore, content, structure, proof, start, unseal, serve, stop, remove

    /// In words, for people.
    package var about: String {
        switch self {
        case .source: "open the source"
        case .shares: "try the key shares"
        case .restore: "read and restore"
        case .content: "read back and compare"
        case .structure: "look at every entry's structure"
        case .proof: "authenticate every entry"
        case .start: "start the server"
        case .unseal: "unseal it"
        case .serve: "have it serve"
        case .stop: "stop the server"
        case .remove: "remove the copy"
        }
    }

    /// Whether the time is the server's and not Sealift's.
    package var isServers: Bool { [.start, .unseal, .serve, .stop].contains(self) }
}
