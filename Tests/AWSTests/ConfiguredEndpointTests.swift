import AWS
import Foundation
import HTTPClient
import TestSupport
import Testing

/// What environment and profiles say of addresses and certificates, in the SDKs' order.
@Suite struct ConfiguredEndpointTests {
    private static let config = """
        [default]
        services = shop
        endpoint_url = http://profile
        ca_bundle = /profile.pem
        [profile plain]
        endpoint_url = http://plain ; a remark
        [profile deaf]
        services = shop
        ignore_configured_endpoint_urls = TRUE
        [profile gone]
        services = nowhere
        [services shop]
        s3 =
          endpoint_url = http://s3
        dynamodb =
          endpoint_url = http://services
          other = x
        [services other]
        dynamodb =
          endpoint_url = http://other
        """

    private func find(_ service: StaticString, _ environment: [String: String]) throws -> String? {
        try Scratch.withFolder { home in
            try FileManager.default.createDirectory(atPath: "\(home)/.aws", withIntermediateDirectories: true)
            try Scratch.write(Self.config.utf8, to: "\(home)/.aws/config")
            return ConfiguredEndpoint(service: service, environment: environment.merging(["HOME": home]) { $1 })?.text
        }
    }

    @Test(
        arguments: [
            ([:], "http://services", "http://profile"), (["AWS_PROFILE": "plain"], "http://plain", "http://plain"),
            (["AWS_PROFILE": "deaf"], nil, nil), (["AWS_PROFILE": "gone"], nil, nil),
            (["AWS_PROFILE": "none"], nil, nil),
            (["AWS_ENDPOINT_URL": "http://all"], "http://all", "http://all"),
            (
                ["AWS_ENDPOINT_URL": "http://all", "AWS_ENDPOINT_URL_DYNAMODB": "http://one"], "http://one",
                "http://all"
            ),
            (["AWS_ENDPOINT_URL_DYNAMODB": "", "AWS_ENDPOINT_URL_STS": "http://sts"], "http://services", "http://sts"),
            (["AWS_ENDPOINT_URL": "http://all", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"], nil, nil),
            (["AWS_PROFILE": "deaf", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"], "http://services", nil),
            (["AWS_PROFILE": "deaf", "AWS_ENDPOINT_URL": "http://all"], nil, nil),
        ] as [([String: String], String?, String?)])
    func addressesAreFoundInTheSDKsOrder(_ environment: [String: String], _ table: String?, _ tokens: String?) throws {
        #expect(try find("dynamodb", environment) == table)
        #expect(try find("sts", environment) == tokens)
    }

    @Test func certificatesAreFoundInOrder() throws {
        try Scratch.withFolder { home in
            try FileManager.default.createDirectory(atPath: "\(home)/.aws", withIntermediateDirectories: true)
            try Scratch.write(Self.config.utf8, to: "\(home)/.aws/config")
            for (environment, file) in [
                (["AWS_CA_BUNDLE": "/bundle.pem", "SSL_CERT_FILE": "/ssl.pem"], "/bundle.pem"),
                (["SSL_CERT_FILE": "/ssl.pem"], "/profile.pem"),
                (["SSL_CERT_FILE": "/ssl.pem", "AWS_PROFILE": "plain"], "/ssl.pem"), (["AWS_PROFILE": "plain"], nil),
            ] as [([String: String], String?)] {
                let trusted = TrustedCertificates(environment: environment.merging(["HOME": home]) { $1 })
                #expect(trusted.file == file)
                var configuration = HTTPConfiguration()
                trusted.apply(to: &configuration)
                #expect(configuration.certificates == file.map { .file($0) })
                #expect(configuration.trustAdvice?.contains(trusted.source ?? "AWS_CA_BUNDLE") == true)
            }
        }
    }
}
