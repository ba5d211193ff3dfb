import Barrier
import Digest
import Storage
import Synchronization

/// What a proof found of one entry, as it travels with the entry in a batch: the verdict in one byte, whose highest bit says
/// that the name is not bound, the term in four.
enum ProofStamp {
    static let byteCount = 5
    private static let unboundBit: UInt8 = 0x80

    static func write(_ proof: EntryProof, to output: UnsafeMutableRawPointer) {
        let bit = proof.isNameUnbound ? unboundBit : 0
        output.storeBytes(of: proof.verdict.rawValue | bit, as: UInt8.self)
        (output + 1).storeBytes(of: proof.term, as: UInt32.self)
    }

    /// The error of entries that came without what was to be found of each.
    static let missing = StorageError(
        .io, "Entries were read and not authenticated, so that nothing is proven. Run again, or without key shares.")

    /// Counts what the stamps of a batch say.
    ///
    /// - Parameter count: Bytes of the digest before it.
    /// - Returns: `nil` where the batch carries nothing of the kind.
    static func tally(_ entries: EntryBatch, behind count: Int) -> ProofTally? {
        guard entries.stampBytes == count + byteCount else { return nil }
        var tally = ProofTally()
        var index = 0
        while index < entries.count {
            guard let proof = proof(entries, index, behind: count) else { return nil }
            // Of most batches it is one step: the same verdict and term for all, in one folder.
            let next = proof.verdict.isBad ? index + 1 : endOfRun(entries, from: index, behind: count)
            tally.count(proof, entries.key(index), times: next - index)
            index = next
        }
        return tally
    }

    /// Where the entries end that have the stamp and the top-level folder of one.
    private static func endOfRun(_ entries: EntryBatch, from first: Int, behind count: Int) -> Int {
        let key = entries.key(first)
        guard let slash = key.firstIndex(of: UInt8(ascii: "/")) else { return first + 1 }
        let folder = UnsafeRawBufferPointer(rebasing: key[...slash])
        let stamp = UnsafeRawBufferPointer(rebasing: entries.stamp(first).dropFirst(count))
        var next = first + 1
        while next < entries.count {
            let other = entries.key(next)
            guard compareBytes(stamp, UnsafeRawBufferPointer(rebasing: entries.stamp(next).dropFirst(count))) == 0,
                other.count >= folder.count,
                compareBytes(folder, UnsafeRawBufferPointer(rebasing: other[..<folder.count])) == 0
            else { break }
            next += 1
        }
        return next
    }

    /// What the stamp of one entry says; `nil` where the batch carries nothing of the kind.
    static func proof(_ entries: EntryBatch, _ index: Int, behind count: Int) -> EntryProof? {
        guard entries.stampBytes == count + byteCount else { return nil }
        let stamp = UnsafeRawBufferPointer(rebasing: entries.stamp(index).dropFirst(count))
        // A verdict that is none counts as the worst.
        let verdict = ProofVerdict(rawValue: stamp[0] & ~unboundBit) ?? .failed
        return EntryProof(
            verdict, term: stamp.loadUnaligned(fromByteOffset: 1, as: UInt32.self),
            isNameUnbound: stamp[0] & unboundBit != 0)
    }
}

/// Authenticates each entry that is put into a batch, behind another stamp if there is one.
final class ProofStamper: ValueStamper {
    private let first: (any ValueStamper)?
    private let authenticator: EntryAuthenticator?
    let stampBytes: Int

    init(_ barrier: OpenedBarrier, behind first: (any ValueStamper)? = nil) {
        self.first = first
        stampBytes = (first?.stampBytes ?? 0) + ProofStamp.byteCount
        // Without it every stamp fails, and the batch says so.
        authenticator = try? EntryAuthenticator(barrier)
    }

    func stamp(_ value: UnsafeRawBufferPointer, into output: UnsafeMutableRawPointer) -> Bool { false }

    func stamp(
        _ value: UnsafeRawBufferPointer, of key: UnsafeRawBufferPointer, into output: UnsafeMutableRawPointer
    ) -> Bool {
        guard let authenticator, first?.stamp(value, of: key, into: output) ?? true else { return false }
        do throws(DigestError) {
            ProofStamp.write(
                try authenticator.proof(of: value, under: key), to: output + stampBytes - ProofStamp.byteCount)
            return true
        } catch {
            return false
        }
    }
}

/// Authenticates entries that are asked for one by one, from any thread.
// Unchecked: everything is touched under the lock only.
final class ProofCollector: @unchecked Sendable {
    private let lock = Mutex(())
    private let authenticator: EntryAuthenticator
    private var tally: ProofTally

    /// - Parameter tally: What was authenticated before.
    init(_ barrier: OpenedBarrier, _ tally: ProofTally) throws(StorageError) {
        do throws(DigestError) { authenticator = try EntryAuthenticator(barrier) } catch {
            throw StorageError(.io, error.description)
        }
        self.tally = tally
    }

    func add(_ value: [UInt8], under key: UnsafeRawBufferPointer) throws(StorageError) {
        try lock.withLock { (_) throws(StorageError) in
            do throws(DigestError) {
                let proof = try value.withBytes { (value) throws(DigestError) in
                    try authenticator.proof(of: value, under: key)
                }
                tally.count(proof, key)
            } catch {
                throw StorageError(.io, error.description)
            }
        }
    }

    /// All of it, once nobody adds any more.
    var total: ProofTally { lock.withLock { _ in tally } }
}
