import Foundation
import Testing

@testable import Bolt

/// What the builder refuses, and what it leaves behind.
@Suite struct BuilderContractTests {
    @Test func refusesWhatBboltCannotHold() throws {
        try Scratch.with { paths in
            let builder = try BoltBuilder(path: paths[0])
            #expect(refusal { try builder.add([1], [1]) }?.code == .invalidInput)
            #expect(refusal { try builder.endBucket() }?.code == .invalidInput)
            #expect(refusal { try builder.beginBucket([]) }?.code == .invalidInput)
            try builder.beginBucket([5])
            #expect(refusal { try builder.finish() }?.code == .invalidInput)
            #expect(refusal { try builder.add([], [1]) }?.code == .invalidInput)
            #expect(refusal { try builder.add([UInt8](repeating: 1, count: 32_769), []) }?.code == .invalidInput)
            try builder.add([2, 0], [1])
            for key in [[2, 0], [2], [1, 9]] as [[UInt8]] {
                #expect(refusal { try builder.add(key, []) }?.code == .invalidInput)
                #expect(refusal { try builder.beginBucket(key) }?.code == .invalidInput)
            }
            try builder.add([2, 0, 0], [])
            try builder.endBucket()
            #expect(refusal { try builder.beginBucket([5]) }?.code == .invalidInput)
            try builder.finish()
            #expect(refusal { try builder.finish() }?.code == .invalidInput)
            builder.discard()
            try Boltcheck.run("check", paths[0])
            let attributes = try FileManager.default.attributesOfItem(atPath: paths[0])
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            #expect(attributes[.size] as? Int == builder.bytesWritten)
        }
    }

    @Test func neverOverwritesAndLeavesNothingOpenable() throws {
        try Scratch.with { paths in
            let builder = try BoltBuilder(path: paths[0])
            #expect(refusal { try BoltBuilder(path: paths[0]) }?.errno == EEXIST)
            try builder.beginBucket([1])
            for index in 0..<UInt8(200) { try builder.add([index], [UInt8](repeating: index, count: 30_000)) }
            #expect(refusal { try BoltReader(path: paths[0]) }?.code == .damaged)
            builder.discard()
            #expect(refusal { try BoltReader(path: paths[0]) }?.code == .notFound)
            #expect(refusal { try builder.add([250], []) } != nil)
            #expect(refusal { try BoltBuilder(path: paths[0], pageSize: 5_000) }?.code == .invalidInput)
            #expect(refusal { try BoltBuilder(path: paths[0], fill: .nan) }?.code == .invalidInput)
            #expect(refusal { try BoltBuilder(path: "/nonexistent/x.db") }?.errno == ENOENT)
        }
    }
}
