import RaftDirectoryBackend
import Storage
import TestSupport
import Testing

/// What is accepted as `cluster_addr`, and in which words the rest is refused.
@Suite struct ClusterAddressTests {
    /// Forms that Go's `net/url` takes apart or refuses.
    private static let forms = [
        "https://10.0.0.11:8201", "http://vault.example.org:8201", "https://[fd00::1]:8201", "https://[fd00::1]",
        "https://u:p@h:8201/path?query#part", "https://a@b@h:1", "//h:8201", "https://h", "https://h:", "h", "", "/",
        "a/b:c",
        "127.0.0.1:8201", "localhost:8201", "https:h:8201", "https:///h", ":8201", "1a://h:1", "a b://h:1", "é://h:1",
        "https://h:port", "https://h:82 01", "https://h:8201 ", " https://h:8201", "https://[::1", "https://[::1]x",
        "https://[::1]:x", "https://h h:1", "https://h\u{1}:1", "https://h\n:1", "https://h\u{7f}:1", "https://h\"\\:1",
        "https://h{:1", "https://h%41:1", "https://::1:8201", "a?b:c", "///h:1", "a:b@c", "https://é:1",
        "https://h:99999",
    ]

    @Test func textsAreTakenApartAndRefusedAsGoDoes() throws {
        for text in Self.forms where text != "https://h\u{0}:1" {
            let wanted = try GoProgram.raftcheck.run("address", text)
            var found: String
            do throws(StorageError) {
                found = "host \(try ClusterAddress(parsing: text).hostAndPort)"
            } catch {
                #expect(error.code == .configuration)
                found = error.message.replacing("error parsing cluster address: ", with: "error ", maxReplacements: 1)
            }
            #expect(found == wanted, "\(text)")
        }
    }

    @Test(
        arguments: [
            ("https://10.0.0.11:8201", nil), ("https://[fd00::1]:8201", nil), ("https://vault.internal:1/x", nil),
            ("https://127.0.0.2:8201", "is a loopback address"), ("https://localhost:8201", "is a loopback address"),
            ("https://LocalHost:8201", "is a loopback address"), ("https://[::1]:8201", "is a loopback address"),
            ("https://[0:0:0:0:0:0:0:1]:8201", "is a loopback address"),
            ("https://[::ffff:127.0.0.1]:1", "is a loopback address"),
            ("https://0.0.0.0:8201", "is the unspecified address"), ("https://[::]:8201", "is the unspecified address"),
            ("https://[0::0]:8201", "is the unspecified address"),
            ("https://[::ffff:0.0.0.0]:1", "is the unspecified address"),
            ("https://10.0.0.11", "has no port"), ("https://10.0.0.11:", "has no port"),
            ("https://[fd00::1]", "has no port"),
            ("https://h:0", "has the port \"0\""), ("https://h:65536", "has the port \"65536\""),
            ("https://h:99999999999999999999", "has the port"), ("localhost:8201", "names no host"),
            ("https://", "names no host"),
            ("https://:8201", "names no host"), ("10.0.0.11", "names no host"),
        ] as [(String, String?)])
    func addressesNoClusterCouldUseAreObstacles(text: String, objection: String?) throws {
        let practice = ["is a loopback address", "has no port"].contains(objection)
        for isPractice in [false, true] {
            let found = try destination("/raft-nowhere", address: text, isPractice: isPractice)
                .destinationFindings()
            guard let objection else {
                #expect(found.isEmpty)
                continue
            }
            let finding = try #require(found.first)
            #expect(finding.kind == (isPractice && practice ? .remark : .obstacle(.configuration)))
            #expect(finding.message.hasPrefix("cluster_addr ") && finding.message.contains(objection))
            #expect(finding.message.contains("-practice") == (practice && !isPractice))
        }
    }

    @Test func aMissingAddressIsRefusedInTheStockCommandsWords() throws {
        let error = #expect(throws: StorageError.self) { try destination("/nowhere/raft", address: "") }
        #expect(error?.code == .configuration)
        #expect(error?.message.hasPrefix("cluster_addr config not set\n") == true)
        let path = #expect(throws: StorageError.self) { try destination("") }
        #expect(path?.message == "'path' must be set")
    }
}
