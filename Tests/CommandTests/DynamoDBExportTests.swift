import Foundation
import Testing

/// `operator migrate` from an export that was downloaded.
@Suite struct DynamoDBExportTests {
    private static let fixture = "\(Sandbox.packageRoot)/Tests/Fixtures/dynamodb-vault"

    private func configuration(_ sandbox: Sandbox, _ path: String) throws -> String {
        try sandbox.write(
            "migrate.hcl",
            "storage_source \"dynamodb_export\" {\n  path = \"\(path)\"\n}\n"
                + Store.raft("\(sandbox.path)/raft").block("storage_destination")
                + "cluster_addr = \"https://10.0.0.11:8201\"\n")
    }

    private func manifest(_ path: String) throws -> [String] {
        lines(of: try text(of: path)).filter { !$0.hasPrefix("#") }
    }

    @Test func aRealVaultsExportIsCopiedWhole() throws {
        let sandbox = try Sandbox()
        let configuration = try configuration(sandbox, "\(Self.fixture)/items.jsonl.gz")
        let outcome = try sandbox.migrate(configuration)
        try #require(outcome.code == 0, "\(outcome.errors)")
        #expect(try manifest("\(sandbox.path)/raft.sealift/manifest.txt") == manifest("\(Self.fixture)/manifest.txt"))
        #expect(outcome.output.contains("2: entry that listing hides (a name begins with _)"))
        #expect(outcome.errors.contains("is one file"))
        let check = try sandbox.sealift(["check", "-config", configuration])
        #expect(check.code == 0, "\(check.errors)")
    }

    @Test func aDamagedExportIsRefusedBeforeTheFirstWrite() throws {
        let sandbox = try Sandbox()
        try makeFolder("\(sandbox.path)/data")
        let whole = FileManager.default.contents(atPath: "\(Self.fixture)/items.jsonl.gz") ?? Data()
        for name in ["one", "two"] {
            try whole.dropLast(100_000).write(to: URL(filePath: "\(sandbox.path)/data/\(name).json.gz"))
        }
        let outcome = try sandbox.migrate(try configuration(sandbox, "\(sandbox.path)/data"))
        #expect(outcome.code == 2)
        for name in ["one", "two"] {
            #expect(outcome.errors.contains("\(sandbox.path)/data/\(name).json.gz: the gzip data is cut short"))
        }
        #expect(!exists("\(sandbox.path)/raft"))
    }
}
