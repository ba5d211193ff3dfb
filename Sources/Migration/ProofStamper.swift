import Barrier
import Digest
import Storage

/// What a proof found of one entry, as it travels with the entry in a batch: the verdict in one byte, the term in four.
enum ProofStamp {
    static let byteCount = 5

    static func write(_ proof: EntryProof, to output: UnsafeMutableRawPointer) {
        output.storeBytes(of: proof.verdict.rawValue, as: UInt8.self)
        (output + 1).storeBytes(of: proof.term, as: UInt32.self)
    }

    /// Counts what the stamps of a batch say.
    ///
    /// - Parameter count: Bytes of the digest before it.
    /// - Returns: `nil` where the batch carries nothing of the kind.
    static func tally(_ entries: EntryBatch, behind count: Int) -> ProofTally? {
        guard entries.stampBytes == count + byteCount else { return nil }
        var tally = ProofTally()
        for index in 0..<entries.count {
            let stamp = UnsafeRawBufferPointer(rebasing: entries.stamp(index).dropFirst(count))
            // A verdict that is none counts as the worst.
            let verdict = ProofVerdict(rawValue: stamp[0]) ?? .failed
            tally.count(
                EntryProof(verdict, term: stamp.loadUnaligned(fromByteOffset: 1, as: UInt32.self)), entries.key(index))
        }
        return tally
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
