import TestSupport
import Testing
import Workers

private struct Failure: Error, Equatable {
    let number: Int
}

@Suite struct WorkersTests {
    @Test(arguments: [1, 3, 100])
    func aQueueKeepsOrderAndIsDrainedAfterClosing(capacity: Int) throws {
        let queue = BoundedQueue<Int>(capacity: capacity)
        let producer = try WorkerThread {
            for element in 0..<1_000 { queue.push(element) }
            queue.close()
        }
        var taken: [Int] = []
        while let element = queue.pop() { taken.append(element) }
        producer.join()
        #expect(taken == Array(0..<1_000))
        #expect(!queue.push(1))
        #expect(queue.pop() == nil)
    }

    @Test func severalConsumersShareAQueueAndEachElementComesOnce() throws {
        let queue = BoundedQueue<Int>(capacity: 4)
        let taken = Monitor<[Int]>([])
        try withWorkers(6) { index in
            if index < 3 {
                for element in 0..<300 { queue.push(index * 300 + element) }
                if taken.change({
                    $0.append(-1); return $0.filter { $0 == -1 }.count
                }) == 3 {
                    queue.close()
                }
            } else {
                while let element = queue.pop() { taken.change { $0.append(element) } }
            }
        }
        #expect(taken.read { $0 }.sorted() == [-1, -1, -1] + Array(0..<900))
    }

    @Test func closingWakesAProducerThatWaitsForRoom() throws {
        let queue = BoundedQueue<Int>(capacity: 1)
        #expect(queue.push(1))
        let answer = Monitor<Bool?>(nil)
        let producer = try WorkerThread {
            let isTaken = queue.push(2)
            answer.change { $0 = isTaken }
        }
        queue.close()
        producer.join()
        #expect(answer.read { $0 } == false)
        #expect(queue.pop() == 1)
        #expect(queue.pop() == nil)
    }

    @Test func theFirstErrorOfTheWorkersIsThrownOnceAllHaveEnded() throws {
        let failed = Monitor<[Int]>([])
        let ended = Monitor(0)
        #expect(throws: Failure(number: 2)) {
            try withWorkers(5) { error in
                failed.change { $0.append((error as? Failure)?.number ?? -1) }
            } _: { index in
                defer { ended.change { $0 += 1 } }
                // The others throw or return only when the first error is known.
                if index != 2 { failed.wait { $0.isEmpty ? nil : ((), wakes: nil) } }
                if index != 1 { throw Failure(number: index) }
            }
        }
        #expect(failed.read { $0 } == [2])
        #expect(ended.read { $0 } == 5)
        try withWorkers(0) { _ in throw Failure(number: 0) }
    }

    @Test func cancellingCallsEveryWakerOnce() throws {
        let token = CancellationToken()
        let calls = Monitor<[Int]>([])
        #expect(!token.isCancelled)
        for number in 0..<5 { token.onCancel { calls.change { $0.append(number) } } }
        #expect(calls.read { $0 }.isEmpty)
        token.cancel()
        token.cancel()
        #expect(token.isCancelled)
        #expect(calls.read { $0 } == [0, 1, 2, 3, 4])
        token.onCancel { calls.change { $0.append(5) } }
        #expect(calls.read { $0 }.last == 5)
        // Wakers that come while another thread cancels are called once as well.
        for round in 0..<50 {
            let token = CancellationToken()
            let count = Monitor(0)
            try withWorkers(3) { index in
                if index == round % 3 { token.cancel() }
                for _ in 0..<10 { token.onCancel { count.change { $0 += 1 } } }
            }
            #expect(count.read { $0 } == 30)
        }
    }
}
