import Dispatch
import Foundation
import TestSupport

/// A whole journey with real servers, on a thread of its own: the tests' pool has a thread per core, and elections are
/// waited for most of the time.
package enum Journey {
    /// Journeys side by side; a server takes 120 MiB.
    private static let places = DispatchSemaphore(value: 3)

    /// Runs a journey in a folder of its own.
    package static func run(_ body: @escaping @Sendable (String) throws -> Void) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            Thread.detachNewThread {
                places.wait()
                let result = Result { try Scratch.withFolder(body) }
                places.signal()
                continuation.resume(with: result)
            }
        }
    }
}
