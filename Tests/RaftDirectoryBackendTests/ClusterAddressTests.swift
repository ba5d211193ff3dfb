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
            ("https://$(HOSTNAME).vault-internal:8201", "the placeholder $(HOSTNAME)"),
            ("https://${NODE_IP}:8201", "the placeholder ${NODE_IP}"), ("https://$NODE_IP:8201", "$NODE_IP"),
            ("https://<node-ip>:8201", "the placeholder <node-ip>"), ("https://%{host}:8201", "%{host}"),
            ("https://{{ GetPrivateIP }}:8201", "the placeholder {{ GetPrivateIP }}"),
            ("{{ GetPrivateIP }}", "{{ GetPrivateIP }}"), ("https://{host}:8201", "the placeholder {host}"),
            ("https://*.vault.internal:8201", "is a pattern"), ("https://*:8201", "is a pattern"),
            ("https://fd00::1:8201", "without brackets"), ("https://::1:8201", "without brackets"),
            ("https://10.0.0.300:8201", "is no IPv4 address"), ("https://10.0.0.1.:8201", "not every program"),
            ("https://10.0.0:8201", "write 10.0.0.0"), ("https://0x0a.1:8201", "write 10.0.0.1"),
            ("https://1.2.3.4.5:8201", "is no IPv4 address"), ("https://vault.7:8201", "is no IPv4 address"),
            ("https://[vault]:8201", "no IPv6 address"), ("https://[10.0.0.1]:8201", "no IPv6 address"),
            ("https://224.0.0.1:8201", "multicast"), ("https://239.1.2.3:8201", "multicast"),
            ("https://[ff02::1]:8201", "multicast"), ("https://[::ffff:224.0.0.1]:8201", "multicast"),
            ("https://255.255.255.255:8201", "broadcast"), ("https://0.0.0.1:8201", "this network"),
            ("https://[fe80::1]:8201", "link-local"),
            ("https://127.1:8201", "is a loopback address"), ("https://0x7f.1:8201", "is a loopback address"),
            ("https://0177.0.0.1:8201", "is a loopback address"), ("https://2130706433:8201", "is a loopback address"),
            ("https://ip6-localhost:8201", "is a loopback address"),
            ("https://localhost.:8201", "is a loopback address"),
            ("https://ip6-loopback:8201", "is a loopback address"),
            ("https://a.localhost.:8201", "is a loopback address"),
            ("https://localhost.localdomain:8201", "is a loopback address"),
            ("https://[::127.0.0.1]:8201", "is a loopback address"),
            ("https://0:8201", "is the unspecified address"), ("https://0x0:8201", "is the unspecified address"),
            ("https://[::0.0.0.0]:8201", "is the unspecified address"),
            ("https://-vault:8201", "is no host name"), ("https://vault-:8201", "is no host name"),
            ("https://a..b:8201", "is no host name"), ("https://.a:8201", "is no host name"),
            ("https://va,ult:8201", "is no host name"), ("https://väult:8201", "xn--"),
            ("https://\(String(repeating: "a", count: 64)):8201", "is no host name"),
            ("https://\(String(repeating: "a.", count: 127))b:8201", "is no host name"),
            ("https://\(String(repeating: "a", count: 63)):8201", nil), ("https://vault.internal.:8201", nil),
            ("https://7.vault:8201", nil), ("https://xn--vult-5qa.example:65535", nil),
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

    @Test(arguments: [("https://10.0.0.11:8200", "port 8200"), ("https://vault_1:8201", "underscore")])
    func whatIsUnusualIsARemark(text: String, word: String) throws {
        let found = try destination("/raft-nowhere", address: text).destinationFindings()
        #expect(found.map(\.kind) == [.remark])
        #expect(found.first?.message.contains(word) == true)
    }

    /// What stands before the host or behind it can be a secret.
    @Test(arguments: [
        "https://user:CANARY@10.0.0.11", "https://user:CANARY@10.0.0.11:x", "https://10.0.0.11:x?token=CANARY",
        "https://10.0.0.11:x#CANARY", "https://u:CANARY$x@127.0.0.1:8201", "https://u:${CANARY}@10.0.0.300:1",
        "u:CANARY@h:1", "https://u:CANARY@[::1",
    ])
    func secretsInAnAddressAreNotRepeated(text: String) throws {
        do throws(StorageError) {
            let address = try ClusterAddress(parsing: text)
            #expect(address.objection != nil)
            #expect(!"\(address.hostAndPort) \(address.objection ?? "")".contains("CANARY"))
        } catch {
            #expect(error.code == .configuration)
            #expect(!"\(error)".contains("CANARY"))
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
