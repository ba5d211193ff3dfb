/// Finds the entries in the bytes of `state.bin`, which come piece by piece (``EntryFrame``).
package struct SnapshotFrames {
    /// Bytes that a frame may have, as servers read them.
    package static let mostBytes = Int(Int32.max)
    private static let grownBytes = 4 << 20

    /// The beginning of a frame of which more is to come.
    private var held: [UInt8] = []
    /// Entries so far.
    package private(set) var count = 0

    package init() {}

    /// Takes the next bytes.
    ///
    /// - Parameter body: Is given every entry, borrowed for the call; `false` ends the reading.
    /// - Returns: `false` once `body` wants no more.
    /// - Throws: ``SnapshotDefect`` for a frame that is none, and what `body` throws.
    package mutating func take(
        _ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> Bool
    ) throws -> Bool {
        var rest = bytes
        while !held.isEmpty, !rest.isEmpty {
            // As much as the frame at hand needs, of which the length itself may not be whole yet.
            let wanted = try missing()
            let piece = min(max(wanted, 1), rest.count)
            held.append(contentsOf: rest[..<piece])
            rest = UnsafeRawBufferPointer(rebasing: rest[piece...])
            guard wanted > 0, try missing() == 0 else { continue }
            let frame = held
            held.removeAll(keepingCapacity: frame.count <= Self.grownBytes)
            guard try frame.withUnsafeBytes({ frame in try deliver(frame, body) != nil }) else { return false }
        }
        while !rest.isEmpty {
            guard let used = try next(rest) else { break }
            guard try deliver(UnsafeRawBufferPointer(rebasing: rest[..<used]), body) != nil else { return false }
            rest = UnsafeRawBufferPointer(rebasing: rest[used...])
        }
        held.append(contentsOf: rest)
        return true
    }

    /// Makes sure that no frame is begun: a stream that is cut behind a length looks like its end otherwise.
    package func finish() throws(SnapshotDefect) {
        guard held.isEmpty else {
            throw SnapshotDefect(
                .damaged, "state.bin ends within entry \(count + 1). \(TarStream.advice)")
        }
    }

    /// Bytes of the frame that begins here; `nil` if they are not all here.
    private func next(_ bytes: UnsafeRawBufferPointer) throws -> Int? {
        guard let (length, start) = try length(bytes) else { return nil }
        return length <= bytes.count - start ? start + length : nil
    }

    /// Bytes that the held frame lacks; 1 while its length is not known, 0 once it is whole.
    private func missing() throws -> Int {
        try held.withUnsafeBytes { bytes in
            guard let (length, start) = try length(bytes) else { return 1 }
            return max(start + length - bytes.count, 0)
        }
    }

    private func length(_ bytes: UnsafeRawBufferPointer) throws -> (length: Int, start: Int)? {
        var fields = RawFields(bytes)
        let number: UInt64?
        do throws(RaftFormatError) {
            number = try fields.readVarint(orEnd: true)
        } catch {
            throw damaged("its length is no number")
        }
        guard let number else { return nil }
        guard let length = Int(exactly: number), length <= Self.mostBytes else {
            throw damaged("it claims \(number) bytes, more than any can have")
        }
        return (length, fields.offset)
    }

    private mutating func deliver(
        _ frame: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> Bool
    ) throws -> Void? {
        let content: EntryFrame.Content
        do throws(RaftFormatError) {
            guard let found = try EntryFrame.next(in: frame, most: Self.mostBytes), found.count == frame.count else {
                throw RaftFormatError("it is not whole")
            }
            content = found.0
        } catch {
            throw damaged("\(error)")
        }
        guard case .entry(let key, let value) = content, !key.isEmpty else {
            throw damaged("it has no key, at which a server gives up the restore")
        }
        count += 1
        return try body(key, value) ? () : nil
    }

    private func damaged(_ what: String) -> SnapshotDefect {
        SnapshotDefect(.damaged, "entry \(count + 1) of state.bin is damaged: \(what). \(TarStream.advice)")
    }
}
