import Storage

/// One thing every storage backend does, with the check of it.
package struct Promise: Sendable, CustomStringConvertible {
    /// Reads as the promise.
    package let name: String
    private let body: @Sendable (any StorageHarness) throws -> Void

    init(_ name: String, _ body: @escaping @Sendable (any StorageHarness) throws -> Void) {
        self.name = name
        self.body = body
    }

    package var description: String { name }

    /// Checks the promise.
    ///
    /// - Throws: ``PromiseFailure``, or what a store threw where it should not have.
    package func check(_ harness: some StorageHarness) throws {
        do {
            try body(harness)
        } catch let failure as PromiseFailure {
            throw PromiseFailure("\(harness.name): \(name): \(failure.description)")
        } catch {
            throw PromiseFailure("\(harness.name): \(name): the store threw: \(error)")
        }
    }

    /// Every promise.
    package static let all: [Promise] = entries + keys + scans + loads + life + differential
}

/// A promise was not kept.
package struct PromiseFailure: Error, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// Fails with `message` unless `condition` holds.
func require(_ condition: Bool, _ message: @autoclosure () -> String) throws {
    if !condition { throw PromiseFailure(message()) }
}

/// Fails unless both sides are equal; prints them, so not for values.
func requireEqual<Value: Equatable>(_ found: Value, _ wanted: Value, _ what: @autoclosure () -> String) throws {
    if found != wanted { throw PromiseFailure("\(what()): found \(found), wanted \(wanted)") }
}

/// Fails unless `body` throws a `StorageError` with this code, or with any if `code` is `nil`.
func requireThrows(_ code: StorageError.Code?, _ what: String, _ body: () throws -> Void) throws {
    do {
        try body()
    } catch let error as StorageError {
        try require(code == nil || error.code == code, "\(what): threw \(error.code): \(error.message)")
        return
    }
    throw PromiseFailure("\(what): should throw and does not")
}
