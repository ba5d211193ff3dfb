import Foundation
import Testing

/// What `practice-table -import` takes, and what it refuses.
@Suite struct PracticeImportTests {
    private static let fixture = "\(Sandbox.packageRoot)/Tests/Fixtures/dynamodb-vault"

    @Test func aManifestBesideTheItemsIsHeldAgainstThem() throws {
        let sandbox = try Sandbox()
        let folder = "\(sandbox.path)/put-away"
        try makeFolder(folder)
        for name in ["items.jsonl.gz", "manifest.txt"] { try sandbox.shell("cp '\(Self.fixture)/\(name)' '\(folder)'") }
        let server = try PracticeServer(sandbox, ["-import", folder])
        let digest = try sandbox.shell("sha256sum < '\(folder)/manifest.txt'").prefix(64)
        #expect(try sandbox.digest(of: server.store()) == digest)
        try sandbox.shell("sed -i '100d' '\(folder)/manifest.txt'")
        let refused = try sandbox.sealift(["practice-table", "-address", "127.0.0.1:0", "-import", folder])
        #expect(refused.code != 0 && refused.errors.contains("but its manifest.txt has"), "\(refused.errors)")
    }

    @Test func aVaultsFolderBecomesATable() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeLargeFileStore("data", count: 500, seed: 3)
        let server = try PracticeServer(sandbox, ["-import", source.path])
        #expect(try sandbox.digest(of: server.store()) == sandbox.digest(of: source))
    }

    /// What the file system keeps at the top of a disk is none of the store's, and few may read it.
    @Test func theFileSystemsOwnFolderIsNotLookedInto() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("data", SampleEntry.initialised)
        try makeFolder("\(sandbox.path)/data/lost+found")
        try sandbox.write("data/lost+found/items.json", "no items")
        let server = try PracticeServer(sandbox, ["-import", source.path])
        #expect(try sandbox.digest(of: server.store()) == sandbox.digest(of: source))
    }

    @Test func aScanThatIsNotWholeIsNotImported() throws {
        let sandbox = try Sandbox()
        let item = #"{"Path":{"S":" "},"Key":{"S":"k"},"Value":{"B":"AAE="}}"#
        let file = try sandbox.write("scan.json", #"{"Items":[\#(item)],"Count":2}"#)
        let refused = try sandbox.sealift(["practice-table", "-address", "127.0.0.1:0", "-import", file])
        #expect(refused.code != 0 && refused.errors.contains("says Count 2 and has 1 item"), "\(refused.errors)")
    }

    @Test func aFolderOfSomethingElseIsRefused() throws {
        let sandbox = try Sandbox()
        try makeFolder("\(sandbox.path)/empty")
        let refused = try sandbox.sealift(
            ["practice-table", "-address", "127.0.0.1:0", "-import", "\(sandbox.path)/empty"])
        #expect(refused.code != 0 && refused.errors.contains("holds neither"), "\(refused.errors)")
    }
}
