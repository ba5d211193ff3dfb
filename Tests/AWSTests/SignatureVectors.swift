import AWS

/// One case of AWS's published test suite for Signature Version 4: a request and the signature that belongs to it.
struct SignatureVector: Sendable, CustomStringConvertible {
    var description: String
    var method = "GET"
    var target = "/"
    var headers: [(name: String, value: String)] = []
    var token: String?
    var body = ""
    var signature: String

    init(
        _ name: String, _ method: String = "GET", _ target: String = "/", headers: [(name: String, value: String)] = [],
        token: String? = nil, body: String = "", signature: String
    ) {
        description = name
        self.method = method
        self.target = target
        self.headers = headers
        self.token = token
        self.body = body
        self.signature = signature
    }

    var request: SignableRequest {
        let cut = target.firstIndex(of: "?") ?? target.endIndex
        return SignableRequest(
            method: method, path: String(target[..<cut]), query: String(target[cut...].dropFirst()),
            headers: [("Host", "example.amazonaws.com")] + headers)
    }

    static let time = Timestamp(seconds: 1_440_938_160)

    static func credentials(token: String?) -> Credentials {
        Credentials(
            accessKeyID: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            sessionToken: token, source: "test suite")
    }

    private static let unreserved = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    private static let vanilla = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    private static let postVanilla = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
    private static let form = "application/x-www-form-urlencoded"
    private static let longToken =
        "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuw"
        + "thAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8Y"
        + "QcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2I"
        + "CCR/oLxBA=="

    static let all = [
        SignatureVector("get-vanilla", signature: vanilla),
        SignatureVector(
            "get-header-key-duplicate",
            headers: [("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1")],
            signature: "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"),
        SignatureVector(
            "get-header-value-multiline", headers: [("My-Header1", "value1\n  value2\n     value3")],
            signature: "cfd34249e4b1c8d6b91ef74165d41a32e5fab3306300901bb65a51a73575eefd"),
        SignatureVector(
            "get-header-value-order",
            headers: [
                ("My-Header1", "value4"), ("My-Header1", "value1"), ("My-Header1", "value3"), ("My-Header1", "value2"),
            ], signature: "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"),
        SignatureVector(
            "get-header-value-trim", headers: [("My-Header1", " value1"), ("My-Header2", " \"a   b   c\"")],
            signature: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
        SignatureVector(
            "get-unreserved", "GET", "/\(unreserved)",
            signature: "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
        SignatureVector(
            "get-utf8", "GET", "/ሴ", signature: "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
        SignatureVector(
            "get-vanilla-empty-query-key", "GET", "/?Param1=value1",
            signature: "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
        SignatureVector(
            "get-vanilla-query-order-encoded", "GET", "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
            signature: "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"),
        SignatureVector(
            "get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1",
            signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
        SignatureVector(
            "get-vanilla-query-order-key", "GET", "/?Param1=value2&Param1=Value1",
            signature: "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1"),
        SignatureVector(
            "get-vanilla-query-order-value", "GET", "/?Param1=value2&Param1=value1",
            signature: "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"),
        SignatureVector(
            "get-vanilla-query-unreserved", "GET", "/?\(unreserved)=\(unreserved)",
            signature: "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"),
        SignatureVector(
            "get-vanilla-utf8-query", "GET", "/?ሴ=bar",
            signature: "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
        SignatureVector(
            "get-vanilla-with-session-token", token: "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267",
            signature: "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"),
        SignatureVector("get-relative-relative", "GET", "/example1/example2/../..", signature: vanilla),
        SignatureVector("get-relative", "GET", "/example/..", signature: vanilla),
        SignatureVector("get-slash-dot-slash", "GET", "/./", signature: vanilla),
        SignatureVector(
            "get-slash-pointless-dot", "GET", "/./example",
            signature: "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"),
        SignatureVector("get-slash", "GET", "//", signature: vanilla),
        SignatureVector(
            "get-slashes", "GET", "//example//",
            signature: "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
        SignatureVector(
            "get-space", "GET", "/example space/",
            signature: "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"),
        SignatureVector(
            "get-special-character", "GET", "/example/$delete",
            signature: "a853c9b21b528b19643d00910d35b83a10c366a10833ceefb45edd6c80e40f27"),
        SignatureVector("post-vanilla", "POST", signature: postVanilla),
        SignatureVector(
            "post-header-key-sort", "POST", headers: [("My-Header1", "value1")],
            signature: "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"),
        SignatureVector(
            "post-header-value-case", "POST", headers: [("My-Header1", "VALUE1")],
            signature: "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"),
        SignatureVector(
            "post-sts-header-before", "POST", token: longToken,
            signature: "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"),
        SignatureVector(
            "post-vanilla-query", "POST", "/?Param1=value1",
            signature: "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"),
        SignatureVector(
            "post-x-www-form-urlencoded-parameters", "POST", headers: [("Content-Type", "\(form); charset=utf8")],
            body: "Param1=value1", signature: "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe"),
        SignatureVector(
            "post-x-www-form-urlencoded", "POST", headers: [("Content-Type", form)], body: "Param1=value1",
            signature: "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
    ]
}
