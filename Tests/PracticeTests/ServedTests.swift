import FileBackend
import Foundation
import HTTPServer
import SQLiteBackend
import Storage
import Telemetry
import TestSupport
import Testing
import Workers

@testable import Practice

/// The table over the network, with boto3 as its client, and its imports.
@Suite struct ServedTests {
    private func withServer(
        _ options: PracticeTable.Options = .init(), path: String? = nil, _ body: (String, PracticeTable) throws -> Void
    ) throws {
        let table = try PracticeTable(path: path, options: options, logger: Logger(level: .error))
        defer { table.close() }
        let server = try table.start(address: SocketAddress("127.0.0.1:0"), allowsRemote: false)
        defer { server.stop() }
        try body("http://127.0.0.1:\(server.port)", table)
    }

    private func python(_ program: String, _ arguments: String...) throws -> String {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
        return try runProgram("/usr/bin/env", ["python3", folder.appending(path: program).path] + arguments)
    }

    @Test(arguments: [false, true])
    func answersAsMotoDoes(inMemory: Bool) throws {
        let moto = try PythonServer("moto_on_free_port.py")
        defer { moto.stop() }
        try Scratch.withFolder { folder in
            try withServer(path: inMemory ? nil : folder + "/table.sqlite") { endpoint, _ in
                let said = try python("conformance.py", moto.url, endpoint)
                #expect(said.contains(" 0 differ"))
            }
        }
    }

    @Test func takesOnlyTheRightSignatures() throws {
        var options = PracticeTable.Options()
        options.credentials = PracticeCredentials(
            parsing: "[a]\naws_access_key_id = AK\n# x\naws_secret_access_key=SK\n")
        try withServer(options) { endpoint, _ in
            let said = try python("signatures.py", endpoint, "AK", "SK")
            #expect(said.contains("all as expected"))
        }
    }

    @Test(arguments: [false, true])
    func backupsRestoresAndExportsHoldWhatTheTableHeld(inMemory: Bool) throws {
        try Scratch.withFolder { folder in
            var options = PracticeTable.Options()
            options.exportFolder = folder + "/buckets"
            try FileManager.default.createDirectory(atPath: folder + "/buckets", withIntermediateDirectories: false)
            try withServer(options, path: inMemory ? nil : folder + "/table.sqlite") { endpoint, _ in
                let said = try python("backups.py", endpoint, folder + "/buckets")
                #expect(said.contains("all as expected"))
            }
        }
    }

    @Test func keepsWhatItHolds() throws {
        try Scratch.withFolder { folder in try checkKeeping(folder + "/table.sqlite") }
    }

    private func checkKeeping(_ path: String) throws {
        let first = try Asking(path: path)
        for index in 0..<100 { first.put("p", "k\(index)", bytes: 100) }
        first.practice.close()
        let again = try Asking(path: path, makesTable: false)
        #expect(again.practice.tables.map(\.items) == [100])
        #expect(try again.scan().keys.count == 100)
        #expect(again("DeleteTable", #"{"TableName": "\#(Asking.table)"}"#).error == "")
        #expect(again("Scan", #"{"TableName": "\#(Asking.table)"}"#).error == "ResourceNotFoundException")
        var info = stat()
        #expect(stat(path, &info) == 0 && info.st_mode & 0o777 == 0o600)
    }

    @Test(arguments: [false, true])
    func manyWriteAndReadAtOnce(inMemory: Bool) throws {
        try Scratch.withFolder { folder in
            let ask = try Asking(path: inMemory ? nil : folder + "/table.sqlite")
            let handler = ask.handler
            try withWorkers(8) { worker in
                for round in 0..<40 {
                    let item = Asking.item("p\(round % 3)", "\(worker)-\(round)", bytes: 50)
                    let body = #"{"TableName": "\#(Asking.table)", "Item": \#(item)}"#
                    let put = handler.answer(Asking.request("PutItem", Array(body.utf8)))
                    #expect(put.status == 200)
                    let other =
                        #"{"TableName": "table\#(worker)", \#(Asking.stockSchema), "BillingMode": "PAY_PER_REQUEST"}"#
                    let operation = round % 2 == 0 ? "CreateTable" : "DeleteTable"
                    #expect(handler.answer(Asking.request(operation, Array(other.utf8))).status == 200)
                    let scan = handler.answer(Asking.request("Scan", Array(#"{"TableName": "\#(Asking.table)"}"#.utf8)))
                    #expect(scan.status == 200)
                }
            }
            #expect(try ask.scan().keys.count == 320)
            #expect(ask.practice.tables.map(\.items) == [320])
            #expect(ask.counts.requests["PutItem"] == 320)
        }
    }

    @Test func leavesOtherDatabasesAlone() throws {
        try Scratch.withFolder { folder in
            let path = folder + "/table.sqlite"
            let first = try Asking(path: path)
            #expect(throws: StorageError.self) { try Asking(path: path) }
            first.practice.close()
            let other = folder + "/other.sqlite"
            try SQLiteBackend(path: other, mustExist: false).put("core/keyring", [1])
            let before = try Scratch.bytes(other)
            #expect(throws: StorageError.self) { try Asking(path: other) }
            #expect(try Scratch.bytes(other) == before)
        }
    }

    @Test func importsARealTable() throws {
        let ask = try Asking(makesTable: false)
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Fixtures/dynamodb-vault/items.jsonl.gz").path
        try ask.practice.prepareImport(into: Asking.table, replaces: false, capacity: nil)
        let result = try ask.practice.load(files: [file], into: Asking.table) { false }
        #expect(result.items == 1297 && result.markers == 466 && result.leftOutCount == 0)
        #expect(throws: ImportError.self) {
            try ask.practice.prepareImport(into: Asking.table, replaces: false, capacity: nil)
        }
        try ask.practice.prepareImport(into: Asking.table, replaces: true, capacity: nil)
        #expect(ask.practice.tables.map(\.items) == [0])
    }

    @Test func importsAVaultFolder() throws {
        let ask = try Asking(makesTable: false)
        let store = try FileBackend(path: Fixture("file-openbao").folder(), mustExist: true, writable: false)
        defer { store.close() }
        try ask.practice.prepareImport(into: Asking.table, replaces: false, capacity: (5, 6))
        let result = try ask.practice.load(from: store, into: Asking.table) { false }
        let keys = try entries(of: store).map(\.key.description)
        // One secret of 600 kB is more than the service takes.
        #expect(result.leftOutCount == 1 && result.leftOut[0].contains("600110 bytes"))
        #expect(result.items - result.markers == keys.count - 1)
        let directories = Set(
            keys.flatMap { key in key.indices.filter { key[$0] == "/" }.map { key[..<$0] } })
        #expect(result.markers == directories.count)
        #expect(try ask.scan().keys.count == result.items)
        let described = ask("DescribeTable", #"{"TableName": "\#(Asking.table)"}"#)
        #expect(described.text.contains(#""ReadCapacityUnits":5,"WriteCapacityUnits":6"#))
    }
}
