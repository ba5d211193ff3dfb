/// Bytes inside one of integrated storage's files contradict their format.
package struct RaftFormatError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}
