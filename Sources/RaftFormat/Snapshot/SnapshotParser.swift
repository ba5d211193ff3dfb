import Digest
import Wording
import Zlib

/// Reads a snapshot archive that comes piece by piece: gzip of any level around a tar of `meta.json`, `state.bin`,
/// `SHA256SUMS` and `SHA256SUMS.sealed` in any order (Vault 1.14 and OpenBao 2.6, hashicorp/raft-snapshotagent's
/// `snapshot` package as both carry it).
///
/// What `state` is given is tentative until ``finish()`` has returned: only then are all checksums verified. Memory is
/// bounded, whatever the archive claims.
package final class SnapshotParser {
    /// What an archive said of itself, once it is proven.
    package struct Contents: Sendable, Equatable {
        package let meta: SnapshotMeta
        /// `SHA256SUMS`, as it stands there.
        package let sums: [UInt8]
        /// `SHA256SUMS.sealed`; `nil` if there is no such member. Only the cluster's own seal can check it.
        package let sealed: [UInt8]?
        /// Bytes behind the end of the tar archive, which one of the servers' own checks counts as damage.
        package let strayBytes: Int

        /// Bytes of `SHA256SUMS.sealed`; `nil` if there is no such member.
        package var sealedSums: Int? { sealed?.count }
    }

    private enum Name: String, CaseIterable {
        case meta = "meta.json"
        case state = "state.bin"
        case sums = "SHA256SUMS"
        case sealed = "SHA256SUMS.sealed"

        /// Bytes that it may have; `nil` for any.
        var most: Int? {
            switch self {
            case .meta, .sums: SnapshotMeta.mostBytes
            case .sealed: 64 << 10
            case .state: nil
            }
        }
    }

    private static let sniffedBytes = 512

    private let inflater: GzipInflater
    private let state: (UnsafeRawBufferPointer) throws -> Bool
    private let hasher: SHA256Hasher
    private var tar = TarStream()
    /// The first inflated bytes, by which what is no tar archive is told.
    private var head: [UInt8] = []
    private var isTar = false
    private var current: Name?
    private var contents: [Name: [UInt8]] = [:]
    private var digests: [Name: String] = [:]
    private var stateBytes: Int?
    private var stateDone = 0
    private var goesOn = true
    private var hasBegun = false

    /// The meta data as soon as they were read, which is at the beginning in archives of servers; not verified.
    package private(set) var meta: SnapshotMeta?

    /// - Parameter state: Is given the bytes of `state.bin`, borrowed for the call; `false` ends the reading.
    /// - Throws: If a library has no memory or offers no SHA-256.
    package init(state: @escaping (UnsafeRawBufferPointer) throws -> Bool) throws {
        self.state = state
        inflater = try GzipInflater()
        hasher = try SHA256Hasher()
    }

    /// Takes the next bytes of the file.
    ///
    /// - Returns: `false` once `state` wants no more.
    /// - Throws: ``SnapshotDefect`` for what is no snapshot archive, and what `state` throws.
    package func take(_ bytes: UnsafeRawBufferPointer) throws -> Bool {
        guard !bytes.isEmpty else { return true }
        hasBegun = true
        do {
            try inflater.inflate(bytes) { piece in
                guard goesOn else { return }
                try takeInflated(piece)
            }
        } catch let error as GzipError {
            throw damagedGzip(error)
        }
        return goesOn
    }

    private func takeInflated(_ piece: UnsafeRawBufferPointer) throws {
        guard !isTar else { return try takeTar(piece) }
        let earlier = head.count
        head.append(contentsOf: piece.prefix(Self.sniffedBytes - head.count))
        guard head.count == Self.sniffedBytes else { return }
        isTar = TarStream.isHeader(head)
        guard isTar else { throw SnapshotLookalike.within(head) }
        // What came before this piece was too short for a header.
        if earlier > 0 { try head[..<earlier].withUnsafeBytes { try takeTar($0) } }
        try takeTar(piece)
    }

    private func takeTar(_ piece: UnsafeRawBufferPointer) throws {
        goesOn = try tar.take(piece, begin: begin, content: content, end: end)
    }

    private func begin(_ member: TarMember) throws {
        guard let name = Name(rawValue: member.name) else {
            let shown = member.name.unicodeScalars.prefix(80).map {
                $0.value < 0x20 || $0.value > 0x7e ? "?" : String($0)
            }
            throw SnapshotDefect(
                .foreignMember,
                "unexpected file \"\(shown.joined())\" in the archive: servers refuse any but the four they know, "
                    + "under any other name than theirs. It was unpacked and packed again: \(TarStream.repack)")
        }
        guard contents[name] == nil, digests[name] == nil else {
            throw SnapshotDefect(.damaged, "\(name.rawValue) is in the archive twice. \(TarStream.advice)")
        }
        if let most = name.most, member.size > most {
            throw SnapshotDefect(
                .damaged, "\(name.rawValue) has \(member.size) bytes, more than servers read of it. \(TarStream.advice)"
            )
        }
        current = name
        contents[name] = []
        if name == .state { stateBytes = member.size }
    }

    private func content(_ bytes: UnsafeRawBufferPointer) throws -> Bool {
        guard let current else { return true }
        if current == .meta || current == .state { try hasher.update(bytes) }
        guard current == .state else {
            contents[current, default: []].append(contentsOf: bytes)
            return true
        }
        stateDone += bytes.count
        return try state(bytes)
    }

    private func end() throws {
        guard let current else { return }
        self.current = nil
        digests[current] = current == .meta || current == .state ? try hasher.finish().hexadecimal : ""
        guard current == .meta else { return }
        let found = try SnapshotMeta(decoding: contents[.meta] ?? [])
        if Self.isOfFileStore(found.id) {
            throw SnapshotDefect(
                .consulSnapshot,
                "this is a snapshot of Consul or Nomad, which have the same container, and not of Vault or "
                    + "OpenBao. Of a Vault "
                    + "that keeps its data in Consul it holds them, and only `consul snapshot restore` reads it.")
        }
        meta = found
    }

    /// Whether a snapshot's id is term, index and time, as hashicorp/raft's own file store names them.
    private static func isOfFileStore(_ id: String) -> Bool {
        let parts = id.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        return parts.count == 3
            && parts.allSatisfy { !$0.isEmpty && $0.allSatisfy { (0x30...0x39).contains($0) } }
    }

    private static let trailingBytes = SnapshotDefect(
        .damaged, "bytes follow behind the end of the archive that are none of it. \(TarStream.advice)")

    private func damagedGzip(_ error: GzipError) -> SnapshotDefect {
        if inflater.hasWholeMember, tar.isEnded { return Self.trailingBytes }
        return SnapshotDefect(.damaged, "the gzip stream is damaged\(place) (\(error)). \(TarStream.advice)")
    }

    /// Where in the archive the reading stands.
    private var place: String {
        guard let current else { return "" }
        guard current == .state, let stateBytes else { return " in \(current.rawValue)" }
        return " in state.bin, behind \(stateDone) of its \(stateBytes) bytes"
    }

    /// Ends the archive and verifies it.
    ///
    /// - Throws: ``SnapshotDefect`` for whatever is missing or does not match.
    package func finish() throws(SnapshotDefect) -> Contents {
        guard hasBegun else { throw SnapshotLookalike.emptyFile }
        guard inflater.isAtMemberEnd else {
            throw inflater.hasWholeMember && tar.isEnded ? Self.trailingBytes : cutOff
        }
        guard isTar else { throw SnapshotLookalike.within(head) }
        guard tar.mayEnd else {
            throw SnapshotDefect(
                .cutOff, "the tar archive within was cut off before it was packed\(place). \(TarStream.advice)")
        }
        for name in [Name.meta, .state, .sums] where digests[name] == nil {
            throw SnapshotDefect(
                .missingMember, "\(name.rawValue) is missing in the archive. \(TarStream.advice)")
        }
        guard let meta, let sums = contents[.sums], let size = stateBytes else {
            throw SnapshotDefect(.missingMember, "meta.json is missing in the archive. \(TarStream.advice)")
        }
        try verify(sums)
        guard meta.size == size else {
            throw SnapshotDefect(
                .damaged,
                "meta.json says that state.bin has \(meta.size) bytes, and it has \(size): a restore ends with "
                    + "\"size didn't "
                    + "match\". \(TarStream.advice)")
        }
        return Contents(meta: meta, sums: sums, sealed: contents[.sealed], strayBytes: tar.strayBytes)
    }

    private var cutOff: SnapshotDefect {
        if digests[.meta] != nil, digests[.state] != nil, digests[.sums] != nil, digests[.sealed] == nil {
            return SnapshotDefect(
                .cutOff,
                "the file was cut off behind SHA256SUMS: SHA256SUMS.sealed and the end are missing, as when a "
                    + "download or a "
                    + "copy broke off. No server restores it. \(TarStream.advice)")
        }
        return SnapshotDefect(
            .cutOff,
            "the file was cut off\(place), as when a download or a copy broke off or a disk was full. "
                + "\(TarStream.advice)"
        )
    }

    /// Holds the digests against `SHA256SUMS`: two lines, digest, two spaces, name.
    private func verify(_ sums: [UInt8]) throws(SnapshotDefect) {
        var seen: Set<Name> = []
        for line in sums.split(separator: 0x0a, omittingEmptySubsequences: true) {
            let text = String(decoding: line, as: UTF8.self)
            guard line.count > 66, text.utf8.dropFirst(64).starts(with: "  ".utf8),
                let name = Name(rawValue: String(decoding: line.dropFirst(66), as: UTF8.self)),
                name == .meta || name == .state, seen.insert(name).inserted
            else {
                throw SnapshotDefect(
                    .damaged, "SHA256SUMS has a line that is none of meta.json or state.bin. \(TarStream.advice)")
            }
            guard text.lowercased().utf8.starts(with: (digests[name] ?? "").utf8) else {
                throw SnapshotDefect(
                    .wrongChecksum,
                    "\(name.rawValue) is not what SHA256SUMS says: the archive was changed or damaged after it was "
                        + "taken. "
                        + TarStream.advice)
            }
        }
        guard seen.count == 2 else {
            throw SnapshotDefect(.damaged, "SHA256SUMS names \(seen.count) of the 2 files it must. \(TarStream.advice)")
        }
    }
}
