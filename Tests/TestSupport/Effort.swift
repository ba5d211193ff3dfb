import Foundation

/// How much the tests try. Every run tries a part of the cases that are many alike; a thorough one
/// (`scripts/test --thorough`, which sets `SEALIFT_THOROUGH_TESTS`) tries all of them.
package enum Effort {
    package static let isThorough = ProcessInfo.processInfo.environment["SEALIFT_THOROUGH_TESTS"] != nil

    /// Every step with that number, or every single one.
    package static func stride(_ everyday: Int) -> Int { isThorough ? 1 : everyday }

    /// How many times as many random inputs as every day: 1, or what `scripts/fuzz` sets.
    package static let factor = ProcessInfo.processInfo.environment["SEALIFT_FUZZ_FACTOR"].flatMap(Int.init) ?? 1

    /// That many random inputs, or a multiple.
    package static func rounds(_ everyday: Int) -> Int { everyday * factor }

    /// Where random inputs begin: 0, or what `scripts/fuzz` sets.
    package static let seed = ProcessInfo.processInfo.environment["SEALIFT_FUZZ_SEED"].flatMap(Int.init) ?? 0
}
