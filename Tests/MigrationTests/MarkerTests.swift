import Foundation
import InMemoryBackend
import Storage
import TestSupport
import Testing
import Workers

@testable import Migration

@Suite struct MarkerTests {
    @Test(arguments: [
        ("{\"start\":\"2024-01-02T03:04:05.123456789+01:00\"}\n", "2024-01-02T03:04:05+01:00"),
        ("{\"start\":\"2024-01-02T03:04:05.1Z\",\"other\":[1]}", "2024-01-02T03:04:05Z"),
        ("{\"start\":\"2024-01-02T03:04:05-07:00\"}", "2024-01-02T03:04:05-07:00"), ("{\"start\":\"\"}", ""),
        ("{\"start\":\"soon.\"}", "soon"),
    ])
    func markersOfTheStockCommandAreRead(text: String, start: String) throws {
        let marker = try #require(MigrationMarker(decoding: Array(text.utf8)))
        #expect(marker.job == nil && marker.host == nil && marker.process == nil)
        #expect(!marker.isAlive)
        #expect(marker.startInSeconds == start)
        #expect(try #require(MigrationMarker(decoding: marker.encoded)) == marker)
    }

    @Test func ourMarkersAreReadBackAndByTheStockCommand() throws {
        let marker = MigrationMarker(start: "2024-01-02T03:04:05.6Z", job: "a/b", host: "h\"1", process: 77)
        #expect(
            String(decoding: marker.encoded, as: UTF8.self)
                == "{\"sealift\":{\"host\":\"h\\\"1\",\"job\":\"a/b\",\"pid\":77},\"start\":\"2024-01-02T03:04:05.6Z\"}\n"
        )
        #expect(MigrationMarker(decoding: marker.encoded) == marker)
        let own = MigrationMarker.current(job: "j", time: "t")
        #expect(MigrationMarker(decoding: own.encoded) == own)
        #expect(own.process == Int(getpid()) && own.job == "j" && own.start == "t")
        // This process is not another one; the parent is, unless it is the first of all; no process has these numbers.
        #expect(!own.isAlive)
        var other = own
        if getppid() > 1 {
            other.process = Int(getppid())
            #expect(other.isAlive)
            other.host = "elsewhere-\(own.host ?? "")"
            #expect(!other.isAlive)
            other.host = own.host
        }
        for number in [0, 1, -1, .min, .max, 1 << 32 | 1, 1 << 32 - 1, Int(Int32.max)] {
            other.process = number
            #expect(!other.isAlive, "\(number)")
        }
    }

    @Test func junkIsNoMarker() {
        let junk: [[UInt8]] = [
            [], Array("{}".utf8), Array("null".utf8), Array("{\"start\":5}".utf8), Array("start".utf8),
            [0x78, 0x9c, 0x03],
            [0xff, 0xfe], Array("{\"start\":\"t\",\"sealift\":{\"job\":\"j\"}}".utf8), Array("{\"start\":\"t\"".utf8),
        ]
        for bytes in junk { #expect(MigrationMarker(decoding: bytes) == nil) }
        var random = SeededRandom(fuzz: 2)
        let whole = MigrationMarker(start: "2024-01-02T03:04:05.6Z", job: "j", host: "h", process: 77).encoded
        for _ in 0..<Effort.rounds(3_000) { _ = MigrationMarker(decoding: random.mutated(whole))?.startInSeconds }
    }

    private static func keeper(
        _ source: any StorageSource, _ destination: any StorageDestination, readOnly: Bool = false
    ) -> MarkerKeeper {
        var options = MigrationOptions()
        options.hasReadOnlySource = readOnly
        return MarkerKeeper(
            source: source, destinations: [destination], job: "ours", options: options,
            stop: StopRequest(CancellationToken()))
    }

    @Test func anEarlierRunOfThisJobIsTakenUpAndEverythingElseRefused() throws {
        let (source, destination) = (InMemoryBackend(), InMemoryBackend())
        let keeper = Self.keeper(source, destination)
        #expect(try keeper.check() == [false])
        try keeper.set()
        #expect(try keeper.check() == [true])
        try keeper.clearDestinations()
        #expect(try destination.get(.migrationMarker) == nil)
        // Let go of, the destination is not this run's any more, whatever the source still says.
        #expect(try source.get(.migrationMarker) != nil)
        #expect(try keeper.check() == [false])
        #expect(keeper.clearSource(context().logger) == [])
        #expect(try keeper.check() == [false])

        let stock = MigrationMarker(start: "2024-01-02T03:04:05.6Z", job: nil, host: nil, process: nil).encoded
        let foreign = MigrationMarker(start: "2024-01-02T03:04:05.6Z", job: "theirs", host: "h", process: 7).encoded
        for value in [stock, foreign] {
            try source.put(.migrationMarker, value)
            let error = #expect(throws: MigrationFailure.self) { try keeper.check() }
            #expect(error?.message.contains("storage migration in progress (started: 2024-01-02T03:04:05Z)\n") == true)
            #expect(error?.exitCode == 2)
            try source.delete(.migrationMarker)
            try destination.put(.migrationMarker, value)
            let other = #expect(throws: MigrationFailure.self) { try keeper.check() }
            #expect(other?.message.contains("on the destination") == true)
            try destination.delete(.migrationMarker)
        }
        try source.put(.migrationMarker, [0])
        let error = #expect(throws: MigrationFailure.self) { try keeper.check() }
        #expect(error?.message.contains("error checking migration status") == true)
    }

    @Test func aReadOnlySourceGetsNoMarkerAndARefusingDestinationLeavesNone() throws {
        let (source, destination) = (InMemoryBackend(), InMemoryBackend())
        try Self.keeper(source, destination, readOnly: true).set()
        #expect(try source.get(.migrationMarker) == nil && destination.get(.migrationMarker) != nil)
        // The destination cannot be written to: the source's marker goes again.
        #expect(throws: MigrationFailure.self) { try Self.keeper(source, ScriptedStore([])).set() }
        #expect(try source.get(.migrationMarker) == nil)
        // A source's marker that stays is told in the result; one that is gone all the same is not.
        func marker(of job: String) -> ScriptedStore {
            let value = MigrationMarker(start: "2024-01-02T03:04:05Z", job: job, host: "h", process: 7).encoded
            return ScriptedStore([[Entry(.migrationMarker, value)]])
        }
        let cases = [
            (marker(of: "ours"), "could not be removed from the source"), (marker(of: "theirs"), "of another run"),
            (ScriptedStore([]), nil),
        ]
        for (store, words) in cases {
            let told = Self.keeper(store, destination).clearSource(context().logger)
            #expect(told.count == (words == nil ? 0 : 1), "\(told)")
            if let words { #expect(told.contains { $0.contains(words) }, "\(told)") }
        }
        let error = #expect(throws: MigrationFailure.self) { try Self.keeper(ScriptedStore([]), destination).set() }
        #expect(error?.message.contains("error setting migration lock") == true)
    }
}

extension MarkerKeeper {
    /// Sets markers of this moment.
    fileprivate func set() throws { try set(newMarker()) }
}
