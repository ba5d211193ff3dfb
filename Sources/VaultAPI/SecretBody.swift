import Digest

/// The body of a request that carries a key share, in memory that is overwritten when it is gone.
struct SecretBody {
    let bytes: SecretBytes

    /// `{"key":"<hexadecimal>"}`, with the nonce of an operation under way if there is one.
    ///
    /// - Parameter nonce: From the server's answer: letters, digits and dashes.
    init(hexadecimal share: SecretBytes, nonce: String?) throws(VaultAPIError) {
        let nonce = nonce.map { $0.utf8.filter { Self.isPlain($0) } }
        let head = Array("{\"key\":\"".utf8)
        let end =
            Array((nonce.map { "\",\"nonce\":\"" + String(decoding: $0, as: UTF8.self) } ?? "").utf8)
            + Array("\"}".utf8)
        do throws(DigestError) {
            bytes = try SecretBytes(room: head.count + 2 * share.count + end.count)
        } catch {
            throw VaultAPIError(.failed, error.description)
        }
        bytes.withMutableBytes { room in
            var place = 0
            func put(_ byte: UInt8) {
                room[place] = byte
                place += 1
            }
            for byte in head { put(byte) }
            share.withBytes { share in
                for byte in share {
                    put(Self.digit(byte >> 4))
                    put(Self.digit(byte & 15))
                }
            }
            for byte in end { put(byte) }
        }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
