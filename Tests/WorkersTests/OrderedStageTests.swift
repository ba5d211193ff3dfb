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

@Suite struct OrderedStageTests {
    @Test(arguments: [(1, 1), (2, 0), (4, 4), (8, 20), (0, 0)])
    func resultsComeInTheOrderOfTheElements(workers: Int, window: Int) throws {
        let stage = try OrderedStage<Int, Int>(workers: workers, window: window) { element in
            dawdle(element)
            return element * 3
        }
        let feeder = try WorkerThread {
            for element in 0..<2_000 { guard stage.submit(element) else { return } }
            stage.finish()
        }
        for element in 0..<2_000 { #expect(try stage.next() == element * 3) }
        #expect(try stage.next() == nil)
        #expect(try stage.next() == nil)
        feeder.join()
        stage.join()
        stage.join()
    }

    @Test func errorsComeInTheirTurn() throws {
        let stage = try OrderedStage<Int, Int>(workers: 3, window: 12) { element in
            dawdle(element)
            if element % 4 == 3 { throw Failure(number: element) }
            return element
        }
        for element in 0..<12 { #expect(stage.submit(element)) }
        stage.finish()
        for element in 0..<12 {
            if element % 4 == 3 {
                #expect(throws: Failure(number: element)) { try stage.next() }
            } else {
                #expect(try stage.next() == element)
            }
        }
        #expect(try stage.next() == nil)
        stage.join()
    }

    @Test func atMostAWindowOfElementsIsUnderWay() throws {
        let peak = Monitor((now: 0, most: 0))
        let stage = try OrderedStage<Int, Int>(workers: 2, window: 5) { $0 }
        let feeder = try WorkerThread {
            for element in 0..<300 {
                guard stage.submit(element) else { return }
                peak.change { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
            }
            stage.finish()
        }
        var count = 0
        while true {
            // Counted down before the element is given back, so the count can only be too small by one.
            peak.change { $0.now -= 1 }
            guard try stage.next() != nil else { break }
            count += 1
            dawdle(count)
        }
        feeder.join()
        stage.join()
        #expect(count == 300)
        #expect(peak.read { $0.most } <= 5)
    }

    @Test func stopWakesAFeederThatWaitsForRoom() throws {
        let stage = try OrderedStage<Int, Int>(workers: 1, window: 2) { $0 }
        let accepted = Monitor(0)
        let feeder = try WorkerThread { while stage.submit(0) { accepted.change { $0 += 1 } } }
        // The window is full once two elements are in; the feeder then waits, or is about to.
        accepted.wait { $0 == 2 ? ((), wakes: nil) : nil }
        stage.stop()
        stage.stop()
        feeder.join()
        stage.join()
        #expect(accepted.read { $0 } == 2)
        #expect(!stage.submit(1))
    }

    @Test func stopWakesAConsumerThatWaitsForAResult() throws {
        let stage = try OrderedStage<Int, Int>(workers: 2, window: 4) { $0 }
        let taken = Monitor<[Int]>([])
        let consumer = try WorkerThread {
            while let element = try? stage.next() { taken.change { $0.append(element) } }
        }
        #expect(stage.submit(7))
        taken.wait { $0 == [7] ? ((), wakes: nil) : nil }
        stage.stop()
        consumer.join()
        stage.join()
        #expect(try stage.next() == nil)
    }
}
