import Foundation
import HTTPClient

/// The HTTP API of a server on this machine.
package struct ServerAPI: Sendable {
    /// `http://127.0.0.1:PORT`, without a slash at the end.
    package let url: String
    package var token: String
    private let client = HTTPClient(HTTPConfiguration(connectTimeout: .seconds(5), requestTimeout: .seconds(60)))

    package init(url: String, token: String = "") {
        self.url = url
        self.token = token
    }

    /// What a server answers.
    package struct Answer: Sendable {
        package let status: Int
        package let body: JSONValue
        /// Its `errors`, for messages.
        package var errors: String { body["errors"]?.elements.compactMap(\.text).joined(separator: "; ") ?? "" }
    }

    /// Sends a request, whatever comes of it.
    ///
    /// - Parameter path: Behind `/v1/`, percent-encoded.
    package func send(
        _ method: String, _ path: String, _ body: String? = nil, token: String? = nil, timeout: Duration? = nil
    ) throws -> Answer {
        let request = HTTPRequest(
            method: method, url: "\(url)/v1/\(path)", headers: [("X-Vault-Token", token ?? self.token)],
            timeout: timeout)
        let response = try Array((body ?? "").utf8).withUnsafeBytes { body in
            try client.perform(request, body: body)
        }
        let bytes = response.withBody { Array($0) }
        return Answer(status: response.status, body: try JSONValue(parsing: bytes))
    }

    /// Sends a request that must succeed and gives the answer's body.
    @discardableResult
    package func ask(_ method: String, _ path: String, _ body: String? = nil) throws -> JSONValue {
        let answer = try send(method, path, body)
        guard (200..<300).contains(answer.status) else {
            throw ServerFailure("\(method) \(path): \(answer.status) \(answer.errors)")
        }
        return answer.body
    }

    /// The text at a place of what a request that must succeed answers.
    package func text(_ field: String, _ method: String, _ path: String, _ body: String? = nil) throws -> String {
        guard let text = try ask(method, path, body)[field]?.text else {
            throw ServerFailure("\(method) \(path): no \(field) in the answer")
        }
        return text
    }

    /// A name or several with slashes between, as a URL's path carries it.
    package static func encoded(_ name: String) -> String {
        name.utf8.map { byte in
            let character = Character(UnicodeScalar(byte))
            let isPlain = character.isASCII && (character.isLetter || character.isNumber || "-_.~/".contains(character))
            return isPlain ? String(character) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }.joined()
    }
}

/// A server does not do what it must.
package struct ServerFailure: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// Demands something of a journey: on its thread, the macros of Swift Testing do not know which test is running.
package func demand(_ isSo: Bool, _ what: @autoclosure () -> String) throws {
    guard isSo else { throw ServerFailure("it is not so: \(what())") }
}

/// Asks again and again until something is so.
///
/// - Throws: ``ServerFailure`` if it is not so in time, with the last error if the question ended with one.
package func eventually(
    _ what: String, within seconds: Double = 90, _ isSo: () throws -> Bool
) throws {
    let end = Date(timeIntervalSinceNow: seconds)
    var last = ""
    while Date() < end {
        do {
            if try isSo() { return }
            last = ""
        } catch {
            last = ": \(error)"
        }
        usleep(50_000)
    }
    throw ServerFailure("not in \(Int(seconds)) s: \(what)\(last)")
}
