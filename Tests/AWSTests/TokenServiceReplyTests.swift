import TestSupport
import Testing

@testable import AWS

@Suite struct TokenServiceReplyTests {
    @Test(arguments: [
        ("<A>text</A>", "text"), ("<x><A></A></x>", ""), ("<A>a&amp;&lt;&gt;&quot;&apos;b</A>", "a&<>\"'b"),
        ("<AB>1</AB><A>2</A>", "2"), ("<A>1</A><A>2</A>", "1"), ("<A>1", nil), ("<A>1</B>", nil), ("<A>1<b/></A>", nil),
        ("<A>&bogus;</A>", nil), ("<A>&amp</A>", nil), ("<A>&#65;</A>", nil), ("", nil), ("<A", nil), ("A>1</A>", nil),
        ("<A>&amp;amp;</A>", "&amp;"), ("<A>é</A>", "é"),
    ])
    func readsOneElement(document: String, text: String?) {
        #expect(SecurityTokenService.text(of: "A", in: Array(document.utf8)) == text)
    }

    @Test func survivesAnyReply() {
        let good = Array(
            """
            <AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>AKID</AccessKeyId><SecretAccessKey>a&amp;b
            </SecretAccessKey><SessionToken>t</SessionToken><Expiration>2026-01-01T00:00:00Z</Expiration></Credentials>
            """.utf8)
        var random = SeededRandom(fuzz: 12)
        for _ in 0..<Effort.rounds(20_000) {
            let bytes = random.mutated(good)
            for name in ["AccessKeyId", "SecretAccessKey", "Expiration"] {
                let text = SecurityTokenService.text(of: name, in: bytes)
                #expect(text?.utf8.count ?? 0 <= 3 * bytes.count)
            }
        }
        for count in 0..<good.count { _ = SecurityTokenService.text(of: "Expiration", in: Array(good.prefix(count))) }
    }
}
