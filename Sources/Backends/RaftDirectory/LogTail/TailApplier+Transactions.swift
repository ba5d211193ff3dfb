import Bolt
import Digest
import RaftFormat
import Storage

extension TailApplier {
    /// Whether everything that a transaction has read is still so: else nothing of it takes effect.
    ///
    /// A server looks first whether anything was written since the transaction began, and only then at the digests
    /// (`transaction.go`, `canFastWriteBypassRead`, `canFastWriteBypassList`). Both would give the same but for two
    /// reasons: a transaction notes more names than a listing has where one folder holds several entries; and the data
    /// may hold later writes already (``LeadWindow``), its own among them, that the transaction had not seen.
    ///
    /// - Parameter start: What the leader had applied when it began.
    func verify(_ command: UnsafeRawBufferPointer, at index: UInt64, _ start: UInt64?) throws -> Bool {
        guard let start else { throw refusal(index, "its transaction does not say when it began") }
        var holds = true
        let hasher = try SHA384Hasher()
        try ServerCommand.read(command) { operation in
            guard holds else { return }
            switch operation {
            case .verifyRead(let key, let expected):
                holds = try verifyRead(key, expected, at: index, start, hasher)
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
        _ key: UnsafeRawBufferPointer, _ expected: UnsafeRawBufferPointer, at index: UInt64, _ start: UInt64,
        _ hasher: SHA384Hasher
    ) throws -> Bool {
        func isExpected(_ place: ValuePlace) throws -> Bool {
            try Self.isDigest(expected, of: key, hasher) {
                if place != .deleted { try values.withValue(at: place) { try hasher.update($0) } }
            }
        }
        if let change = changes.find(key) { return try change.index <= start || isExpected(change.place) }
        switch try lastWrite(of: key, behind: start) {
        case .none: return true
        case .known(let place): return try isExpected(place)
        case .unknown:
            // Whether it was written or not: it is what the transaction had read.
            let isSame = try Self.isDigest(expected, of: key, hasher) {
                _ = try data.withValue(forKey: key) { try hasher.update($0) }
            }
            guard !isSame else { return true }
            throw undecided(index, start)
        }
    }

    private func undecided(_ index: UInt64, _ start: UInt64) -> RaftFormatError {
        let span = EntrySpan(start + 1, position.index)
        return refusal(
            index,
            "whether its transaction counts depends on what \(span) \(span.choose("has", "have")) written, and the log "
                + "does not tell any more")
    }

    private enum LastWrite {
        case none
        /// Where its value lies.
        case known(ValuePlace)
        /// It cannot be told.
        case unknown
    }

    /// The last write of a key that stands behind an entry and not behind the data's position.
    private func lastWrite(of key: UnsafeRawBufferPointer, behind start: UInt64) throws -> LastWrite {
        guard start < position.index else { return .none }
        var last = LastWrite.none
        let isWhole = try visitFront(behind: start) { write in
            guard write.key.elementsEqual(key) else { return }
            // Whether a transaction took effect is not known any more.
            last = write.isInTransaction ? .unknown : .known(write.place)
        }
        return isWhole ? last : .unknown
    }

    /// A write in the log in front of the data.
    private struct FrontWrite {
        let key: UnsafeRawBufferPointer
        let place: ValuePlace
        let isInTransaction: Bool
    }

    /// Visits the writes that stand behind an entry and not behind the data's position.
    ///
    /// - Returns: Whether all of them could be read.
    private func visitFront(behind start: UInt64, _ body: (FrontWrite) throws -> Void) throws -> Bool {
        guard start < position.index else { return true }
        guard log.firstIndex > 0, log.firstIndex <= start + 1 else { return false }
        var next = start + 1
        var isWhole = true
        try log.visit(from: next) { found in
            guard case .success(let entry) = found, entry.index <= position.index, entry.index == next else {
                return false
            }
            next += 1
            switch try entry.role() {
            case .chunk: isWhole = false
            case .command: try visitWrites(entry.data, entry.index, body)
            default: break
            }
            return next <= position.index
        }
        return isWhole && next > position.index
    }

    private func visitWrites(
        _ command: UnsafeRawBufferPointer, _ index: UInt64, _ body: (FrontWrite) throws -> Void
    ) throws {
        var isInTransaction = false
        try ServerCommand.read(command) { operation in
            switch operation {
            case .begin: isInTransaction = true
            case .put(let key, let value):
                let place = ValuePlace.entry(index, offset: value.offset(in: command), count: value.count)
                try body(FrontWrite(key: key, place: place, isInTransaction: isInTransaction))
            case .delete(let key):
                try body(FrontWrite(key: key, place: .deleted, isInTransaction: isInTransaction))
            default: break
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
        guard !isSame else { return true }
        guard earlier == .yes else { throw undecided(index, start) }
        // What the data has of later writes the server had not yet when it looked.
        let ahead = try LeadWindow(log, behind: position).mayHold(writesUnder: listing.prefix, from: index, data) {
            changes.find($0) != nil
        }
        guard !ahead else {
            throw refusal(
                index,
                "whether its transaction counts depends on names that later entries write and vault.db may hold already"
            )
        }
        return false
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
        var written = Written.no
        let isWhole = try visitFront(behind: start) { write in
            guard write.key.starts(with: folder), written != .yes else { return }
            // Whether a transaction took effect is not known any more.
            written = write.isInTransaction ? .perhaps : .yes
        }
        return written == .no && !isWhole ? .perhaps : written
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
