import Glibc
import Storage
import StorageTestKit
import Synchronization
import TestSupport
import Testing

@testable import FileBackend

@Suite struct FileSourceTests {
    private let folder: TemporaryFolder
    private var path: String { "\(folder.path)/d" }
    private let store: FileBackend
    private let base = [TestEntry("a/k", [1, 2, 3]), TestEntry("b", [4])]

    init() throws {
        folder = try TemporaryFolder()
        store = try FileBackend(path: "\(folder.path)/d", mustExist: false)
        try store.fill(base)
    }

    /// What a scan finds and notes, as `reason: last part of the place`.
    private func scan() throws -> (entries: [TestEntry], notes: [String]) {
        let notes = Mutex<[String]>([])
        var request = ScanRequest()
        request.note = { note in
            let name = note.place.split(separator: "/").last.map(String.init) ?? note.place
            notes.withLock { $0.append("\(note.reason): \(name)") }
        }
        let entries = try store.contents(request)
        return (entries, notes.withLock { $0.sorted() })
    }

    @Test func leavesOutAndNamesWhatIsNoEntry() throws {
        try writeFile("\(path)/.DS_Store", [1])
        try writeFile("\(path)/_empty", [])
        try writeFile("\(path)/a/_k.temp", Array("{\"Value\":\"AQ".utf8))
        try writeFile("\(path)/_b.temp", Array("{\"Value\":\"BA==\"}\n".utf8))
        try writeFile("\(path)/_alone.temp", Array("{\"Value\":\"BQ==\"}\n".utf8))
        #expect(mkfifo("\(path)/fifo", 0o600) == 0)
        #expect(mkdir("\(path)/lost+found", 0o700) == 0)
        let found = try scan()
        #expect(found.entries == [base[0], TestEntry("alone.temp", [5]), base[1]])
        #expect(
            found.notes == [
                "strayFile: .DS_Store", "strayFile: fifo", "temporaryFile: _b.temp",
                "temporaryFile: _k.temp", "zeroLengthFile: _empty",
            ])
        #expect(try store.get("empty") == nil)
        #expect(try store.get("fifo") == nil)
        #expect(mode("\(path)/_empty") != nil, "reading must not delete")
    }

    /// What stands in the place of an entry, or of a folder with entries, and gives none, is no stray file.
    @Test(arguments: [
        ("_x", "nowhere", "x", "leads nowhere: the entry is missing"),
        ("logical", "nowhere", "logical", "all entries below it are missing"),
        ("a/_x", nil, "a/x", "no regular file"), ("_x", "/dev/null", "x", "no regular file"),
    ])
    func whatTakesTheirPlaceIsALossOfEntries(_ name: String, _ link: String?, _ key: String, _ words: String) throws {
        let place = "\(path)/\(name)"
        #expect((link.map { symlink($0, place) } ?? mkfifo(place, 0o600)) == 0)
        let error = #expect(throws: StorageError.self) { try scan() }
        #expect(error?.code == .damagedEntry && error?.key == StorageKey(key))
        #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
        // check goes on without it, and counts it as unreadable.
        var request = ScanRequest()
        request.passesOver = { $0.code == .damagedEntry }
        #expect(try store.contents(request).map(\.key) == base.map(\.key))
    }

    /// Alone it may be an entry that a crash took.
    @Test func aCutOffTemporaryFileWithoutItsEntryIsNoLeftOver() throws {
        try writeFile("\(path)/_alone.temp", [])
        let found = try scan()
        #expect(found.entries == base)
        #expect(found.notes == ["zeroLengthFile: _alone.temp (or a write of alone that never took effect)"])
        try writeFile("\(path)/_alone.temp", Array("{\"Value\":\"AQ".utf8))
        let error = #expect(throws: StorageError.self) { try scan() }
        #expect(error?.code == .damagedEntry && error?.key == "alone.temp")
        #expect(error?.message.contains("or a write of alone that never took effect") == true)
    }

    @Test func aDifferentTemporaryFileIsAnEntryToo() throws {
        try writeFile("\(path)/_b.temp", Array("{\"Value\":\"BQ==\"}\n".utf8))
        let found = try scan()
        #expect(found.entries == base + [TestEntry("b.temp", [5])])
        #expect(found.notes == ["possiblyTemporary: _b.temp"])
    }

    @Test func followsLinksButNotInACircle() throws {
        #expect(rename("\(path)/a", "\(folder.path)/elsewhere") == 0)
        #expect(symlink("../elsewhere", "\(path)/a") == 0)
        #expect(try store.contents() == base)
        #expect(symlink("..", "\(folder.path)/elsewhere/up") == 0)
        #expect(symlink("d", "\(folder.path)/round") == 0)
        try expectError(.damagedStore, ["leads back"]) { _ = try store.contents() }
    }

    @Test func saysWhichFolderCannotBeRead() throws {
        #expect(chmod("\(path)/a", 0) == 0)
        defer { chmod("\(path)/a", 0o700) }
        // Root may read everything.
        if geteuid() == 0 {
            #expect(try store.contents() == base)
        } else {
            try expectError(.io, ["/d/a", "permission denied"]) { _ = try store.contents() }
        }
    }

    @Test func readsDeepTreesAndWideFolders() throws {
        let deep = StorageKey((0..<250).map { "level\($0)" }.joined(separator: "/"))
        var entries = [TestEntry(deep, [9])]
        for number in 0..<50_000 {
            entries.append(TestEntry(StorageKey("wide/\(100_000 + number)"), [UInt8(number & 255)]))
        }
        try store.fill(entries)
        try requireContents(try store.contents(), entries + base, "scan")
        #expect(try store.get(deep) == [9])
        #expect(try store.list("wide/").count == 50_000)
    }

    @Test(arguments: [1, 20, 100, 1000, 5000])
    func foldersThatExceedTheMemoryAreReadInSlices(maximumNameBytes: Int) throws {
        let count = maximumNameBytes < 100 ? 60 : 1500
        var random = SeededRandom(8)
        var keys = Set<StorageKey>()
        for number in 0..<count {
            let name =
                "\(["n", "n.", "n-", "folder", "é"][number % 5])\(UInt32.random(in: 0...UInt32.max, using: &random))"
            keys.insert(StorageKey("s/\(name)"))
            // Now and then entry and folder of one name.
            if number % 3 == 0 { keys.insert(StorageKey("s/\(name)/x")) }
        }
        try store.fill(keys.sorted().map { TestEntry($0, [1]) })
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 32 << 10, alignment: 16)
        defer { buffer.deallocate() }
        let root = try DirectoryHandle(path, in: nil, path: path)
        var walk = try FileWalk(
            root: root, request: ScanRequest(), buffer: buffer, maximumNameBytes: maximumNameBytes)
        var found: [StorageKey] = []
        while let chunk = try walk.nextChunk() {
            for file in chunk.files {
                let prefix = chunk.folders[file.folder].prefix
                _ = chunk.withName(file) { _, name in found.append(StorageKey(prefix + Array(name))) }
            }
        }
        #expect(found == (Array(keys) + base.map(\.key)).sorted())
    }
}
