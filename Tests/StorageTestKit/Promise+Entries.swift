import Storage
import TestSupport

extension Promise {
    /// Single entries and directories: `get`, `put`, `delete`, `list`.
    static let entries: [Promise] = [
        Promise("getOfAMissingEntryIsNil") { harness in
            let store = try harness.makeEmpty()
            for key: StorageKey in ["a", "a/b", "a/b/c"] {
                try require(try store.get(key) == nil, "an empty store has an entry \(key)")
            }
            try store.put("a/b", [1])
            for key: StorageKey in ["a", "b", "a/b/c", "a/bb", "A/b"] {
                try require(try store.get(key) == nil, "found an entry \(key) that was never put")
            }
        },
        Promise("getReturnsWhatPutWrote") { harness in
            let store = try harness.makeEmpty()
            try store.put("core/keyring", [0, 255, 10, 13])
            try require(try store.get("core/keyring") == [0, 255, 10, 13], "another value")
        },
        Promise("putReplacesAValue") { harness in
            let store = try harness.makeEmpty()
            try store.put("k", Array(repeating: 7, count: 5000))
            try store.put("k", [1])
            try require(try store.get("k") == [1], "the former value is still there")
            try requireContents(try store.contents(), [TestEntry("k", [1])], "scan")
        },
        Promise("putLeavesNeighboursAlone") { harness in
            let store = try harness.makeEmpty()
            let keys: [StorageKey] = ["x.temp", "_x", "x~", ".x", "x.tmp", "x"]
            for key in keys { try store.put(key, Array(key.bytes)) }
            try requireContents(try store.contents(), keys.map { TestEntry($0, $0.bytes) }, "scan")
        },
        Promise("deleteRemovesOneEntryOnly") { harness in
            let store = try harness.makeEmpty()
            for key: StorageKey in ["a", "a/b", "a/c", "ab"] { try store.put(key, [1]) }
            try store.delete("a/b")
            try require(try store.get("a/b") == nil, "the entry is still there")
            let rest: [StorageKey] = ["a", "a/c", "ab"]
            try requireContents(try store.contents(), rest.map { TestEntry($0, [1]) }, "scan")
        },
        Promise("deleteOfAMissingEntryIsSuccess") { harness in
            let store = try harness.makeEmpty()
            try store.delete("never/there")
            try store.put("a/b", [1])
            for key: StorageKey in ["a", "a/b/c", "a/c"] { try store.delete(key) }
            try require(try store.get("a/b") == [1], "another entry is gone")
        },
        Promise("deleteOfManyRemovesThemOnly") { harness in
            let store = try harness.makeEmpty()
            let keys = (0..<300).map { StorageKey(Array("m/\($0 / 50)/\($0)".utf8)) }
            for key in keys { try store.put(key, [1]) }
            try store.put("m/2", [2])
            try store.delete([])
            try store.delete(keys.dropFirst(7) + ["never/there", "m/3", "m"])
            let rest = keys.prefix(7).map { TestEntry($0, [1]) } + [TestEntry("m/2", [2])]
            try requireContents(try store.contents(), rest, "scan")
            try store.delete(Array(keys.prefix(7)))
            try requireEqual(try store.list("m/"), ["2"], "what is left")
        },
        Promise("deletedDirectoriesAreNotListed") { harness in
            let store = try harness.makeEmpty()
            try store.put("d/e/f", [1])
            try store.put("g", [1])
            try store.delete("d/e/f")
            try requireEqual(try store.list(""), ["g"], "root")
            try requireEqual(try store.list("d/"), [], "emptied directory")
            try store.put("d/e/f", [2])
            try require(try store.get("d/e/f") == [2], "the entry put again")
        },
        Promise("listShowsDirectChildrenOnly") { harness in
            let store = try harness.makeEmpty()
            for key: StorageKey in ["foo", "foo/bar", "foo/baz/qux", "foo/baz/quux", "zip"] { try store.put(key, [1]) }
            try requireEqual(try store.list(""), ["foo", "foo/", "zip"], "root")
            try requireEqual(try store.list("foo/"), ["bar", "baz/"], "foo/")
            try requireEqual(try store.list("foo/baz/"), ["quux", "qux"], "foo/baz/")
        },
        Promise("listOfAMissingDirectoryIsEmpty") { harness in
            let store = try harness.makeEmpty()
            try requireEqual(try store.list(""), [], "root of an empty store")
            try store.put("a", [1])
            for prefix: StorageKey in ["a/", "b/", "a/b/c/"] {
                try requireEqual(try store.list(prefix), [], "\(prefix)")
            }
        },
        Promise("listAscends") { harness in
            let store = try harness.makeEmpty()
            let names: [StorageKey] = ["a", "a-b", "a.b", "a/", "a0", "b/", "~"]
            for name in names { try store.put(name.bytes.last == 0x2f ? StorageKey(name.bytes + [0x78]) : name, [1]) }
            try requireEqual(try store.list(""), names, "root")
        },
        Promise("entryAndDirectoryOfOneNameLiveSideBySide") { harness in
            let store = try harness.makeEmpty()
            try store.put("a", [1])
            try store.put("a/b", [2])
            try requireEqual(try store.list(""), ["a", "a/"], "root")
            try store.delete("a")
            try require(try store.get("a/b") == [2], "the directory went with the entry")
            try requireEqual(try store.list(""), ["a/"], "root after delete")
        },
        Promise("valuesOfAnyBytesAndSizeComeBack") { harness in
            let store = try harness.makeEmpty()
            var random = SeededRandom(1)
            var entries = [TestEntry("all", (0...255).map { UInt8($0) }), TestEntry("empty", [])]
            for size in [1, 2, 3, 4, 63, 64, 65, 1 << 14, 65_500, 1 << 16, 1 << 20] {
                let value = (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                let key = StorageKey("size/\(size)")
                guard key.bytes.withBytes({ store.rules.objection(to: $0, valueCount: size) }) == nil else {
                    try harness.requireDeclared(.noLargeValues, for: key)
                    try requireThrows(.limit, "put of \(size) bytes") { try store.put(key, value) }
                    continue
                }
                entries.append(TestEntry(key, value))
            }
            for entry in entries { try store.put(entry.key, entry.value) }
            for entry in entries {
                try require(try store.get(entry.key) == entry.value, "\(entry.key): another value than was put")
            }
            try requireContents(try store.contents(), entries, "scan")
        },
    ]
}
