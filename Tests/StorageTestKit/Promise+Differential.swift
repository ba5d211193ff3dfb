import InMemoryBackend
import Storage
import TestSupport

extension Promise {
    /// The same operations on the in-memory store and on this one.
    static let differential: [Promise] = (1...4).map { seed in
        Promise("answersAsTheReferenceDoesSeed\(seed)") { harness in
            let operations = Operation.list(seed: UInt64(seed), count: 150)
            guard let failing = try firstDifference(operations, harness) else { return }
            let shortest = try shortened(Array(operations[...failing]), harness)
            let list = shortest.map { "  \($0)" }.joined(separator: "\n")
            throw PromiseFailure("answers differ, seed \(seed), operations:\n\(list)")
        }
    }

    /// Index of the first operation that both stores answer differently.
    private static func firstDifference(_ operations: [Operation], _ harness: any StorageHarness) throws -> Int? {
        let reference = InMemoryBackend()
        let store = try harness.makeEmpty()
        defer { store.close() }
        for (index, operation) in operations.enumerated() {
            guard operation.isPossible(in: store.rules) else { continue }
            if try operation.answer(of: reference, as: harness) != operation.answer(of: store, as: harness) {
                return index
            }
        }
        return nil
    }

    /// Leaves out every operation without which the last one still differs.
    private static func shortened(_ operations: [Operation], _ harness: any StorageHarness) throws -> [Operation] {
        var list = operations
        for index in operations.indices.reversed().dropFirst() {
            var shorter = list
            shorter.remove(at: index)
            if try firstDifference(shorter, harness) == shorter.count - 1 { list = shorter }
        }
        return list
    }
}

/// One step of a differential test.
private enum Operation {
    case get(StorageKey)
    case put(StorageKey, size: Int)
    case delete(StorageKey)
    case list(StorageKey)
    case scan(StoragePartition)
    case load([StorageKey], size: Int)

    static func list(seed: UInt64, count: Int) -> [Operation] {
        var random = SeededRandom(seed)
        return (0..<count).map { _ in
            switch Int.random(in: 0..<20, using: &random) {
            case 0..<4: .get(key(&random))
            case 4..<10: .put(key(&random), size: Int.random(in: 0...300, using: &random))
            case 10..<14: .delete(key(&random))
            case 14..<17: .list(prefix(&random))
            case 17..<19:
                .scan(StoragePartition(from: Bool.random(using: &random) ? key(&random) : nil, to: key(&random)))
            default:
                .load(Set((0..<8).map { _ in key(&random) }).sorted(), size: Int.random(in: 0...300, using: &random))
            }
        }
    }

    private static func key(_ random: inout SeededRandom) -> StorageKey {
        StorageKey(prefix(&random).bytes + segment(&random))
    }

    private static func prefix(_ random: inout SeededRandom) -> StorageKey {
        let depth = Int.random(in: 0...2, using: &random)
        return StorageKey((0..<depth).flatMap { _ in segment(&random) + [UInt8(ascii: "/")] })
    }

    private static func segment(_ random: inout SeededRandom) -> [UInt8] {
        let names: [[UInt8]] = ["a", "b", "a.b", "a-b", "_a", "é", "B"].map { Array($0.utf8) } + [[0xff]]
        return names[Int.random(in: 0..<names.count, using: &random)]
    }

    private var keys: [StorageKey] {
        switch self {
        case .get(let key), .put(let key, _), .delete(let key): [key]
        case .load(let keys, _): keys
        case .list(let prefix): [StorageKey(prefix.bytes + [UInt8(ascii: "k")])]
        case .scan: []
        }
    }

    /// Whether no key meets a limit or has a rival.
    func isPossible(in rules: EntryRules) -> Bool {
        keys.allSatisfy { key in
            key.bytes.withUnsafeBytes {
                rules.objection(to: $0, valueCount: 300) == nil && rules.rivals(of: $0).isEmpty
            }
        }
    }

    /// What a store answers, errors included.
    func answer(of store: any FullStore, as harness: any StorageHarness) throws -> [TestEntry] {
        switch self {
        case .get(let key): return try store.get(key).map { [TestEntry(key, $0)] } ?? []
        case .put(let key, let size): try store.put(key, Self.value(key, size))
        case .delete(let key): try store.delete(key)
        case .list(let prefix): return harness.listed(try store.list(prefix)).map { TestEntry($0, []) }
        case .scan(let partition):
            var request = ScanRequest()
            request.partition = partition
            var found: [TestEntry] = []
            try store.scan(request) { batch in
                found.append(contentsOf: batch.testEntries)
                return true
            }
            return store.ordered(found)
        case .load(let keys, let size):
            let entries = keys.map { TestEntry($0, Self.value($0, size)) }
            try store.fill(entries, plan: LoadPlan(replacesEntries: true), perBatch: 3)
        }
        return []
    }

    private static func value(_ key: StorageKey, _ size: Int) -> [UInt8] {
        (0..<size).map { key.bytes[$0 % key.bytes.count] &+ UInt8(truncatingIfNeeded: $0) }
    }
}
