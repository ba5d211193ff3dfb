import Digest

/// The keys of a barrier: the plaintext of `core/keyring`, a JSON object with `MasterKey`, the root key in base64, and `Keys`,
/// an array in any order of objects with `Term` and `Value`, a key in base64 (Vault 1.14 `vault/keyring.go`).
struct BarrierKeyring: Sendable {
    /// A server makes one a year or so; more than this is no keyring.
    private static let mostTerms = 100_000

    struct TermKey: Sendable {
        let term: UInt32
        let key: SecretBytes
    }

    /// By ascending term; at least one.
    let terms: [TermKey]
    let rootKey: SecretBytes

    /// The term that a server encrypts with: the highest.
    var activeTerm: UInt32 { terms.last?.term ?? 0 }

    /// - Returns: `nil` if the plaintext is no keyring.
    init?(_ plain: SecretBytes) throws(DigestError) {
        var rootKey: SecretBytes?
        var terms: [TermKey] = []
        var failure: DigestError?
        let isRead = plain.withBytes { bytes in
            var json = SecretJSON(bytes)
            do throws(SecretJSON.Failure) {
                try json.members { (json, name) throws(SecretJSON.Failure) in
                    if SecretJSON.isName(name, "MasterKey") {
                        rootKey = try Self.key(&json, &failure)
                    } else if SecretJSON.isName(name, "Keys") {
                        try json.elements { (json) throws(SecretJSON.Failure) in
                            guard terms.count < Self.mostTerms, let found = try Self.termKey(&json, &failure) else {
                                throw SecretJSON.Failure()
                            }
                            terms.append(found)
                        }
                    } else {
                        try json.skip()
                    }
                }
                return json.isAtEnd
            } catch {
                return false
            }
        }
        if let failure { throw failure }
        terms.sort { $0.term < $1.term }
        guard isRead, let rootKey, !terms.isEmpty,
            zip(terms, terms.dropFirst()).allSatisfy({ $0.term != $1.term })
        else { return nil }
        self.rootKey = rootKey
        self.terms = terms
    }

    /// The keyring of before there were any: one key, term 1.
    init(only key: SecretBytes, rootKey: SecretBytes) {
        terms = [TermKey(term: 1, key: key)]
        self.rootKey = rootKey
    }

    /// One object of the array; also what `core/master` holds, whose value is the root key.
    static func termKey(
        _ json: inout SecretJSON, _ failure: inout DigestError?
    ) throws(SecretJSON.Failure) -> TermKey? {
        var term: UInt32?
        var key: SecretBytes?
        var problem: DigestError?
        try json.members { (json, name) throws(SecretJSON.Failure) in
            if SecretJSON.isName(name, "Term") {
                term = try json.number()
            } else if SecretJSON.isName(name, "Value") {
                key = try Self.key(&json, &problem)
            } else {
                try json.skip()
            }
        }
        failure = failure ?? problem
        guard let term, term > 0, let key else { return nil }
        return TermKey(term: term, key: key)
    }

    private static func key(
        _ json: inout SecretJSON, _ failure: inout DigestError?
    ) throws(SecretJSON.Failure) -> SecretBytes {
        let text = try json.text()
        do throws(DigestError) {
            if let key = try SecretText.base64(text), AESGCM.keyLengths.contains(key.count) { return key }
        } catch {
            failure = error
        }
        throw SecretJSON.Failure()
    }

    /// The value of the one key object that a plaintext is; `nil` if it is none.
    static func onlyKey(_ plain: SecretBytes) throws(DigestError) -> SecretBytes? {
        var failure: DigestError?
        let key = plain.withBytes { bytes -> SecretBytes? in
            var json = SecretJSON(bytes)
            do throws(SecretJSON.Failure) { return try termKey(&json, &failure)?.key } catch { return nil }
        }
        if let failure { throw failure }
        return key
    }

    /// The member `Key` of the plaintext of `barrier/init`; `nil` if there is none.
    static func initialKey(_ plain: SecretBytes) throws(DigestError) -> SecretBytes? {
        var failure: DigestError?
        let key = plain.withBytes { bytes -> SecretBytes? in
            var json = SecretJSON(bytes)
            var key: SecretBytes?
            do throws(SecretJSON.Failure) {
                try json.members { (json, name) throws(SecretJSON.Failure) in
                    if SecretJSON.isName(name, "Key") { key = try Self.key(&json, &failure) } else { try json.skip() }
                }
            } catch {
                return nil
            }
            return key
        }
        if let failure { throw failure }
        return key
    }

    /// The one key in a JSON array with exactly one text: the plaintext of `core/hsm/barrier-unseal-keys`.
    static func storedKey(_ plain: SecretBytes) throws(DigestError) -> SecretBytes? {
        var failure: DigestError?
        let key = plain.withBytes { bytes -> SecretBytes? in
            var json = SecretJSON(bytes)
            var keys: [SecretBytes] = []
            do throws(SecretJSON.Failure) {
                try json.elements { (json) throws(SecretJSON.Failure) in
                    keys.append(try Self.key(&json, &failure))
                    if keys.count > 1 { throw SecretJSON.Failure() }
                }
            } catch {
                return nil
            }
            return keys.first
        }
        if let failure { throw failure }
        return key
    }
}
