import Glibc
import TestSupport
import Testing
import Workers

private struct Failure: Error, Equatable {
    let number: Int
}

/// Gives the processor away a number of times that differs from element to element.
private func dawdle(_ seed: Int) {
    var random = SeededRandom(seed)
    for _ in 0..<random.below(60) { sched_yield() }
}

@Suite struct OrderedStreamsTests {
    @Test(arguments: [(0, 1, 1), (1, 4, 0), (3, 1, 1), (40, 3, 2), (40, 8, 100), (200, 2, 6)])
    func elementsComeInTheOrderOfTheWorks(works: Int, threads: Int, ahead: Int) throws {
        let streams = try OrderedStreams<[Int]>(works: works, threads: threads, ahead: ahead) { work, give in
            for element in 0..<(work * 7 % 30) {
                dawdle(work * 100 + element)
                guard give([work, element]) else { return }
            }
        }
        defer { streams.stop() }
        for work in 0..<works {
            for element in 0..<(work * 7 % 30) { #expect(try streams.next() == [work, element]) }
        }
        #expect(try streams.next() == nil)
        #expect(try streams.next() == nil)
    }

    @Test func anErrorComesBehindTheElementsBeforeItAndEndsAll() throws {
        let streams = try OrderedStreams<Int>(works: 9, threads: 3, ahead: 20) { work, give in
            dawdle(work)
            _ = give(work)
            if work >= 4 { throw Failure(number: work) }
        }
        defer { streams.stop() }
        for work in 0...4 { #expect(try streams.next() == work) }
        #expect(throws: Failure(number: 4)) { try streams.next() }
        #expect(try streams.next() == nil)
    }

    @Test func worksAreDoneSideBySide() throws {
        let begun = Monitor(Set<Int>())
        let streams = try OrderedStreams<Int>(works: 3, threads: 3, ahead: 1) { work, give in
            begun.change { _ = $0.insert(work) }
            // Would wait for ever if the others began only once this one has ended.
            begun.wait { $0.count == 3 ? ((), wakes: nil) : nil }
            _ = give(work)
        }
        defer { streams.stop() }
        for work in 0..<3 { #expect(try streams.next() == work) }
        #expect(try streams.next() == nil)
    }

    @Test func fewElementsWaitToBeTaken() throws {
        let given = Monitor((now: 0, most: 0))
        let streams = try OrderedStreams<Int>(works: 30, threads: 4, ahead: 5) { work, give in
            for element in 0..<20 {
                given.change { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
                guard give(element) else { return }
            }
        }
        defer { streams.stop() }
        var count = 0
        while try streams.next() != nil {
            given.change { $0.now -= 1 }
            count += 1
            dawdle(count)
        }
        #expect(count == 600)
        // Five wait, two more of the work in turn, and each of four threads holds one more; one may be taken uncounted.
        #expect(given.read { $0.most } <= 12)
    }

    @Test func stopEndsWorksThatWaitForRoom() throws {
        let ended = Monitor(0)
        let streams = try OrderedStreams<Int>(works: 8, threads: 4, ahead: 1) { _, give in
            while give(1) {}
            ended.change { $0 += 1 }
        }
        #expect(try streams.next() == 1)
        streams.stop()
        #expect(ended.read { $0 } >= 1)
        #expect(try streams.next() == nil)
        streams.stop()
    }
}
