import Storage

/// A batch in a journal: sorted entries, each behind the other, every one with a check of its bytes.
///
/// | Part | Fields, little-endian |
/// | --- | --- |
/// | header, 32 bytes | check of the rest u64, entries u64, bytes of their keys and values u64, generation u32, kind u32 (0 entries, 1 tombstones) |
/// | entry | check of the rest u64, key size u32, value size u32, stamp, key, value (none where values are not kept) |
///
/// The checks are seeded with the record's number and the entry's place in it, so that nothing can stand in for
/// something else.
enum JournalRecord {
    static let headerBytes = 32
    static let entryHeaderBytes = 16

    /// Where a record stands.
    struct Place {
        /// In the journal's file.
        let bytes: Range<Int>
        /// Its number, which its checks are seeded with.
        let number: Int
        let entries: Int
        /// Bytes of keys and values.
        let entryBytes: Int
        let age: Age
    }

    /// What decides between entries of one key.
    struct Age: Hashable {
        /// Later ones are newer.
        let generation: Int
        /// Whether the record names keys that are not there any more.
        var isTombstone = false

        /// Whether an entry of this age stands before one of another age and of the same key: newer ones come first, in
        /// one generation entries before tombstones.
        func isBefore(_ other: Age) -> Bool {
            generation == other.generation ? !isTombstone && other.isTombstone : generation > other.generation
        }
    }

    /// Bytes of the record that a batch makes.
    ///
    /// - Throws: `StorageError` with code `.limit` if something in it is beyond 4 GiB.
    static func byteCount(of batch: EntryBatch) throws(StorageError) -> Int {
        var count = headerBytes
        for index in 0..<batch.count {
            guard UInt32(exactly: batch.valueCount(index)) != nil, UInt32(exactly: batch.key(index).count) != nil else {
                throw StorageError(
                    .limit, "an entry of 4 GiB or more cannot be put into the journal.",
                    key: StorageKey(copying: batch.key(index)))
            }
            count += entryHeaderBytes + batch.heldBytes(index).count
        }
        // LMDB keeps the size of a value in 32 bits.
        guard UInt32(exactly: count) != nil else {
            throw StorageError(
                .limit, "a batch of 4 GiB or more cannot be put into the journal.",
                key: batch.count > 0 ? StorageKey(copying: batch.key(0)) : nil)
        }
        return count
    }

    /// Writes a batch as a record of exactly the room's size.
    static func write(_ batch: EntryBatch, _ age: Age, number: Int, into room: UnsafeMutableRawBufferPointer) {
        guard let base = room.baseAddress else { return }
        store(UInt64(batch.count), at: base + 8)
        store(UInt64(batch.byteCount), at: base + 16)
        store(UInt32(truncatingIfNeeded: age.generation), at: base + 24)
        store(UInt32(age.isTombstone ? 1 : 0), at: base + 28)
        store(headerCheck(UnsafeRawPointer(base), number: number, recordBytes: room.count), at: base)
        var place = base + headerBytes
        for index in 0..<batch.count {
            let bytes = batch.heldBytes(index)
            store(UInt32(batch.key(index).count), at: place + 8)
            store(UInt32(batch.valueCount(index)), at: place + 12)
            let seed = entrySeed(UnsafeRawPointer(place), number: number, index: index)
            store(DamageCheck.of(bytes, seed: seed), at: place)
            place += entryHeaderBytes
            if let held = bytes.baseAddress { place.copyMemory(from: held, byteCount: bytes.count) }
            place += bytes.count
        }
        precondition(place == base + room.count, "a record of another size than was announced")
    }

    /// The check that belongs at the beginning of a header.
    private static func headerCheck(_ header: UnsafeRawPointer, number: Int, recordBytes: Int) -> UInt64 {
        let seed = UInt64(truncatingIfNeeded: number) << 32 ^ UInt64(truncatingIfNeeded: recordBytes)
        return DamageCheck.of(UnsafeRawBufferPointer(start: header + 8, count: headerBytes - 8), seed: seed)
    }

    /// Reads a record's header, which has its full size; `nil` if it is damaged.
    static func place(header: UnsafeRawBufferPointer, bytes: Range<Int>, number: Int) -> Place? {
        guard let base = header.baseAddress, header.count == headerBytes,
            load(base, as: UInt64.self) == headerCheck(base, number: number, recordBytes: bytes.count),
            let entries = Int(exactly: load(base + 8, as: UInt64.self)),
            let entryBytes = Int(exactly: load(base + 16, as: UInt64.self)), entries >= 0, entryBytes >= 0,
            entries <= bytes.count / entryHeaderBytes
        else { return nil }
        let kind = load(base + 28, as: UInt32.self)
        guard kind <= 1 else { return nil }
        let age = Age(generation: Int(load(base + 24, as: UInt32.self)), isTombstone: kind == 1)
        return Place(bytes: bytes, number: number, entries: entries, entryBytes: entryBytes, age: age)
    }

    /// What an entry's check is seeded with: its place and, read from its header, its sizes.
    static func entrySeed(_ entry: UnsafeRawPointer, number: Int, index: Int) -> UInt64 {
        let sizes = load(entry + 8, as: UInt64.self)
        return (sizes ^ UInt64(truncatingIfNeeded: number) &* 0xd6e8_feb8_6659_fd93)
            &+ UInt64(truncatingIfNeeded: index) &* 0xa076_1d64_78bd_642f
    }

    static func load<Number: FixedWidthInteger>(_ place: UnsafeRawPointer, as type: Number.Type) -> Number {
        Number(littleEndian: place.loadUnaligned(as: Number.self))
    }

    private static func store(_ number: some FixedWidthInteger, at place: UnsafeMutableRawPointer) {
        place.storeBytes(of: number.littleEndian, as: type(of: number))
    }
}
