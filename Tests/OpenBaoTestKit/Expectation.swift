import Foundation

/// One thing that a server must answer wherever its storage lies.
package struct Expectation: Sendable {
    package var method = "GET"
    /// Behind `/v1/`, percent-encoded.
    package var path: String
    package var body: String?
    /// In place of the root token.
    package var token: String?
    package var status = 200
    /// Names with dots between that lead to what must be the same; the empty one leads to the whole answer.
    package var field = ""
    /// ``JSONValue/digest()`` of what stands there; `nil` if any answer of the status will do.
    package var digest: String?

    package init(
        _ path: String, method: String = "GET", body: String? = nil, token: String? = nil, status: Int = 200,
        field: String = "", digest: String? = nil
    ) {
        self.method = method
        self.path = path
        self.body = body
        self.token = token
        self.status = status
        self.field = field
        self.digest = digest
    }

    /// Reads a line of `expected.txt`: method, path, status, field, digest and body, `-` for each that is not there.
    package init(line: some StringProtocol) throws {
        let parts = line.split(maxSplits: 5, omittingEmptySubsequences: false) { $0 == " " }.map { String($0) }
        guard parts.count == 6, let status = Int(parts[2]) else { throw ServerFailure("no expectation: \(line)") }
        func part(_ index: Int) -> String? { parts[index] == "-" ? nil : parts[index] }
        self.init(
            parts[1], method: parts[0], body: part(5), status: status, field: part(3) ?? "", digest: part(4))
    }

    /// What a server answers instead; `nil` if it answers as it must.
    package func failure(of api: ServerAPI) throws -> String? {
        let answer = try api.send(method, path, body, token: token)
        guard answer.status == status else {
            return "\(method) \(path): \(answer.status) in place of \(status) \(answer.errors)"
        }
        guard let digest else { return nil }
        guard let value = answer.body[field] else { return "\(method) \(path): no \(field)" }
        return try value.digest() == digest ? nil : "\(method) \(path): another \(field)"
    }
}

/// Everything that a store's servers must answer.
package struct Contents: Sendable {
    package private(set) var expectations: [Expectation] = []

    package init() {}

    /// Those of a store in `Tests/Fixtures`.
    package init(fileAt path: String) throws {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        expectations = try text.split(separator: "\n").map { try Expectation(line: $0) }
    }

    package mutating func add(_ expectation: Expectation) { expectations.append(expectation) }

    /// Expects at a place what stands there now.
    package mutating func addPresent(_ path: String, _ field: String, of api: ServerAPI) throws {
        guard let value = try api.ask("GET", path)[field] else { throw ServerFailure("GET \(path): no \(field)") }
        add(Expectation(path, field: field, digest: try value.digest()))
    }

    /// What a server does not answer as it must; empty if it has everything.
    package func failures(of api: ServerAPI) throws -> [String] {
        try expectations.compactMap { try $0.failure(of: api) }
    }

    /// Asks for everything; throws if something is missing or changed, with the first few.
    package func check(_ api: ServerAPI) throws {
        let failures = try failures(of: api)
        guard !failures.isEmpty else { return }
        let shown = failures.prefix(5).joined(separator: "\n")
        throw ServerFailure("\(failures.count) of \(expectations.count) answers are wrong:\n\(shown)")
    }
}
