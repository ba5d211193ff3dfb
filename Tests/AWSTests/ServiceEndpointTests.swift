import AWS
import Testing

@Suite struct ServiceEndpointTests {
    @Test(arguments: [
        ("eu-central-1", "https://dynamodb.eu-central-1.amazonaws.com/"),
        ("cn-north-1", "https://dynamodb.cn-north-1.amazonaws.com.cn/"),
        ("us-gov-west-1", "https://dynamodb.us-gov-west-1.amazonaws.com/"),
        ("us-iso-east-1", "https://dynamodb.us-iso-east-1.c2s.ic.gov/"),
        ("us-isob-east-1", "https://dynamodb.us-isob-east-1.sc2s.sgov.gov/"), ("", nil), ("eu central", nil),
        ("-eu", nil), ("eu-", nil), ("eu.example.com/x", nil), ("eu\n", nil), ("éu-1", nil),
        (String(repeating: "a", count: 64), nil),
    ])
    func knowsRegions(region: String, url: String?) {
        #expect(ServiceEndpoint(service: "dynamodb", region: region)?.description == url)
    }

    @Test(arguments: [
        ("localhost:8000", "https://localhost:8000/", "localhost:8000"),
        ("http://localhost:8000", "http://localhost:8000/", "localhost:8000"),
        ("HTTP://Localhost:80/", "http://Localhost/", "Localhost"),
        ("https://a.b.example:443/path/x", "https://a.b.example/path/x", "a.b.example"),
        ("https://a:80", "https://a:80/", "a:80"), ("http://[::1]:8000/", "http://[::1]:8000/", "[::1]:8000"),
        ("[fd00::1]", "https://[fd00::1]/", "[fd00::1]"),
        ("https://under_score", "https://under_score/", "under_score"),
    ])
    func readsWhatUsersWrite(text: String, url: String, host: String) {
        #expect(ServiceEndpoint(text)?.description == url)
        #expect(ServiceEndpoint(text)?.host == host)
    }

    @Test(arguments: [
        "", "http://", "ftp://a", "http://a:0", "http://a:65536", "http://a:x", "http://a:", "http://user@a",
        "http://user:pass@a/", "http://a b/", "http://a/b c", "http://a/?q", "http://a/#f", "http://a\r\nX: y/", "://a",
        "http://a:+80", "http://[::1", "http://[]", "http://ä.example/", "http://a/\u{7f}",
        "http://a/" + String(repeating: "x", count: 1024),
    ])
    func refusesWhatIsNoEndpoint(text: String) {
        #expect(ServiceEndpoint(text) == nil)
    }
}
