import Digest
import FileBackend
import Glibc
import Storage
import StorageTestKit
import Testing

@Suite struct FileLayoutTests {
    private let folder: TemporaryFolder
    private var path: String { "\(folder.path)/d" }

    init() throws {
        folder = try TemporaryFolder()
    }

    /// File systems of networks call a mebibyte a block; a store of small entries needs no such room for each.
    @Test(
        arguments: [
            (0, 4096, 512), (0, 1 << 20, 512), (1, 0, 512), (100, 512, 512), (100, 4096, 4096), (100, 1 << 20, 4096),
            (.max, .max, 4096),
        ] as [(UInt, UInt, Int)])
    func aBlockIsNoMoreThanFilesTake(inodes: UInt, fragment: UInt, bytes: Int) {
        #expect(FileBackend.bytesOfABlock(inodes: inodes, fragment: fragment) == bytes)
    }

    @Test(arguments: [true, false])
    func writesTheFilesAServerWrites(inBulk: Bool) throws {
        let entries = [
            TestEntry("core/seal-config", Array("{}".utf8)), TestEntry("foo", [0, 0xff]),
            TestEntry("logical/u1/_k", [0x41]),
        ]
        let store = try FileBackend(path: path, mustExist: false)
        if inBulk { try store.fill(entries) } else { for entry in entries { try store.put(entry.key, entry.value) } }
        #expect(try readFile("\(path)/_foo") == Array("{\"Value\":\"AP8=\"}\n".utf8))
        #expect(try readFile("\(path)/core/_seal-config") == Array("{\"Value\":\"e30=\"}\n".utf8))
        #expect(try readFile("\(path)/logical/u1/__k") == Array("{\"Value\":\"QQ==\"}\n".utf8))
        for name in ["", "/core", "/logical", "/logical/u1"] { #expect(mode(path + name) == 0o700) }
        for name in ["/_foo", "/core/_seal-config", "/logical/u1/__k"] { #expect(mode(path + name) == 0o600) }
        for name in ["_foo.temp", "core/_seal-config.temp"] { #expect(mode("\(path)/\(name)") == nil) }
    }

    @Test func readsAServersStoreAsItsManifestSays() throws {
        let tests = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2)
        let fixture = tests.joined(separator: "/") + "/Fixtures/file-openbao"
        guard system("tar -xzf '\(fixture)/data.tar.gz' -C '\(folder.path)'") == 0 else {
            throw PromiseFailure("tar failed")
        }
        let store = try FileBackend(path: "\(folder.path)/data", mustExist: true, writable: false)
        let hasher = try SHA256Hasher()
        var manifest: [UInt8] = []
        for entry in try store.contents() where entry.key != .activeNodeLock && entry.key != .migrationMarker {
            try entry.value.withUnsafeBytes { try hasher.update($0) }
            manifest += Array(try hasher.finish().hexadecimal.utf8) + [0x20, 0x20]
            entry.key.bytes.withUnsafeBytes { appendEscapedKey($0, to: &manifest) }
            manifest.append(UInt8(ascii: "\n"))
        }
        #expect(manifest == (try readFile("\(fixture)/manifest.txt")))
        // What was written again elsewhere is the same store, file by file; empty folders hold no entry.
        #expect(system("find '\(folder.path)/data' -type d -empty -delete") == 0)
        let copy = try FileBackend(path: path, mustExist: false)
        try copy.fill(try store.contents())
        #expect(system("diff -r '\(folder.path)/data' '\(path)' > '\(folder.path)/diff'") == 0)
    }

    @Test(arguments: [["x", "_x/y"], ["_x/y", "x"], ["a/x", "a/_x/y/z"], ["a/_x/y/z", "a/x"]])
    func entryAndUnderscoreDirectoryCollide(_ keys: [String]) throws {
        let store = try FileBackend(path: path, mustExist: false)
        let first = TestEntry(StorageKey(keys[0]), [1])
        let second = TestEntry(StorageKey(keys[1]), [2])
        try store.put(first.key, first.value)
        try expectError(nil, ["/d"]) { try store.put(second.key, second.value) }
        try expectError(nil, ["/d"]) { try store.fill([second]) }
        #expect(try store.get(second.key) == nil)
        try store.delete(second.key)
        #expect(try store.contents() == [first])
        let rivals = StorageKey(keys[0].contains("_") ? keys[0] : keys[1]).bytes.withUnsafeBytes {
            store.rules.rivals(of: $0)
        }
        #expect(rivals == [StorageKey(keys[0].contains("_") ? keys[1] : keys[0])])
        #expect(system("test -z \"$(find '\(path)' -name '*.temp')\"") == 0)
    }

    @Test func givesWhatItMakesToTheOwnerWanted() throws {
        // Only root may give files away; anybody may give them to themselves.
        let owner = geteuid() == 0 ? FileOwner(user: 4321, group: 4322) : FileOwner(user: geteuid(), group: getegid())
        let store = try FileBackend(path: path, mustExist: false)
        try store.put(.migrationMarker, [1])
        try store.fill([TestEntry("core/a", [1]), TestEntry("core/b/c", [2])], plan: LoadPlan(owner: owner))
        for name in ["", "/core", "/core/_a", "/core/b", "/core/b/_c"] {
            var info = stat()
            #expect(stat(path + name, &info) == 0)
            #expect(info.st_uid == owner.user && info.st_gid == owner.group, "\(name)")
        }
    }

    @Test func readOnlySourcesAreNeitherMadeNorWritten() throws {
        try expectError(.missingStore, ["/d", "no such file"]) { _ = try FileBackend(path: path, mustExist: true) }
        #expect(mode(path) == nil)
        try FileBackend(path: path, mustExist: false).put("a", [1])
        let store = try FileBackend(path: path, mustExist: true, writable: false)
        try expectError(.unsupported, ["reading only"]) { try store.put("b", [1]) }
        try expectError(.unsupported, ["reading only"]) { try store.delete("a") }
        #expect(try store.contents() == [TestEntry("a", [1])])
    }
}
