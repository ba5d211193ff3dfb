import Foundation

/// Waits until something is so, with a limit beyond any delay of a busy machine.
///
/// - Throws: `ProgramFailure`, if it never came to be.
package func waitUntil(
    _ what: String, within limit: Duration = .seconds(100), _ condition: () throws -> Bool
) throws {
    let end = ContinuousClock.now + limit
    while try !condition() {
        guard ContinuousClock.now < end else { throw ProgramFailure(description: "waited in vain: \(what)") }
        usleep(1000)
    }
}
