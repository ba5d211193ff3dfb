import Bolt
import JSON

/// Tells what a file is that somebody keeps as a snapshot and that is none.
package enum SnapshotLookalike {
    /// Bytes of a file's beginning that are worth looking at.
    package static let headBytes = 8192
    private static let shownBytes = 160

    static let emptyFile = SnapshotDefect(
        .empty,
        "the file is empty: the disk was full, the upload failed, or a standby answered with a redirect and no "
            + "body (curl "
            + "needs -L, with the token for the active node). Take a new snapshot.")

    /// Why a file is no snapshot archive, by its beginning.
    ///
    /// - Parameters:
    ///   - head: The first bytes of the file, ``headBytes`` at most.
    ///   - isWhole: Whether that is the whole file.
    ///   - path: Where it is, for a look into a database.
    /// - Returns: `nil` if it begins as gzip does, which is all that can be told from here.
    package static func identify(_ head: [UInt8], isWhole: Bool, path: String) -> SnapshotDefect? {
        if head.isEmpty { return emptyFile }
        if head.starts(with: [0x1f, 0x8b]) { return nil }
        if isWhole, head.count < 2, head.starts(with: [0x1f]) {
            return SnapshotDefect(.cutOff, "one byte is left of it.")
        }
        return bolt(head, path) ?? known(head, isWhole: isWhole)
            ?? SnapshotDefect(
                .unknown,
                "this is no gzip and nothing known: a snapshot begins with the bytes 1f 8b. It may be encrypted by "
                    + "a backup "
                    + "tool: restore it with that tool first.")
    }

    /// What is in a gzip file in place of the tar archive.
    static func within(_ head: [UInt8]) -> SnapshotDefect {
        if head.isEmpty { return SnapshotDefect(.empty, "this is the gzip of an empty file. Take a new snapshot.") }
        if head.starts(with: [0x1f, 0x8b]) {
            return SnapshotDefect(
                .gzipOfGzip,
                "this is gzip within gzip: a backup tool has packed the snapshot once more. Unpack it once: gunzip "
                    + "-c FILE > "
                    + "new.snap.")
        }
        if head.count > 20, head[16..<20].elementsEqual([0xed, 0xda, 0x0c, 0xed]) {
            return SnapshotDefect(
                .boltFile,
                "this is the gzip of a bbolt database (vault.db, raft.db or etcd's), no snapshot. Unpack it; a "
                    + "node's directory is "
                    + "read as storage_source \"raft\".")
        }
        if let found = known(head, isWhole: head.count < 512) {
            return SnapshotDefect(found.kind, "packed with gzip: \(found.message)")
        }
        return SnapshotDefect(
            .unknown, "this is the gzip of something that is no tar archive, and so no snapshot. Take a new snapshot.")
    }

    private static func known(_ head: [UInt8], isWhole: Bool) -> SnapshotDefect? {
        if head.allSatisfy({ $0 == 0 }) {
            return SnapshotDefect(
                .zeros, "the file begins with zero bytes only: a disk or a tool lost its content. Take another copy.")
        }
        if head.count >= 512, TarStream.isHeader(head.prefix(512)) {
            return SnapshotDefect(
                .plainTar,
                "this is a tar archive without its gzip: a tool has unpacked it. Pack it again: gzip -c FILE > "
                    + "new.snap."
            )
        }
        return encrypted(head) ?? compressed(head) ?? text(head, isWhole: isWhole)
    }

    private static func bolt(_ head: [UInt8], _ path: String) -> SnapshotDefect? {
        guard head.count > 20, head[16..<20].elementsEqual([0xed, 0xda, 0x0c, 0xed]) else { return nil }
        var names: [[UInt8]] = []
        do throws(BoltError) {
            let reader = try BoltReader(path: path)
            defer { reader.close() }
            names = try reader.bucketNames()
        } catch {
            return SnapshotDefect(
                .boltFile,
                "this is a bbolt database that cannot be read (\(error.message)): a copy of vault.db, raft.db or "
                    + "etcd's, made "
                    + "while it was written to perhaps. It is no snapshot.")
        }
        if names.contains(StateMachineNames.data) {
            return SnapshotDefect(
                .boltFile,
                "this is a copy of vault.db, no snapshot. Put it into a folder under that name, beside "
                    + "raft/raft.db, and read it as "
                    + "storage_source \"raft\".")
        }
        if names.contains(Array("key".utf8)) {
            return SnapshotDefect(
                .etcdSnapshot, "this is a snapshot of etcd, no snapshot of Vault or OpenBao. etcdutl restores it.")
        }
        if names.contains(Array("logs".utf8)) {
            return SnapshotDefect(
                .boltFile,
                "this is a copy of raft.db, the log of a node: the entries are in vault.db. It is no snapshot.")
        }
        return SnapshotDefect(.boltFile, "this is a bbolt database of another program, no snapshot.")
    }

    private static func encrypted(_ head: [UInt8]) -> SnapshotDefect? {
        let signs: [(String, String)] = [
            ("Salted__", "openssl enc"), ("age-encryption.org/", "age"),
            ("-----BEGIN AGE ENCRYPTED FILE", "age"), ("-----BEGIN PGP MESSAGE", "GnuPG"),
            ("$ANSIBLE_VAULT", "ansible-vault"), ("vault:v", "a transit engine"), ("-----BEGIN CMS", "openssl cms"),
            ("-----BEGIN PKCS7", "openssl smime"),
        ]
        func found(_ tool: String) -> SnapshotDefect {
            SnapshotDefect(
                .encrypted,
                "this was encrypted by \(tool): decrypt it with that tool first, then verify what comes out.")
        }
        for (sign, tool) in signs where head.starts(with: sign.utf8) { return found(tool) }
        // RFC 9580: packets of a session key (types 1 and 3) in both forms of their header, whose versions are 3 to 6.
        guard head.count > 3, [0x84, 0x85, 0x8c, 0xc1, 0xc3].contains(head[0]) else { return nil }
        let version = head[0] == 0x85 ? head[3] : head[2]
        return (3...6).contains(version) ? found("GnuPG or another OpenPGP program") : nil
    }

    private static func compressed(_ head: [UInt8]) -> SnapshotDefect? {
        let signs: [([UInt8], String, String)] = [
            ([0x28, 0xb5, 0x2f, 0xfd], "zstd", "unzstd"), ([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], "xz", "unxz"),
            (Array("BZh".utf8), "bzip2", "bunzip2"), ([0x50, 0x4b, 3, 4], "zip", "unzip"),
            ([0x04, 0x22, 0x4d, 0x18], "lz4", "unlz4"), ([0x37, 0x7a, 0xbc, 0xaf], "7-Zip", "7z x"),
        ]
        for (sign, name, tool) in signs where head.starts(with: sign) {
            return SnapshotDefect(
                .otherCompression, "this was packed by \(name): unpack it (\(tool)), then verify what comes out.")
        }
        return nil
    }

    private static func text(_ head: [UInt8], isWhole: Bool) -> SnapshotDefect? {
        // 1f 8b 08 after what a text program makes of a byte that is no text, or as UTF-16.
        let converted: [[UInt8]] = [
            [0x1f, 0xef, 0xbf, 0xbd, 0x08], [0x1f, 0xc2, 0x8b, 0x08], [0xff, 0xfe, 0x1f, 0x00], [0x1f, 0x3f, 0x08],
            [0xef, 0xbb, 0xbf, 0x1f],
        ]
        if converted.contains(where: head.starts) {
            return SnapshotDefect(
                .convertedText,
                "this went through a program that takes it for text, as PowerShell's > does: bytes are lost for "
                    + "good. Have the "
                    + "command write the file itself (raft snapshot save FILE, curl -o FILE).")
        }
        let start = head.drop { [0x20, 0x09, 0x0a, 0x0d, 0xef, 0xbb, 0xbf].contains($0) }
        if start.starts(with: "H4sI".utf8) {
            return SnapshotDefect(
                .base64, "this is the base64 of a gzip file: decode it (base64 -d FILE > new.snap), then verify again.")
        }
        if start.first == UInt8(ascii: "{") || start.first == UInt8(ascii: "[") { return json(Array(start), isWhole) }
        guard start.first == UInt8(ascii: "<") else { return nil }
        let page = String(decoding: start.prefix(2048), as: UTF8.self).lowercased()
        if page.hasPrefix("<a href="), page.contains("redirect") {
            return SnapshotDefect(
                .redirect,
                "this is the redirect that a standby node answers with, saved in place of a snapshot. Ask the "
                    + "active node, or have "
                    + "curl follow it (-L).")
        }
        return SnapshotDefect(
            .htmlPage,
            "this is an HTML page, as a load balancer or a login page answers, saved in place of a snapshot. Look "
                + "at the "
                + "address and the token (curl -f fails on such answers).")
    }

    private static func json(_ text: [UInt8], _ isWhole: Bool) -> SnapshotDefect {
        var errors: [String] = []
        if isWhole, let parser = try? JSONParser() {
            text.withUnsafeBytes { text in
                // Only what servers say of themselves is shown: any other answer may hold secrets.
                guard let node = try? parser.parse(text), let list = node["errors"] else { return }
                errors = list.elements.compactMap(\.text)
            }
        }
        let shown = errors.joined(separator: "; ").unicodeScalars.prefix(shownBytes)
            .map { $0.value < 0x20 || $0.value > 0x7e ? "?" : String($0) }.joined()
        let what = shown.isEmpty ? "" : ": \"\(shown)\""
        return SnapshotDefect(
            .jsonAnswer,
            "this is a server's JSON answer, saved in place of a snapshot\(what). Look at the token and its policy "
                + "(update on "
                + "sys/storage/raft/snapshot is not enough: read is needed); curl -f fails on such answers.")
    }
}
