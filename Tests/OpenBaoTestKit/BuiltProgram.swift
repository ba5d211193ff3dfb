import Foundation
import TestSupport

/// The program that was built with the tests.
package enum BuiltProgram {
    /// The folder that holds Package.swift.
    package static let packageRoot = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    /// Where it is.
    package static let path: String = {
        let tests = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        let places = [tests.path, "\(packageRoot)/.build/debug"].map { "\($0)/sealift" }
        return places.first { access($0, X_OK) == 0 } ?? places[1]
    }()

    /// Runs it; it must succeed.
    ///
    /// - Parameters:
    ///   - home: A folder that takes what it keeps of its runs.
    ///   - variables: More of its environment.
    /// - Returns: What it wrote, both streams together.
    @discardableResult
    package static func run(
        _ arguments: [String], home: String, adding variables: [String: String] = [:]
    ) throws -> String {
        let environment = ["HOME": home, "XDG_STATE_HOME": "\(home)/state"].merging(variables) { $1 }
        return try runProgram("/usr/bin/env", ["-u", "VAULT_ADDR", path] + arguments, environment)
    }
}
