package import Storage
import Synchronization

/// Entries of a store of which only the name is left: a crash took their content. All are counted and named.
package struct LostEntries: Sendable {
    /// Beyond this they are counted only.
    private static let maximumKept = 100_000
    /// Named in a message if a file names all of them.
    private static let maximumShown = 1000

    package private(set) var count = 0
    /// Each with its key and the place of what is left of it.
    package private(set) var lines: [String] = []

    package init() {}

    mutating func add(_ key: StorageKey, at place: String) {
        count += 1
        if lines.count < Self.maximumKept { lines.append(Self.line(key, at: place)) }
    }

    static func line(_ key: StorageKey, at place: String) -> String { "\(key)  (\(place))" }

    /// Where what is left of an entry is, if it is one of those; `nil` if the entry is there, or nothing of it is.
    package static func place(of key: StorageKey, in store: any StorageSource) throws(StorageError) -> String? {
        // What a service keeps is written whole or not at all.
        guard !store.isRemote else { return nil }
        let found = Mutex<String?>(nil)
        var request = ScanRequest(readers: 1)
        request.partition = StoragePartition(from: key, to: StorageKey(key.bytes + [0]))
        request.note = { note in
            if note.reason == .zeroLengthFile, note.key == key { found.withLock { $0 = note.place } }
        }
        try store.scan(request) { _ throws(StorageError) in false }
        return found.withLock { $0 }
    }

    /// What is said of them.
    ///
    /// - Parameters:
    ///   - store: As a message names it.
    ///   - list: A file that names all of them.
    ///   - advice: What to do besides restoring them.
    /// - Returns: `nil` if none is lost.
    package func problem(of store: String, listedIn list: String? = nil, advice: String) -> String? {
        guard count > 0 else { return nil }
        let shown = lines.sorted().prefix(list == nil ? Self.maximumKept : Self.maximumShown)
        var text =
            count == 1
            ? "1 entry of \(store) is lost: its file has zero length"
            : "\(count) entries of \(store) are lost: their files have zero length"
        text += ", as a crash can leave files. A server takes such an entry for one that never was:\n"
        text += shown.map { "  \($0)" }.joined(separator: "\n")
        if count > shown.count { text += "\n  … and \(count - shown.count) more" }
        if let list { text += "\nAll of them: \(list)" }
        return text + "\nRestore the files from a backup. \(advice)"
    }
}

extension MigrationOptions {
    /// The obstacle that lost entries of a source make; none if the user does without them.
    func lostProblem(
        _ lost: LostEntries, _ source: any StorageSource, listedIn list: String? = nil
    ) -> [String] {
        guard !allowsLostEntries else { return [] }
        let problem = lost.problem(
            of: "the source (\(source.kind) \(source.location))", listedIn: list,
            advice: "To migrate without these entries, add -allow-lost-entries.")
        return problem.map { [$0] } ?? []
    }
}

extension StateFolder {
    /// The file that names every lost entry.
    var lostPath: String { "\(path)/lost.txt" }
}
