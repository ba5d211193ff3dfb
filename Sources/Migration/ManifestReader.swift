import Glibc
import Storage

/// Reads a manifest file back, as a source of keys and digests.
package final class ManifestReader: DigestSource {
    private static let readBytes = 1 << 20
    /// An escaped key has at most four characters a byte.
    private static let maximumLineBytes = 4 * 65_536 + 128

    private let path: String
    private let advice: String
    private let descriptor: Int32
    private let pool = BatchPool()
    private var buffer: [UInt8] = []
    private var start = 0
    private var atEnd = false
    private var lineNumber = 0

    /// - Parameter advice: What to do with a file that is damaged.
    package init(path: String, advice: String = "Delete the file and run again.") throws {
        self.path = path
        self.advice = advice
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw StorageError.system("open", path, errno: errno) }
    }

    deinit {
        Glibc.close(descriptor)
    }

    package func stop() {}

    package func next() throws -> (any DigestPage)? {
        guard let page = try nextPage() else { return nil }
        return page.count > 0 ? page : nil
    }

    /// The next page, which may be empty; `nil` at the end of the file.
    ///
    /// - Parameters:
    ///   - remark: Told of every line that begins with `#`.
    ///   - line: Told of every other line with its line feed, and its key; `false` leaves it out.
    func nextPage(
        remark: (UnsafeRawBufferPointer) throws -> Void = { _ in },
        line isWanted: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> Bool = { _, _ in true }
    ) throws -> (any DigestPage)? {
        let page = ManifestPage(pool)
        var lines = 0
        while !page.entries.isFull, lines < Self.linesOfPage, let line = try nextLine() {
            lineNumber += 1
            lines += 1
            if !line.isEmpty, buffer[line.lowerBound] == UInt8(ascii: "#") {
                try buffer.withUnsafeBytes { try remark(UnsafeRawBufferPointer(rebasing: $0[line])) }
            } else {
                try parse(line, into: page, isWanted)
            }
        }
        guard lines == 0 else { return page }
        page.recycle()
        return nil
    }

    private static let linesOfPage = 65_536

    /// The lines that begin with `#` before any other, of which at most the first few thousand bytes are looked at. Nothing
    /// is passed over.
    func header() throws -> [String] {
        while buffer.count - start < Self.headerBytes, !atEnd { try fill() }
        let head = buffer[start...].prefix(Self.headerBytes)
        return head.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .prefix { $0.first == UInt8(ascii: "#") }.map { String(decoding: $0, as: UTF8.self) }
    }

    private static let headerBytes = 4096

    /// Passes over the next lines if they are exactly these bytes.
    ///
    /// - Returns: Whether they were; if not, nothing was passed over.
    func skip(_ lines: [UInt8]) throws -> Bool {
        try skipHeader()
        while buffer.count - start < lines.count, !atEnd { try fill() }
        guard buffer.count - start >= lines.count else { return false }
        let isSame = buffer.withUnsafeBytes { buffer in
            lines.withUnsafeBytes { lines in
                compareBytes(UnsafeRawBufferPointer(rebasing: buffer[start..<(start + lines.count)]), lines) == 0
            }
        }
        if isSame { start += lines.count }
        return isSame
    }

    private func skipHeader() throws {
        if buffer.count == start, !atEnd { try fill() }
        while start < buffer.count, buffer[start] == UInt8(ascii: "#"), let line = try nextLine() {
            lineNumber += 1
            _ = line
        }
    }

    private func parse(
        _ line: Range<Int>, into page: ManifestPage,
        _ isWanted: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> Bool
    ) throws {
        guard line.count > 65, buffer[line.lowerBound + 64] == UInt8(ascii: " "),
            buffer[line.lowerBound + 65] == UInt8(ascii: " ")
        else { throw damaged() }
        let keyRange = (line.lowerBound + 66)..<line.upperBound
        let isKept = try buffer.withUnsafeBytes { buffer in
            let digits = UnsafeRawBufferPointer(rebasing: buffer[line.lowerBound..<(line.lowerBound + 64)])
            let text = UnsafeRawBufferPointer(rebasing: buffer[keyRange])
            // The line feed follows: nextLine found it.
            let whole = UnsafeRawBufferPointer(rebasing: buffer[line.lowerBound...line.upperBound])
            let isPlain = text.allSatisfy { $0 >= 0x20 && $0 <= 0x7e && $0 != UInt8(ascii: "\\") }
            if isPlain { return try isWanted(whole, text) ? append(text, digits, to: page) : true }
            guard let key = StorageKey(escaped: text) else { throw damaged() }
            return try key.bytes.withBytes { try isWanted(whole, $0) ? append($0, digits, to: page) : true }
        }
        guard isKept else { throw damaged() }
    }

    /// Appends a key and the digest that `digits` spell; `false` if they do not.
    private func append(
        _ key: UnsafeRawBufferPointer, _ digits: UnsafeRawBufferPointer, to page: ManifestPage
    ) -> Bool {
        page.entries.append(key: key, maximumValueCount: 32) { digest in
            for index in 0..<32 {
                guard let high = hexDigitValue(digits[2 * index]), let low = hexDigitValue(digits[2 * index + 1]) else {
                    return nil
                }
                digest[index] = high << 4 | low
            }
            return 32
        }
    }

    private func damaged() -> StorageError {
        StorageError(.damagedStore, "\(path):\(lineNumber): not a manifest line. \(advice)")
    }

    /// The next line's place in the buffer, without its newline.
    private func nextLine() throws -> Range<Int>? {
        var searched = start
        while true {
            let newline = buffer.withUnsafeBytes { bytes -> Int? in
                guard searched < bytes.count, let base = bytes.baseAddress else { return nil }
                return memchr(base + searched, 0x0a, bytes.count - searched).map {
                    base.distance(to: UnsafeRawPointer($0))
                }
            }
            if let newline {
                defer { start = newline + 1 }
                return start..<newline
            }
            guard !atEnd else {
                guard start < buffer.count else { return nil }
                throw StorageError(
                    .damagedStore,
                    "\(path):\(lineNumber + 1): the file ends in the middle of a line. \(advice)")
            }
            guard buffer.count - start <= Self.maximumLineBytes else {
                lineNumber += 1
                throw damaged()
            }
            searched = buffer.count - start
            try fill()
        }
    }

    private func fill() throws {
        buffer.removeFirst(start)
        start = 0
        var count = 0
        var number: Int32 = 0
        buffer += [UInt8](unsafeUninitializedCapacity: Self.readBytes) { room, used in
            count = read(descriptor, room.baseAddress, Self.readBytes)
            number = errno
            used = max(count, 0)
        }
        guard count >= 0 else { throw StorageError.system("read", path, errno: number) }
        atEnd = count == 0
    }
}

/// A page of a manifest: keys with their digests as values.
private final class ManifestPage: DigestPage {
    let entries: EntryBatch
    private let pool: BatchPool

    init(_ pool: BatchPool) {
        self.pool = pool
        self.entries = pool.take()
    }

    var count: Int { entries.count }

    func key(_ index: Int) -> UnsafeRawBufferPointer { entries.key(index) }

    func digest(_ index: Int) -> UnsafeRawBufferPointer { entries.value(index) }

    func recycle() { pool.recycle(entries) }
}
