package import Storage

extension Promise {
    /// Keys that a store may confuse, refuse or order wrongly.
    static let keys: [Promise] = [
        Promise("everyAwkwardKeyIsKeptOrDeclared") { harness in
            let store = try harness.makeEmpty()
            let keys = try harness.acceptable(AwkwardKeys.all, store.rules)
            let entries = keys.enumerated().map { TestEntry($1, [UInt8($0 & 255), UInt8($0 >> 8)]) }
            for entry in entries { try store.put(entry.key, entry.value) }
            try requireContents(try store.contents(), entries, "scan")
            for entry in entries {
                try require(try store.get(entry.key) == entry.value, "\(entry.key): another value than was put")
            }
            let again = try harness.makeEmpty()
            try again.fill(entries.sorted { $0.key < $1.key }, perBatch: 7)
            try requireContents(try again.contents(), entries, "scan after a bulk load")
        },
        Promise("rulesObjectToWhatPutRefuses") { harness in
            let store = try harness.makeEmpty()
            for key in AwkwardKeys.all {
                guard key.bytes.withUnsafeBytes({ store.rules.objection(to: $0, valueCount: 1) }) != nil else {
                    continue
                }
                try harness.requireDeclared(Difference(refusing: key), for: key)
                try requireThrows(.limit, "put of \(key)") { try store.put(key, [1]) }
                try requireThrows(.limit, "bulk load of \(key)") { try store.fill([TestEntry(key, [1])]) }
            }
            try requireContents(try store.contents(), [], "scan after nothing but refusals")
            guard let most = store.rules.largestValue, most <= 8 << 20 else { return }
            try store.put("most", Array(repeating: 1, count: most))
            try requireThrows(.limit, "put of one byte more") {
                try store.put("more", Array(repeating: 1, count: most + 1))
            }
        },
        Promise("everyDirectoryIsListedAsItsKeysSay") { harness in
            let store = try harness.makeEmpty()
            let keys = try harness.acceptable(AwkwardKeys.all, store.rules)
            try store.fill(keys.sorted().map { TestEntry($0, [1]) })
            var directories: [StorageKey: Set<StorageKey>] = [:]
            for key in keys {
                var start = 0
                for (index, byte) in key.bytes.enumerated() where byte == UInt8(ascii: "/") {
                    directories[StorageKey(Array(key.bytes[..<start])), default: []].insert(
                        StorageKey(Array(key.bytes[start...index])))
                    start = index + 1
                }
                let name = StorageKey(Array(key.bytes[start...]))
                // A key equal to a directory's prefix is nobody's child.
                if !name.bytes.isEmpty { directories[StorageKey(Array(key.bytes[..<start])), default: []].insert(name) }
            }
            for (prefix, names) in directories {
                try requireEqual(try store.list(prefix), harness.listed(names.sorted()), "list of \(prefix)")
            }
        },
    ]
}

/// Keys that stores are known to stumble over.
package enum AwkwardKeys {
    /// Every key; some stores declare that they keep only part of them.
    package static let all: [StorageKey] = {
        let texts = [
            "a", "a/b", "a-b", "a.b", "a0", "a/x", "_x", "a/_b/c", "é/ü", "with space/and more ", "%41", "100%/x",
            "a_b/c", "axb/d", "a\\b/c", "x", "x.temp", "~z", "A", "A/b", "case/Key", "case/key", "CASE/key",
            "caf\u{e9}", "cafe\u{301}", "nfc/\u{e9}/x", "nfc/e\u{301}/x", "'quote\"", "semi;colon", "new\nline",
            "tab\t",
            "-start", "+plus", "#hash", "?question", "*", "..", "a..b", "a/../b", ".", "./x", "a//b", "/lead", "trail/",
            "", "zero\0byte", ".hidden", "x/.temp", "\u{1f600}/\u{10ffff}", "core/migration2",
        ]
        let long = String(repeating: "l", count: 240)
        let longer = String(repeating: "m", count: 300)
        let deep = (0..<30).map { "d\($0)" }.joined(separator: "/")
        var keys = (texts + [long, "p/\(long)/q", longer, deep]).map { StorageKey($0) }
        keys += [[0xff, 0xfe], [0x80], [0x61, 0xc3], [0xed, 0xa0, 0x80]].map { StorageKey($0) }
        keys += (0...255).map { StorageKey(Array("byte/".utf8) + [UInt8($0)]) }
        keys += (0...255).map { StorageKey(Array("between/m".utf8) + [UInt8($0)] + Array("n".utf8)) }
        return keys
    }()
}
