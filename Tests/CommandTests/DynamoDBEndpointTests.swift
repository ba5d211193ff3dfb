import Foundation
import TestSupport
import Testing

/// Where the table is looked for, whom requests trust, and the options of other releases.
@Suite struct DynamoDBEndpointTests {
    private static let keys = ["AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "test"]

    private func server(_ sandbox: Sandbox) throws -> PracticeServer {
        var items = TableItems()
        for entry in SampleEntry.initialised { items.add(entry.key, entry.value) }
        return try PracticeServer(sandbox, ["-import", try sandbox.write("items.jsonl", items.text)])
    }

    /// A configuration that leaves the endpoint to the environment.
    private func configuration(_ sandbox: Sandbox, _ options: String = "") throws -> String {
        try sandbox.write(
            "migrate.hcl",
            "storage_source \"dynamodb\" {\n  region = \"eu-west-1\"\n\(options)}\n"
                + Store.raft("\(sandbox.path)/raft").block("storage_destination")
                + "cluster_addr = \"https://10.0.0.11:8201\"\n")
    }

    @Test(arguments: ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL", "services", "profile"])
    func theTableIsWhereTheSDKsLookForIt(_ way: String) throws {
        let sandbox = try Sandbox()
        let server = try server(sandbox)
        var variables = Self.keys
        try makeFolder("\(sandbox.path)/home/.aws")
        switch way {
        case "services":
            try sandbox.write(
                "home/.aws/config",
                "[profile work]\nservices = local\nendpoint_url = http://127.0.0.1:1\n[services local]\n"
                    + "sts =\n  endpoint_url = http://127.0.0.1:1\ndynamodb =\n  endpoint_url = \(server.endpoint)\n")
            variables["AWS_PROFILE"] = "work"
        case "profile":
            try sandbox.write("home/.aws/config", "[default]\nendpoint_url = \(server.endpoint)\n")
        default: variables[way] = server.endpoint
        }
        let outcome = try sandbox.sealift(
            ["operator", "migrate", "-config", try configuration(sandbox)], adding: variables)
        try #require(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("the endpoint comes from"), "\(outcome.output)")
        #expect(outcome.output.contains(way.hasPrefix("AWS") ? way : "endpoint_url"), "\(outcome.output)")
    }

    @Test func theBlockAndVaultsVariableComeFirst() throws {
        let sandbox = try Sandbox()
        let server = try server(sandbox)
        let variables = Self.keys.merging(["AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:1"]) { $1 }
        let checksum = ["checksum", "-side=source", "-config"]
        let named = try configuration(sandbox, "  endpoint = \"\(server.endpoint)\"\n")
        #expect(try sandbox.sealift(checksum + [named], adding: variables).code == 0)
        let unnamed = try configuration(sandbox)
        #expect(
            try sandbox.sealift(
                checksum + [unnamed], adding: variables.merging(["AWS_DYNAMODB_ENDPOINT": server.endpoint]) { $1 }
            ).code == 0)
        let refused = try sandbox.sealift(checksum + [unnamed], adding: variables)
        #expect(refused.code == 2 && refused.errors.contains("http://127.0.0.1:1/"), "\(refused.errors)")
        let odd = try sandbox.sealift(
            checksum + [unnamed], adding: Self.keys.merging(["AWS_ENDPOINT_URL": "ftp://me:secret@x"]) { $1 })
        #expect(odd.code != 0 && odd.errors.contains("which AWS_ENDPOINT_URL gives"), "\(odd.errors)")
        #expect(!odd.errors.contains("secret"))
    }

    /// The server is one of TLS, behind which the table lies.
    @Test func everyRequestTrustsTheSameCertificates() throws {
        let sandbox = try Sandbox()
        let server = try server(sandbox)
        let certificate = "\(sandbox.path)/certificate"
        let secure = try PythonServer("tls_server.py", certificate, server.endpoint)
        defer { secure.stop() }
        let words = [
            "checksum", "-side=source", "-config",
            try configuration(sandbox, "  endpoint = \"https://127.0.0.1:\(secure.port)\"\n"),
        ]
        let stranger = try sandbox.sealift(words, adding: Self.keys)
        #expect(stranger.code == 2 && stranger.errors.contains("AWS_CA_BUNDLE"), "\(stranger.errors)")
        for variables in [["AWS_CA_BUNDLE": certificate], ["SSL_CERT_FILE": certificate]] {
            let outcome = try sandbox.sealift(words, adding: Self.keys.merging(variables) { $1 })
            #expect(outcome.code == 0, "\(variables): \(outcome.errors)")
        }
        try makeFolder("\(sandbox.path)/home/.aws")
        try sandbox.write("home/.aws/config", "[default]\nca_bundle = \(certificate)\n")
        #expect(try sandbox.sealift(words, adding: Self.keys).code == 0)
        // The variable counts before the profile, and is named.
        let other = try sandbox.sealift(
            words, adding: Self.keys.merging(["AWS_CA_BUNDLE": "/etc/hostname"]) { $1 })
        #expect(other.code == 2 && other.errors.contains("/etc/hostname, which AWS_CA_BUNDLE names"), "\(other.errors)")
    }

    @Test func optionsOfOtherReleasesAreTaken() throws {
        let sandbox = try Sandbox()
        let server = try server(sandbox)
        let options = """
              endpoint = "\(server.endpoint)"
              billing_mode = "PAY_PER_REQUEST"
              dynamodb_allow_updates = "true"
              recovery_mode = "1"
              ha_enabled = "true"

            """
        let outcome = try sandbox.sealift(
            ["operator", "migrate", "-config", try configuration(sandbox, options)], adding: Self.keys)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(
            outcome.output.contains("no effect on a migration: dynamodb_allow_updates, ha_enabled, recovery_mode."),
            "\(outcome.output)")
        let made = server.store("made", ["read_capacity": "7", "billing_mode": "PAY_PER_REQUEST"])
        let back = try sandbox.migrate(try sandbox.configuration(.raft("\(sandbox.path)/raft"), made, name: "back.hcl"))
        #expect(back.code == 0, "\(back.errors)")
        let plan = try sandbox.sealift(
            ["plan", "-config", "\(sandbox.path)/back.hcl"])
        #expect(plan.output.contains("on demand, at first"), "\(plan.output)")
    }

    @Test(arguments: ["page-403", "page-400", "page-200", "redirect"])
    func answersOfProxiesAreToldFromTheServices(_ behaviour: String) throws {
        let sandbox = try Sandbox()
        let odd = try PythonServer.odd.get()
        let words = [
            "checksum", "-side=source", "-config",
            try configuration(sandbox, "  endpoint = \"http://dynamodb.invalid/\(behaviour)/proxied\"\n"),
        ]
        // As a proxy the server answers requests of whole addresses.
        let proxy = odd.url.replacing("http://", with: "http://me:secret@")
        let outcome = try sandbox.sealift(words, adding: Self.keys.merging(["http_proxy": proxy]) { $1 })
        #expect(outcome.code == 2, "\(outcome.errors)")
        for part in [
            behaviour == "redirect"
                ? "the answer is a redirection (HTTP status 302" : "the answer is a page for browsers",
            "http_proxy (\(odd.url))", "no_proxy",
        ] {
            #expect(outcome.errors.contains(part), "\(part): \(outcome.errors)")
        }
        #expect(!outcome.errors.contains("secret"), "\(outcome.errors)")
    }
}
