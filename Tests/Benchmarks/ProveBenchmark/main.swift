import Barrier
import Digest
import FileBackend
import Glibc
import InMemoryBackend
import Storage

// Makes a sealed store of entries of 1 KiB, or measures how fast such entries are authenticated in memory.
// usage: ProveBenchmark make FOLDER ENTRIES   a `file` store; prints the one key share
//        ProveBenchmark memory ENTRIES        bytes of values per second, with one thread

private let valueBytes = 1024

/// A store of one share and one term, with keys that are good for nothing else.
private struct SealedStore {
    let share: String
    let key: SecretBytes

    init(_ store: any KeyValueStore) throws {
        let unsealKey = try Self.secret(try randomBytes(32))
        let rootKey = try randomBytes(32)
        let termKey = try randomBytes(32)
        share = unsealKey.withBytes { bytes in
            var text: [UInt8] = []
            appendHexadecimal(bytes, to: &text)
            return String(decoding: text, as: UTF8.self)
        }
        key = try Self.secret(termKey)
        let root = Self.base64(rootKey)
        let ring = #"{"MasterKey":"\#(root)","Keys":[{"Term":1,"Version":1,"Value":"\#(Self.base64(termKey))"}]}"#
        let nonce = try randomBytes(AESGCM.nonceBytes)
        let stored = try AESGCM(key: unsealKey, isForSealing: true)
        let blob = nonce + (try Self.sealed(stored, Array("[\"\(root)\"]".utf8), nonce, []))
        try store.put(.storedRootKey, [0x0a, UInt8(blob.count)] + blob + [0x2a, 0])
        try store.put(.sealConfiguration, Array(#"{"type":"shamir","secret_shares":1,"secret_threshold":1}"#.utf8))
        let cipher = try AESGCM(key: try Self.secret(rootKey), isForSealing: true)
        try store.put(.keyring, try Self.envelope(cipher, Array(ring.utf8), .keyring))
    }

    static func envelope(_ cipher: AESGCM, _ plain: [UInt8], _ key: StorageKey) throws -> [UInt8] {
        let nonce = try randomBytes(AESGCM.nonceBytes)
        return [0, 0, 0, 1, 2] + nonce + (try sealed(cipher, plain, nonce, key.bytes))
    }

    private static func sealed(
        _ cipher: AESGCM, _ plain: [UInt8], _ nonce: [UInt8], _ additional: [UInt8]
    ) throws -> [UInt8] {
        try plain.withBytes { bytes in try cipher.seal(bytes, nonce: nonce, additional: additional) }
    }

    private static func secret(_ bytes: [UInt8]) throws -> SecretBytes {
        let secret = try SecretBytes(room: bytes.count)
        secret.withMutableBytes { $0.copyBytes(from: bytes) }
        return secret
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = Array(bytes[start..<min(start + 3, bytes.count)])
            let held = (0..<3).reduce(0) { $0 << 8 | ($1 < group.count ? Int(group[$1]) : 0) }
            for place in 0..<4 {
                text.append(place > group.count ? UInt8(ascii: "=") : digits[held >> (18 - 6 * place) & 63])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

private func entryKey(_ number: Int) -> StorageKey {
    StorageKey("logical/8c1b7c2e-0000-4000-8000-000000000001/\(number / 100)/entry-\(number)")
}

private func make(_ folder: String, _ count: Int) throws {
    let store = try FileBackend(path: folder, mustExist: false)
    defer { store.close() }
    let sealed = try SealedStore(store)
    let cipher = try AESGCM(key: sealed.key, isForSealing: true)
    for number in 0..<count {
        let key = entryKey(number)
        let value = try SealedStore.envelope(cipher, try randomBytes(valueBytes - BarrierEnvelope.shortest), key)
        try store.put(key, value)
    }
    print(sealed.share)
}

private func measure(_ count: Int) throws {
    let store = InMemoryBackend()
    let sealed = try SealedStore(store)
    let cipher = try AESGCM(key: sealed.key, isForSealing: true)
    let batch = EntryBatch()
    for number in 0..<count {
        let key = entryKey(number)
        batch.append(
            key: key,
            value: try SealedStore.envelope(cipher, try randomBytes(valueBytes - BarrierEnvelope.shortest), key))
    }
    let text = try SecretBytes(room: sealed.share.utf8.count)
    text.withMutableBytes { $0.copyBytes(from: sealed.share.utf8) }
    let authenticator = try EntryAuthenticator(try OpenedBarrier(store, try KeyShares(text: text)))
    for _ in 0..<5 {
        let begin = ContinuousClock.now
        var tally = ProofTally()
        for index in 0..<batch.count {
            let key = batch.key(index)
            tally.count(try authenticator.proof(of: batch.value(index), under: key), key)
        }
        let seconds = (ContinuousClock.now - begin) / .seconds(1)
        guard tally.counts[.authenticated] == count else { fatalError("an entry is not authenticated") }
        print("\(Double(batch.byteCount) / seconds / 1e9) GB/s, \(seconds / Double(count) * 1e9) ns an entry")
    }
}

let words = CommandLine.arguments
if words.count == 4, words[1] == "make", let count = Int(words[3]) {
    try make(words[2], count)
} else if words.count == 3, words[1] == "memory", let count = Int(words[2]) {
    try measure(count)
} else {
    print("usage: ProveBenchmark make FOLDER ENTRIES | memory ENTRIES")
    exit(1)
}
