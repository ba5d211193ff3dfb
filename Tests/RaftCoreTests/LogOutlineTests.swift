import TestSupport
import Testing

@testable import RaftCore

@Suite struct LogOutlineTests {
    /// Random appends, truncations and compactions against a plain array.
    @Test(arguments: 0..<20)
    func answersAsAPlainLog(seed: Int) {
        var random = SeededRandom(fuzz: seed)
        var outline = LogOutline()
        /// The entry at index i + 1, and the base.
        var plain: [EntryHead] = []
        var base = 0
        var term: UInt64 = 1
        func membership(_ index: Int) -> Membership {
            for head in plain[..<index].reversed() {
                if case .membership(let membership) = head.kind { return membership }
            }
            return Membership()
        }
        for _ in 0..<400 {
            switch random.below(10) {
            case 0 where plain.count > base:
                let from = base + 1 + random.below(plain.count - base)
                outline.truncate(from: UInt64(from))
                plain.removeLast(plain.count - from + 1)
            case 1 where plain.count > base:
                base += 1 + random.below(plain.count - base)
                outline.compact(to: UInt64(base))
            case 2: term += 1
            case 3:
                let kind = EntryHead.Kind.membership(Membership([.init(NodeID([UInt8(random.below(9))]))]))
                plain.append(EntryHead(index: UInt64(plain.count + 1), term: term, kind: kind))
                outline.append(plain[plain.count - 1])
            default:
                plain.append(EntryHead(index: UInt64(plain.count + 1), term: term, kind: .command))
                outline.append(plain[plain.count - 1])
            }
            #expect(outline.lastIndex == UInt64(plain.count) && outline.base.index == UInt64(base))
            #expect(outline.base.term == (base == 0 ? 0 : plain[base - 1].term))
            #expect(outline.membership == membership(plain.count))
            for index in 0...(plain.count + 1) {
                let wanted: UInt64? =
                    index < base || index > plain.count ? nil : index == 0 ? 0 : plain[index - 1].term
                #expect(outline.term(at: UInt64(index)) == wanted, "index \(index)")
                if index >= base, index <= plain.count {
                    #expect(outline.membership(at: UInt64(index)) == membership(index))
                }
            }
        }
        // What is out of its bounds is left alone.
        let before = outline
        outline.truncate(from: outline.base.index)
        outline.truncate(from: outline.lastIndex + 1)
        outline.compact(to: outline.lastIndex + 1)
        #expect(outline == before)
    }

    @Test func membershipsChangeByOneServer() {
        let three = Membership([.init("a", address: [1]), .init("b"), .init("c")])
        #expect(three.voters == ["a", "b", "c"] && three.majority == 2)
        #expect(three.applying(.remove("b"))?.voters == ["a", "c"])
        #expect(three.applying(.demote("a"))?.voters == ["b", "c"])
        #expect(three.applying(.demote("x")) == nil && three.applying(.remove("x")) == nil)
        #expect(three.applying(.addVoter("a", address: [1])) == nil)
        #expect(three.applying(.addNonVoter("a", address: [2]))?.member("a")?.suffrage == .voter)
        let joined = three.applying(.addNonVoter("d", address: [4]))
        #expect(joined?.voters == three.voters && joined?.member("d")?.address == [4])
        #expect(joined?.applying(.addVoter("d", address: [4]))?.majority == 3)
        // The last voter stays.
        #expect(Membership([.init("a")]).applying(.remove("a")) == nil)
        #expect(Membership([.init("a")]).applying(.demote("a")) == nil)
    }
}
