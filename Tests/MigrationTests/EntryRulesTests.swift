import Files
import Foundation
import Storage
import TestSupport
import Testing

/// What stores cannot keep, at the bounds of each rule.
@Suite struct EntryRulesTests {
    private func objection(_ rules: EntryRules, _ key: StorageKey, _ valueCount: Int = 0) -> String? {
        key.bytes.withUnsafeBytes { rules.objection(to: $0, valueCount: valueCount) }
    }

    /// Rules that say of sizes only, and the same beside one that looks at bytes.
    @Test(arguments: [[], [.zeroByte]] as [[EntryRule]])
    func sizesAreHeldToTheByte(_ more: [EntryRule]) {
        let rules = EntryRules([.emptyKey, .longerKey(than: 4), .largerValue(than: 9)] + more)
        #expect(objection(rules, "abcd", 9) == nil && objection(rules, "a", 0) == nil)
        #expect(objection(rules, "abcde") == "the key has 5 bytes, at most 4 can be kept")
        #expect(objection(rules, "abcd", 10) == "the value has 10 bytes, at most 9 can be kept")
        #expect(objection(rules, "abcde", 10)?.hasPrefix("the key") == true)
        #expect(objection(rules, "") == "the empty key cannot be kept")
        #expect((objection(rules, "a\u{0}") == nil) == more.isEmpty)
    }

    @Test func withoutARuleAnythingIsKept() {
        #expect(objection([], "", .max) == nil && objection([], "a\u{0}//..", .max) == nil)
        #expect(objection([.longerKey(than: 4)], "", .max) == nil)
        #expect(objection([.largerEntry(than: 6, lessAtRoot: 2)], "a/bc", 2) == nil)
        #expect(objection([.largerEntry(than: 6, lessAtRoot: 2)], "abcd", 1) != nil)
    }

    /// A folder that fails in the middle of its listing looks like one that ends there.
    @Test func aListingThatIsCutShortIsAnError() throws {
        try Scratch.withFolder { folder in
            for name in ["a", "b", "c"] { try Scratch.write([], to: "\(folder)/\(name)") }
            let whole = try #require(opendir(folder))
            #expect(try readNames(of: whole, path: folder).sorted() == ["a", "b", "c"])
            closedir(whole)
            let broken = try #require(opendir(folder))
            // A file under the folder's number cannot be listed.
            let file = open("\(folder)/a", O_RDONLY)
            #expect(dup2(file, dirfd(broken)) >= 0)
            close(file)
            let error = #expect(throws: StorageError.self) { try readNames(of: broken, path: folder) }
            #expect(error?.code == .io && error?.message.contains("read \(folder)") == true)
            closedir(broken)
        }
    }
}
