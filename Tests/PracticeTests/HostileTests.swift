import Foundation
import TestSupport
import Testing

@testable import Practice

/// Whatever is sent, the answer is an error of the service's own and the table stays what it was.
@Suite struct HostileTests {
    /// Requests that are all right as they are, one for each operation.
    private static let bodies: [(operation: String, body: String)] = {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "requests.txt")
        let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map { line in
            let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
            return (parts[0], parts[1])
        }
    }()

    @Test(arguments: 0..<7)
    func everyTruncationIsRefused(index: Int) throws {
        let ask = try Asking()
        let (operation, body) = Self.bodies[index]
        #expect(ask(operation, body).error == "")
        for end in 0..<body.utf8.count {
            let answer = ask(operation, Array(body.utf8.prefix(end)))
            #expect(answer.error == "SerializationException")
        }
    }

    @Test(arguments: 0..<7)
    func wrongTypesInEveryPlaceAreRefused(index: Int) throws {
        let ask = try Asking()
        let (operation, body) = Self.bodies[index]
        let root = try JSONSerialization.jsonObject(with: Data(body.utf8))
        let odd: [Any] = [
            NSNull(), true, 1, -1.5, 1e300, "", "x", [Any](), [String: Any](), [[1]], ["S": ["S": "a"]],
            ["x": NSNull()],
        ]
        var count = 0
        for path in Self.paths(root) {
            for value in odd {
                let changed = Self.replacing(root, path[...], value)
                guard JSONSerialization.isValidJSONObject(changed) else { continue }
                let answer = ask(operation, Array(try JSONSerialization.data(withJSONObject: changed)))
                #expect(answer.status == 200 || answer.status == 400, "\(path): \(answer.text)")
                #expect(answer.status == 200 || answer.error.hasSuffix("Exception"), "\(path): \(answer.text)")
                count += 1
            }
        }
        #expect(count > 50)
    }

    private static func paths(_ value: Any) -> [[Any]] {
        var found: [[Any]] = [[]]
        if let object = value as? [String: Any] {
            for (name, inner) in object { found += paths(inner).map { [name] + $0 } }
        } else if let array = value as? [Any] {
            for (index, inner) in array.enumerated() { found += paths(inner).map { [index] + $0 } }
        }
        return found
    }

    private static func replacing(_ value: Any, _ path: ArraySlice<Any>, _ new: Any) -> Any {
        guard let step = path.first else { return new }
        if var object = value as? [String: Any], let name = step as? String, let inner = object[name] {
            object[name] = replacing(inner, path.dropFirst(), new)
            return object
        }
        if var array = value as? [Any], let index = step as? Int {
            array[index] = replacing(array[index], path.dropFirst(), new)
            return array
        }
        return value
    }

    @Test func randomChangesNeverBreakIt() throws {
        let ask = try Asking()
        var random = SeededRandom(fuzz: 11)
        for round in 0..<Effort.rounds(20_000) {
            let (operation, body) = Self.bodies[round % Self.bodies.count]
            let bytes = random.mutated(Array(body.utf8))
            let answer = ask(operation, bytes)
            #expect(answer.status == 200 || answer.status == 400, "\(String(decoding: bytes, as: UTF8.self))")
        }
        // No operation other than the one that was named changed the table's size.
        #expect(ask("Scan", #"{"TableName":"vault-dynamodb-backend"}"#).status == 200)
    }

    @Test func bytesThatAreNoJSONAreRefused() throws {
        let ask = try Asking()
        var random = SeededRandom(fuzz: 5)
        for count in 0..<Effort.rounds(2000) {
            #expect(ask("PutItem", random.bytes(count % 200)).error == "SerializationException")
        }
        #expect(ask("PutItem", [UInt8](repeating: UInt8(ascii: "["), count: 1 << 20)).error == "SerializationException")
        #expect(ask("PutItem", Array("[]".utf8)).status == 400)
    }
}
