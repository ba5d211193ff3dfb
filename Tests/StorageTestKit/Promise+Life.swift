import Storage
import Synchronization
import Workers

/// A switch that closures share.
final class Flag: Sendable {
    private let state = Atomic<Bool>(false)

    var isSet: Bool { state.load(ordering: .acquiring) }

    func set() { state.store(true, ordering: .releasing) }
}

extension Promise {
    /// Opening, closing, several threads.
    static let life: [Promise] = [
        Promise("entriesSurviveReopening") { harness in
            guard harness.differences[.forgetsOnClose] == nil else { return }
            var store = try harness.makeEmpty()
            var entries = try sampleEntries(500, harness, store)
            store = try harness.reopen(store)
            try store.put("later", [1, 2, 3])
            entries.append(TestEntry("later", [1, 2, 3]))
            store = try harness.reopen(store)
            try requireContents(try store.contents(), entries, "scan")
            try store.delete("later")
            store = try harness.reopen(store)
            try require(try store.get("later") == nil, "the deleted entry is back")
        },
        Promise("everyCallAfterCloseThrows") { harness in
            let store = try harness.makeEmpty()
            try store.put("a", [1])
            store.close()
            store.close()
            try requireThrows(nil, "get") { _ = try store.get("a") }
            try requireThrows(nil, "put") { try store.put("a", [2]) }
            try requireThrows(nil, "delete") { try store.delete("a") }
            try requireThrows(nil, "list") { _ = try store.list("") }
            try requireThrows(nil, "partitions(1)") { _ = try store.partitions(1) }
            try requireThrows(nil, "partitions(4)") { _ = try store.partitions(4) }
            try requireThrows(nil, "scan") { try store.scan(ScanRequest()) { _ in true } }
            try requireThrows(nil, "bulkLoader") { _ = try store.bulkLoader(LoadPlan()) }
        },
        Promise("identityTellsStoresApart") { harness in
            let one = try harness.makeEmpty()
            let other = try harness.makeEmpty()
            try require(one.identity != other.identity, "two stores share an identity")
            try requireEqual(one.identity, one.identity, "identity asked twice")
            let before = one.identity
            try one.put("a", [1])
            try requireEqual(one.identity, before, "identity after a write")
            guard harness.differences[.forgetsOnClose] == nil else { return }
            try requireEqual(try harness.reopen(one).identity, before, "identity after reopening")
        },
        Promise("anEmptyStoreIsFitAsADestination") { harness in
            let store = try harness.makeEmpty()
            for finding in try store.destinationFindings() where finding.kind != .remark {
                throw PromiseFailure(finding.message)
            }
            try requireContents(try store.contents(), [], "scan after the look")
        },
        Promise("threadsReadAndWriteSideBySide") { harness in
            let store = try harness.makeEmpty()
            let shared = (0..<500).map { TestEntry(StorageKey("shared/\($0 % 9)/\($0)"), [UInt8($0 & 255)]) }
            try store.fill(shared.sorted { $0.key < $1.key })
            try withWorkers(4) { thread in
                let folder = "own/\(thread)"
                for round in 0..<12 {
                    let key = StorageKey("\(folder)/\(round)")
                    try store.put(key, [UInt8(thread), UInt8(round)])
                    try require(try store.get(key) == [UInt8(thread), UInt8(round)], "\(key): another value")
                    if round % 2 == 0 { try store.delete(key) }
                    let other = shared[(round * 37 + thread) % shared.count]
                    try require(try store.get(other.key) == other.value, "\(other.key): another value")
                    var request = ScanRequest(readers: 2)
                    request.partition = StoragePartition(from: "shared/", to: "shared0")
                    var found: [TestEntry] = []
                    try store.scan(request) { batch in
                        found.append(contentsOf: batch.testEntries)
                        return true
                    }
                    try requireContents(store.ordered(found), shared, "scan beside writers")
                    try requireEqual(try store.list("shared/").count, 9, "list beside writers")
                    try require(try store.list("").contains("shared/"), "list of the root beside writers")
                }
            }
            let own = (0..<4).flatMap { thread in
                stride(from: 1, to: 12, by: 2).map {
                    TestEntry(StorageKey("own/\(thread)/\($0)"), [UInt8(thread), UInt8($0)])
                }
            }
            try requireContents(try store.contents(), shared + own, "scan afterwards")
        },
        Promise("threadsListAWideRootSideBySide") { harness in
            let store = try harness.makeEmpty()
            let tail = String(repeating: "w", count: 100)
            try store.fill((0..<4000).map { TestEntry(StorageKey("\(10_000 + $0)\(tail)"), [1]) })
            try withWorkers(4) { _ in
                for _ in 0..<4 {
                    try requireEqual(try store.list("").count, 4000, "names in the root")
                    try requireEqual(try store.contents(ScanRequest(content: .keys)).count, 4000, "keys scanned")
                }
            }
        },
        Promise("partitionsCanBeScannedSideBySide") { harness in
            let store = try harness.makeEmpty()
            let entries = try sampleEntries(4000, harness, store)
            let found = Mutex<[TestEntry]>([])
            let partitions = try store.partitions(6)
            for _ in 0..<3 {
                found.withLock { $0 = [] }
                try withWorkers(partitions.count) { index in
                    var request = ScanRequest(readers: 2)
                    request.partition = partitions[index]
                    try store.scan(request) { batch in
                        let copy = batch.testEntries
                        found.withLock { $0.append(contentsOf: copy) }
                        return true
                    }
                }
                try requireContents(found.withLock { $0.sorted { $0.key < $1.key } }, entries, "all partitions")
            }
        },
    ]
}
