import BarrierTestKit
import Foundation
import InMemoryBackend
import Storage
import Testing

@testable import Barrier

/// What the mount tables of a store say, and what lies below each mount.
@Suite struct MountTests {
    private static let table = #"""
        {"type":"mounts","entries":[
         {"table":"mounts","path":"kv/","type":"kv","description":"say \"hi\"","uuid":"u1","config":{"x":[1,{"a":null}]}},
         {"path":"a\u0026b/\u00e9/","type":"aws","uuid":"u2"},{"path":"sys/","type":"system","uuid":"u3"}]}
        """#

    private func store(_ tables: [(StorageKey, [UInt8])]) throws -> (InMemoryBackend, OpenedBarrier) {
        let store = try WorkedStore.make()
        let barrier = try OpenedBarrier(store, WorkedStore.shares(0, 1, 2))
        for (key, plain) in tables { try store.put(key, try barrier.seal(plain, under: key)) }
        return (store, barrier)
    }

    @Test func tablesOfBothFormsAreRead() throws {
        let auth = #"{"type":"auth","entries":[{"path":"okta/","type":"okta","uuid":"u4"}]}"#
        let one = #"{"table":"mounts","path":"ssh/","type":"ssh","uuid":"u5"}"#
        let (store, barrier) = try store([
            ("core/mounts", Array(Self.table.utf8)), ("core/auth", Array(auth.utf8)),
            ("core/local-mounts/u5", Array(one.utf8)), ("core/audit", Array(#"{"type":"audit","entries":null}"#.utf8)),
            ("namespaces/n1/core/mounts", Array(one.utf8)),
        ])
        let tables = try MountTables(store, barrier)
        #expect(tables.problems.isEmpty, "\(tables.problems)")
        #expect(
            tables.mounts.map(\.path) == ["kv/", "a&b/\\xc3\\xa9/", "sys/", "ssh/", "auth/okta/", "ssh/"])
        #expect(tables.mounts.map(\.namespace) == ["", "", "", "", "", "n1"])
        #expect(
            tables.mounts.map(\.folder)
                == ["logical/u1/", "logical/u2/", "sys/", "logical/u5/", "auth/u4/", "namespaces/n1/logical/u5/"])
        let served = NextServer.allCases.map { server in tables.mounts.map { server.hasPlugin(for: $0) } }
        let without = [true, false, true, true, false, true]
        #expect(served == [without, without, [true, true, true, true, true, true]])
    }

    @Test func whatIsCompressedIsInflatedOrNamed() throws {
        let packed = Self.gzip(Array(Self.table.utf8))
        let (store, barrier) = try store([
            ("core/mounts", Array("G".utf8) + packed), ("core/auth", Array("S".utf8) + packed),
            ("core/local-mounts", Array("G".utf8) + packed.dropLast(3)), ("core/audit", Array("nonsense".utf8)),
        ])
        var value = try #require(try store.get("core/audit"))
        value[20] ^= 1
        try store.put("core/local-auth", value)
        let tables = try MountTables(store, barrier)
        #expect(tables.mounts.count == 3)
        let words = ["gzip, and damaged", "in a way that Sealift does not read", "does not open", "no mount table"]
        #expect(tables.problems.count == 4)
        for word in words { #expect(tables.problems.contains { $0.contains(word) }, "\(word): \(tables.problems)") }
    }

    @Test func entriesAreCountedBelowTheirMounts() throws {
        let (store, barrier) = try store([("core/mounts", Array(Self.table.utf8))])
        var usage = MountUsage()
        for key in [
            "core/x", "logical/u1/a", "logical/u1/b/c", "logical/u9/z", "sys/policy/p", "sys/q", "sys/token/id/1",
        ] {
            Array(key.utf8).withUnsafeBytes { usage.count($0, bytes: 10) }
        }
        let mounts = try MountTables(store, barrier).mounts
        #expect(usage.sum(of: mounts[0]) == MountUsage.Sum(entries: 2, bytes: 20))
        #expect(usage.sum(of: mounts[1]) == MountUsage.Sum())
        #expect(usage.sum(of: mounts[2]) == MountUsage.Sum(entries: 2, bytes: 20))
        #expect(usage.strays(besides: mounts).map(\.folder) == ["logical/u9/"])
    }

    /// Whatever the names beside the system's folders, memory is bounded and the mounts keep their counts.
    @Test func entriesBesideTheFoldersTakeNoRoom() throws {
        let (store, barrier) = try store([("core/mounts", Array(Self.table.utf8))])
        let mounts = try MountTables(store, barrier).mounts
        var usage = MountUsage(mostFolders: 3)
        func count(_ key: String) { Array(key.utf8).withUnsafeBytes { usage.count($0, bytes: 10) } }
        for number in 0..<1000 { count("sys/x\(number)") }
        for key in ["sys/token/id/1", "logical/u1/a", "logical/u1/b", "logical/u7/a", "logical/u8/a"] { count(key) }
        #expect(usage.sum(of: mounts[2]) == MountUsage.Sum(entries: 1000, bytes: 10_000))
        #expect(usage.sum(of: mounts[0]) == MountUsage.Sum(entries: 2, bytes: 20))
        // What is beyond is said, not lost.
        #expect(usage.others == MountUsage.Sum(entries: 2, bytes: 20))
        var sum = MountUsage(mostFolders: 3)
        sum.add(usage)
        #expect(sum.others.entries == 2 && sum.sum(of: mounts[2]).entries == 1000)
    }

    private static func gzip(_ bytes: [UInt8]) -> [UInt8] {
        let process = Process()
        let (input, output) = (Pipe(), Pipe())
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["gzip", "-c"]
        (process.standardInput, process.standardOutput) = (input, output)
        try? process.run()
        input.fileHandleForWriting.write(Data(bytes))
        try? input.fileHandleForWriting.close()
        defer { process.waitUntilExit() }
        return Array(output.fileHandleForReading.readDataToEndOfFile())
    }
}
