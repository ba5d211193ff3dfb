import AWS
import JSON
import TestSupport
import Testing

/// Against moto, which knows the real service's requests and answers.
@Suite struct MotoTests {
    @Test func putsGetsAndScans() throws {
        let test = try TestClient(try PythonServer.moto.get().url, realTime: true)
        let missing = try #require(test.failure("DescribeTable", #"{"TableName":"none"}"#))
        #expect(missing.code == .noSuchResource)
        #expect(missing.exception == "ResourceNotFoundException")
        #expect(missing.attempts == 1)
        #expect(test.failure("Scan", #"{"TableName":"none","Segment":-1}"#) != nil)
        _ = try test.call(
            "CreateTable",
            """
            {"TableName":"calls","KeySchema":[{"AttributeName":"Path","KeyType":"HASH"},
            {"AttributeName":"Key","KeyType":"RANGE"}],"BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":
            [{"AttributeName":"Path","AttributeType":"S"},{"AttributeName":"Key","AttributeType":"S"}]}
            """)
        let item = #"{"Path":{"S":"a b"},"Key":{"S":"k"},"Value":{"B":"AAEC"}}"#
        _ = try test.call("PutItem", #"{"TableName":"calls","Item":\#(item)}"#)
        let got = try test.call(
            "GetItem", #"{"TableName":"calls","Key":{"Path":{"S":"a b"},"Key":{"S":"k"}},"ConsistentRead":true}"#)
        #expect(got.withRoot { $0["Item"]?["Value"]?["B"]?.text } == "AAEC")
        let scanned = try test.call("Scan", #"{"TableName":"calls","ReturnConsumedCapacity":"TOTAL"}"#)
        #expect(scanned.withRoot { $0["Count"]?.integer } == 1)
        let described = try test.call("DescribeTable", #"{"TableName":"calls"}"#)
        #expect(described.withRoot { $0["Table"]?["TableStatus"]?.text } == "ACTIVE")
        let refused = try #require(test.failure("PutItem", #"{"TableName":"calls","Item":{"Path":{"S":"a"}}}"#))
        #expect(refused.code == .validation)
        #expect(test.retries.all.isEmpty)
    }

    @Test func playsRoles() throws {
        let moto = try PythonServer.moto.get()
        try Scratch.withFolder { home in
            try Scratch.write("token".utf8, to: "\(home)/token")
            try Scratch.write(
                """
                [base]
                aws_access_key_id = AKIDBASE
                aws_secret_access_key = secret
                [role]
                role_arn = arn:aws:iam::123456789012:role/one
                source_profile = base
                duration_seconds = 1800
                """.utf8, to: "\(home)/credentials")
            let common = ["AWS_ENDPOINT_URL_STS": moto.url, "AWS_EC2_METADATA_DISABLED": "true"]
            let profile = ["AWS_SHARED_CREDENTIALS_FILE": "\(home)/credentials", "AWS_PROFILE": "role"]
            let web = [
                "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/two", "AWS_WEB_IDENTITY_TOKEN_FILE": "\(home)/token",
            ]
            for (environment, seconds) in [(profile, 1800), (web, 3600)] {
                let chain = CredentialsChain(
                    region: "us-east-1", environment: common.merging(environment) { $1 })
                let keys = try chain.credentials()
                #expect(keys.accessKeyID.hasPrefix("ASIA"))
                #expect(keys.sessionToken?.isEmpty == false)
                let left = try #require(keys.expiry).seconds - TimeSource.system.now().seconds
                #expect(abs(left - seconds) < 60)
                // And they sign.
                #expect(try TestClient(moto.url, credentials: chain, realTime: true).failure("ListTables") == nil)
            }
        }
    }
}
