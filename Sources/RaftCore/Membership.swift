/// The servers of a cluster, as an entry of the log says it; in force from the moment that entry is appended.
package struct Membership: Hashable, Sendable {
    package enum Suffrage: Hashable, Sendable {
        /// Votes and is counted.
        case voter
        /// Receives everything, does not vote and is not counted.
        case nonVoter
    }

    package struct Member: Hashable, Sendable {
        package let id: NodeID
        /// `host:port`.
        package var address: [UInt8]
        package var suffrage: Suffrage

        package init(_ id: NodeID, address: [UInt8] = [], _ suffrage: Suffrage = .voter) {
            self.id = id
            self.address = address
            self.suffrage = suffrage
        }
    }

    /// In the order in which they came.
    package private(set) var members: [Member]

    package init(_ members: [Member] = []) {
        self.members = members
    }

    package func member(_ id: NodeID) -> Member? { members.first { $0.id == id } }

    package func isVoter(_ id: NodeID) -> Bool { member(id)?.suffrage == .voter }

    package var voters: [NodeID] { members.filter { $0.suffrage == .voter }.map(\.id) }

    /// How many voters decide.
    package var majority: Int { voters.count / 2 + 1 }

    /// A change of one server, the only kind there is: two majorities of memberships that differ in one voter overlap.
    package enum Change: Hashable, Sendable {
        /// Adds a server without a vote, or changes the address of one that is there.
        case addNonVoter(NodeID, address: [UInt8])
        /// Gives a server its vote, adding it if it is not there.
        case addVoter(NodeID, address: [UInt8])
        /// Takes a server's vote.
        case demote(NodeID)
        case remove(NodeID)
    }

    /// The membership after a change; `nil` if that would leave no voter, or if nothing would change.
    package func applying(_ change: Change) -> Membership? {
        var changed = self
        func put(_ id: NodeID, _ address: [UInt8], _ suffrage: Suffrage) {
            if let index = changed.members.firstIndex(where: { $0.id == id }) {
                changed.members[index].address = address
                // A voter that is added as a non-voter stays one: only `demote` takes a vote.
                if suffrage == .voter { changed.members[index].suffrage = .voter }
            } else {
                changed.members.append(Member(id, address: address, suffrage))
            }
        }
        switch change {
        case .addNonVoter(let id, let address): put(id, address, .nonVoter)
        case .addVoter(let id, let address): put(id, address, .voter)
        case .demote(let id):
            guard let index = changed.members.firstIndex(where: { $0.id == id }) else { return nil }
            changed.members[index].suffrage = .nonVoter
        case .remove(let id): changed.members.removeAll { $0.id == id }
        }
        return changed.voters.isEmpty || changed == self ? nil : changed
    }
}
