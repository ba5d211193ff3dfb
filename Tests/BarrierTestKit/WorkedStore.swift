package import Digest
import Foundation
package import InMemoryBackend
package import Storage

@testable package import Barrier

/// A small store whose keys are known: sealed by three of five shares, two key terms. Its values were made with the original
/// routines, from the keys' names.
package enum WorkedStore {
    package static let shares = [
        "086f539d712feed2b5ccf20fee6cd15c8688bd642c9e41045376dccc4cb143bb11",
        "cd1df6d87eaca2bd2baa468621b0b66422e55c6e144cb9bad70392c88695e6127e",
        "b5d4d4da424ba9858536ea21085f58b3c76f1f6f157af12d8b4d079db03e7131c3",
        "4b138565e55c461abfc75ddf14c6025a98aa51fa335cdb82996244bf884d857fd4",
        "ae611edc20e2ea140fe748c91306384c28232324f6e6e5d7ac8a723800b62fbbff",
    ]
    /// The key that the shares make up, and the root key.
    package static let unsealKey = "87e2b87035c41b0bf26f6f3d33d42df036346f794d34c5ef59e5f729c5beac03"
    package static let rootKey = "ef2d14f7d0e5ba8c62a51509c0ef757a695318e5b8716f0cda985ce28c89d37c"
    package static let secret: StorageKey = "logical/8c1b7c2e-0000-4000-8000-000000000001/foo"

    private static let values: [(StorageKey, String)] = [
        (
            "core/hsm/barrier-unseal-keys",
            """
            CkzbwTliXZPgcR+Dz8BCHwo83Qkj7SwRT2LvlRu/OaESHjc9ReL1abJJYYNqoMG83rv8WNpj\
            cxGWjBTRN7VsTAkVOjVS+yk5SVFPxvGbKgA=
            """
        ),
        (
            "core/keyring",
            """
            AAAAAQIacnFpVWe7Iff1zFzC6Cincras/sTUsXRuZs3TqISmvvv0ljjCItS4QJak0yzSfEts\
            XuAMvFRvaP1qY+6LOoljA2RihckJkXBvPKm8kC4hLx8VvHpJx5xz0Lon+PP227A6RPmyoqPy\
            uGGWQrC0huq6MwkrB9/kU6Kp3BHGhiHo0uz6PHvB/U5kSgTPcVZpPKnqRI964+XgTl2/m3Oi\
            kqf4kUzpCTu4/nmwJPusH1J9NBs+sBRYwrFp8W0sUi5WS8m13BghPQ2tOwSMH/FpT6yK1AF9\
            ZUEFD8lR9xFfSW5hJpKaaCSAZFaW+s72lFsURoYQlzduIFZfkBSaKx3oAC/n/W+vEBKaLF0D\
            WjWHKtQUJ9U5gaS8GI9E0sCua3LLKF1mDuCxyefcsqBZmLBgSa0Krj60M1NdJKtPpPXKxVVr\
            ol7hOIPCgl++a0iEvnlNrFv6bzqGnUNYJcNiz+uB+Dr16/vhVK4AGsOsKzZciqsjGX2UD4Ru\
            IxXS7gggrLQ0BflaV17Wj/KJ4qhUoLfnxU/gm6Qovqv7xyPMv1Z/R4hdAQ4imFF8VQrpTylk\
            d/zj
            """
        ),
        (
            "core/master",
            """
            AAAAAgJXNmY/IPSQ6ogEE2XWBy0wyMFuMTHsYIWVEtTJ5DXHOTkArzw+HNV3P1gD3ykkhSUs\
            z+m22SblOyGti+30NvZ35QSQuQitoZoTOp6YIRwZrGTZb56ILI2PN3UvB9fD6OFJf7HYgz4a\
            d4v41R7xFwL/jQ7uXwS9jiy97sJFN6cZ1ss4wV7zP4IeGyOCJrLU
            """
        ),
        (
            "core/shamir-kek",
            "AAAAAQJjm7rgCyjIduL5hA7ludw6gFxKfQ9udnbhAWpD9QpOHCncw0fC5Y7LT+o6UfT4R5hKMU8RmZcksjxKBX0="
        ),
        (secret, "AAAAAgIdWEj6Un40I3j2gxwT8m32QLAVIHqDRLUMSFvf0/I2LGsrdUfO"),
        ("sys/policy/p", "AAAAAQFatxCuRy0ACiw0eWu3XO3WIadq3m14zn0pDGRj9mA1+gQ="),
    ]
    private static let seal = """
        {"type":"shamir","secret_shares":5,"secret_threshold":3,"pgp_keys":null,"nonce":"","backup":false,"stored_shares":1}
        """

    package static func make() throws -> InMemoryBackend {
        let store = InMemoryBackend()
        for (key, text) in values { try store.put(key, Array(Data(base64Encoded: text) ?? Data())) }
        try store.put(.sealConfiguration, Array(seal.utf8))
        return store
    }

    /// Shares as somebody gives them: the ones of these places, one a line.
    package static func shares(_ places: Int...) throws -> KeyShares { try keyShares(places.map { shares[$0] }) }
}

/// Texts as somebody gives them, one a line.
package func keyShares(_ texts: [String]) throws -> KeyShares {
    try KeyShares(text: secretBytes(Array(texts.joined(separator: "\n").utf8)))
}

/// Bytes in locked memory.
package func secretBytes(_ bytes: [UInt8]) throws -> SecretBytes {
    let secret = try SecretBytes(room: bytes.count)
    secret.withMutableBytes { $0.copyBytes(from: bytes) }
    return secret
}

/// The bytes of a text of hexadecimal digits.
package func bytes(hexadecimal text: String) -> [UInt8] {
    let digits = text.utf8.compactMap { hexDigitValue($0) }
    return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}
