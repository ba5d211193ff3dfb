import Digest
import Storage
import Wording

/// Entries of the source that the destination cannot keep; all of them are counted and listed.
struct Offenders {
    /// Keys listed in a message; further ones are counted.
    private static let maximumListed = 1000

    private let rules: EntryRules
    private var lines: [String] = []
    private var count = 0

    init(rules: EntryRules) {
        self.rules = rules
    }

    var isEmpty: Bool { count == 0 }

    /// - Parameter namesKeys: Whether entries whose key alone cannot be kept are to be named; `false` where they were
    ///   named before.
    mutating func check(_ batch: EntryBatch, namesKeys: Bool = true) {
        for index in 0..<batch.count {
            let key = batch.key(index)
            if let objection = rules.objection(to: key, valueCount: batch.valueCount(index)),
                namesKeys || rules.objection(to: key, valueCount: 0) == nil
            {
                add(key, objection)
            }
        }
    }

    mutating func add(_ key: UnsafeRawBufferPointer, _ objection: String) {
        count += 1
        if lines.count < Self.maximumListed { lines.append("  \(escapedKey(key)): \(objection)") }
    }

    /// The obstacle they make; `nil` if there is none.
    func problem(_ destination: any StorageDestination) -> String? {
        guard count > 0 else { return nil }
        let more = count > lines.count ? "\n  … and \(count - lines.count) more" : ""
        return
            "\(count) \(plural(count, "entry", "entries")) cannot be kept by the destination "
            + "(\(destination.kind) \(destination.location)):\n"
            + lines.joined(separator: "\n") + more
            + "\nDelete or rename them through a server, or choose a destination that can keep them."
    }

    /// Ends the run if there is any at some destination, also writing the list into the state folder.
    ///
    /// - Parameter others: What else was found to keep the run from succeeding.
    static func refuse(
        _ found: some Sequence<(Offenders, any StorageDestination)>, and others: [String] = [],
        listIn state: StateFolder
    ) throws {
        let problems = others + found.compactMap { offenders, destination in offenders.problem(destination) }
        guard let first = problems.first else { return }
        let text = first + problems.dropFirst().map { "\nAlso: \($0)" }.joined()
        try state.write("obstacles.txt", Array("\(text)\n".utf8))
        throw MigrationFailure.migrating(text)
    }
}

/// Finds entries whose file would have the name of a folder that other entries need.
struct RivalCheck {
    private let source: any StorageSource
    private let rules: EntryRules
    private var lastFolder: [UInt8] = []

    init(source: any StorageSource, rules: EntryRules) {
        self.source = source
        self.rules = rules
    }

    mutating func check(_ key: UnsafeRawBufferPointer, _ offenders: inout Offenders) throws(StorageError) {
        guard rules.hasRivals, let slash = key.lastIndex(of: UInt8(ascii: "/")) else { return }
        // Keys come in order, so a folder's entries come together: look once per folder.
        guard !key[..<slash].elementsEqual(lastFolder) else { return }
        lastFolder = Array(key[..<slash])
        for rival in rules.rivals(of: key) where try source.get(rival) != nil {
            rival.bytes.withUnsafeBytes {
                offenders.add($0, "its file and the folder of \(escapedKey(key)) would have one name")
            }
        }
    }
}

/// The SHA-256 over manifest lines, without a manifest.
package struct KeyspaceDigest {
    private let hasher: SHA256Hasher

    package init() throws {
        hasher = try SHA256Hasher()
    }

    package mutating func add(_ lines: [UInt8]) throws {
        try lines.withUnsafeBytes { try hasher.update($0) }
    }

    /// Lower-case hexadecimal.
    package mutating func finish() throws -> String {
        try hasher.finish().hexadecimal
    }
}
