import Bolt
import Digest
import RaftFormat
import Storage

extension TailApplier {
    /// Whether everything that a transaction has read is still so: else nothing of it takes effect.
    ///
    /// A server looks first whether anything was written since the transaction began, and only then at the digests. For
    /// entries both give the same. For listings they do not, since a transaction notes more names than a listing has
    /// where one folder holds several entries: so listings are judged as a server judges them.
    ///
    /// - Parameter start: What the leader had applied when it began.
    func verify(_ command: UnsafeRawBufferPointer, at index: UInt64, _ start: UInt64?) throws -> Bool {
        guard let start else { throw refusal(index, "its transaction does not say when it began") }
        var holds = true
        let hasher = try SHA384Hasher()
        try ServerCommand.read(command) { operation in
            guard holds else { return }
            switch operation {
            case .verifyRead(let key, let expected): holds = try verifyRead(key, expected, hasher)
            case .verifyList(let question, let expected):
                holds = try verifyList(question, expected, at: index, start, hasher)
            default: break
            }
        }
        return holds
    }

    /// The digest that a verification must have: one byte for the algorithm, then SHA-384 of the name in braces and the
    /// content.
    private static func isDigest(
        _ expected: UnsafeRawBufferPointer, of name: UnsafeRawBufferPointer, _ hasher: SHA384Hasher,
        _ addContent: () throws -> Void
    ) throws -> Bool {
        guard expected.first == 1 else { return false }
        try [UInt8(ascii: "{")].withUnsafeBytes { try hasher.update($0) }
        try hasher.update(name)
        try [UInt8(ascii: "}")].withUnsafeBytes { try hasher.update($0) }
        try addContent()
        return try hasher.finish().elementsEqual(expected.dropFirst())
    }

    /// An entry that is not there is an empty one here.
    private func verifyRead(
        _ key: UnsafeRawBufferPointer, _ expected: UnsafeRawBufferPointer, _ hasher: SHA384Hasher
    ) throws -> Bool {
        try Self.isDigest(expected, of: key, hasher) {
            if let change = changes.find(key) {
                guard change.place != .deleted else { return }
                try values.withValue(at: change.place) { try hasher.update($0) }
            } else {
                _ = try data.withValue(forKey: key) { try hasher.update($0) }
            }
        }
    }

    private func verifyList(
        _ question: UnsafeRawBufferPointer, _ expected: UnsafeRawBufferPointer, at index: UInt64, _ start: UInt64,
        _ hasher: SHA384Hasher
    ) throws -> Bool {
        guard let listing = TransactionJSON.listing(question), !expected.isEmpty else {
            throw refusal(index, "its transaction names a listing that is none")
        }
        let earlier = try wereWritten(under: listing.prefix, behind: start)
        if earlier == .no { return true }
        guard let names = try list(listing) else {
            throw refusal(index, "its transaction has listed names in a way that cannot be told apart")
        }
        let isSame = try Self.isDigest(expected, of: question, hasher) {
            for (place, name) in names.enumerated() {
                if place > 0 { try [UInt8(ascii: "\n")].withUnsafeBytes { try hasher.update($0) } }
                try name.withUnsafeBytes { try hasher.update($0) }
            }
        }
        guard !isSame, earlier == .perhaps else { return isSame }
        throw refusal(
            index,
            "whether its transaction counts depends on what was written between entries \(start) and "
                + "\(position.index), and the "
                + "log does not tell any more")
    }

    private enum Written {
        case no
        case yes
        /// It cannot be told.
        case perhaps
    }

    /// Whether anything below a prefix was written behind an entry.
    private func wereWritten(under prefix: [UInt8], behind start: UInt64) throws -> Written {
        let isEverything = prefix.isEmpty || prefix == [UInt8(ascii: "/")]
        let slash = UInt8(ascii: "/")
        let folder = isEverything ? [] : prefix.last == slash ? prefix : prefix + [slash]
        // The pieces of large writes are no writes of theirs.
        let isChunk = { (key: [UInt8]) in key.starts(with: StateMachineNames.chunkPrefix) }
        if changes.under(folder).contains(where: { $0.index > start && !isChunk($0.key) }) { return .yes }
        guard start < position.index else { return .no }
        guard log.firstIndex <= start + 1 else { return .perhaps }
        var written = Written.no
        var next = start + 1
        try log.visit(from: next) { found in
            guard case .success(let entry) = found, entry.index <= position.index, entry.index == next, written != .yes
            else { return false }
            next += 1
            switch try entry.role() {
            case .chunk: written = .perhaps
            case .command:
                var isTransaction = false
                try ServerCommand.read(entry.data) { operation in
                    switch operation {
                    case .begin: isTransaction = true
                    case .put(let key, _), .delete(let key):
                        guard key.starts(with: folder), written != .yes else { return }
                        // Whether a transaction took effect is not known any more.
                        written = isTransaction ? .perhaps : .yes
                    default: break
                    }
                }
            default: break
            }
            return true
        }
        return written == .no && next <= position.index ? .perhaps : written
    }

    /// The names that a server's listing has; `nil` for a question whose answer depends on how paths are cleaned.
    private func list(_ listing: TransactionJSON.Listing) throws -> [[UInt8]]? {
        let slash = UInt8(ascii: "/")
        if !listing.after.isEmpty {
            // A server begins to read at the joined path, which loses what cleaning takes away.
            var joined = listing.prefix + listing.after
            if joined.last == slash { joined.removeLast() }
            guard joined.withUnsafeBytes({ StorageKey.isCleaned($0) }) else { return nil }
        }
        var names: [[UInt8]] = []
        try visitKeys(under: listing.prefix) { key in
            if listing.limit > 0, names.count >= listing.limit { return false }
            let rest = Array(key.dropFirst(listing.prefix.count))
            let name = rest.firstIndex(of: slash).map { Array(rest[...$0]) } ?? rest
            if name.last == slash, names.last == name { return true }
            if !listing.after.isEmpty, !listing.after.lexicographicallyPrecedes(name) { return true }
            names.append(name)
            return true
        }
        return names
    }
}
