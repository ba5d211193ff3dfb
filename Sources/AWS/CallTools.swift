import Digest
import JSON

/// What one call at a time needs and the next can use again.
// Unchecked: whoever holds it is its only user.
final class CallTools: @unchecked Sendable {
    let signature: SignatureV4
    let parser: JSONParser

    init() throws(CredentialsError) {
        do {
            signature = try SignatureV4()
            parser = try JSONParser()
        } catch {
            throw CredentialsError("Requests cannot be signed: \(error)")
        }
    }
}
