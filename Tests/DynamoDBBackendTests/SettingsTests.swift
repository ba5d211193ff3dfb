import Storage
import StorageTestKit
import Testing

@testable import DynamoDBBackend

@Suite struct SettingsTests {
    private func settings(
        _ options: [String: String], _ environment: [String: String] = [:]
    ) throws -> DynamoDBSettings {
        try DynamoDBSettings(
            BackendSettings(
                block: "storage_source", settings: options.map { BackendSetting(name: $0.key, value: $0.value) },
                environment: environment))
    }

    @Test func defaultsAreTheStockOnes() throws {
        let found = try settings([:])
        #expect(found.table == "vault-dynamodb-backend" && found.region == "us-east-1" && found.endpoint == nil)
        #expect(found.maximumParallel == 128 && found.maximumRetries == nil && found.creation == nil)
        #expect(found.readsConsistently)
    }

    @Test func theEnvironmentWins() throws {
        let options = ["table": "file", "region": "file-1", "endpoint": "http://file", "dynamodb_max_retries": "1"]
        var environment = [
            "AWS_DYNAMODB_TABLE": "env", "AWS_DYNAMODB_ENDPOINT": "http://env", "AWS_DYNAMODB_MAX_RETRIES": "7",
            "AWS_DEFAULT_REGION": "third-1",
        ]
        #expect(try settings(options, environment).region == "third-1")
        environment["AWS_REGION"] = "second-1"
        #expect(try settings(options, environment).region == "second-1")
        environment["AWS_DYNAMODB_REGION"] = "first-1"
        let found = try settings(options, environment)
        #expect(found.region == "first-1" && found.table == "env" && found.endpoint == "http://env")
        #expect(found.maximumRetries == 7)
        #expect(try settings(options, ["AWS_DYNAMODB_TABLE": ""]).table == "file")
    }

    @Test func tablesAreCreatedOnlyOnRequest() throws {
        #expect(try settings(["create_table": "on-demand"]).creation == .onDemand)
        #expect(try settings(["create_table": "provisioned"]).creation == .provisioned(read: 5, write: 5))
        #expect(try settings(["read_capacity": "7"]).creation == .provisioned(read: 7, write: 5))
        #expect(
            try settings(["write_capacity": "0"], ["AWS_DYNAMODB_READ_CAPACITY": "9"]).creation
                == .provisioned(read: 9, write: 5))
        #expect(try settings(["create_table": "false", "read_capacity": "7"]).creation == nil)
    }

    @Test(
        arguments: [
            (["read_capacity": "7", "billing_mode": "PAY_PER_REQUEST"], [:], true),
            (["read_capacity": "7", "billing_mode": "provisioned"], [:], false),
            (
                ["write_capacity": "7", "billing_mode": "PROVISIONED"],
                ["AWS_DYNAMODB_BILLING_MODE": "PAY_PER_REQUEST"], true
            ),
            (["billing_mode": "PAY_PER_REQUEST"], [:], nil),
            (["create_table": "on-demand", "billing_mode": "PAY_PER_REQUEST"], [:], true),
        ] as [([String: String], [String: String], Bool?)])
    func theBillingModeCountsForTablesThatAreCreated(
        _ options: [String: String], _ environment: [String: String], _ isOnDemand: Bool?
    ) throws {
        let creation = try settings(options, environment).creation
        #expect((creation == nil) == (isOnDemand == nil))
        #expect((creation == .onDemand) == (isOnDemand == true))
    }

    @Test func limitsAreSharesAndUnits() throws {
        let found = try settings(["max_read_share": "0.5", "max_rcu": "30", "max_wcu": "2.5"])
        #expect(found.readRate.unitsPerSecond(provisioned: 100) == 30)
        #expect(found.readRate.unitsPerSecond(provisioned: 40) == 20)
        #expect(found.readRate.unitsPerSecond(provisioned: nil) == 30)
        #expect(found.writeRate.unitsPerSecond(provisioned: 100) == 2.5)
        #expect(try settings([:]).readRate.unitsPerSecond(provisioned: 100) == nil)
    }

    @Test(arguments: [
        ("read_capacity", "x", "invalid read capacity: it is no whole number"),
        ("write_capacity", "1.5", "invalid write capacity: it is no whole number"),
        ("dynamodb_max_retries", "many", "invalid max retry: it is no whole number"),
        ("max_parallel", "x", "failed parsing max_parallel parameter"), ("table", "a/b", "is no name of a table"),
        ("max_read_share", "1.5", "share above 0"), ("max_write_share", "0", "number above 0"),
        ("max_rcu", "nan", "number above 0"), ("create_table", "yes", "on-demand, provisioned or false"),
        ("consistent_read", "maybe", "true or false"), ("billing_mode", "FREE", "PROVISIONED or PAY_PER_REQUEST"),
    ])
    func whatMakesNoSenseIsRefused(_ name: String, _ value: String, _ message: String) {
        let error = #expect(throws: StorageError.self) { try settings([name: value]) }
        #expect(error?.code == .configuration)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    @Test(arguments: [
        (["region": "not a region"], "is no name of an AWS region"),
        (["endpoint": "ftp://x"], "is no URL of a service"),
        (["endpoint": "http://me:secret@x"], "endpoint \"***\" is no URL of a service"),
        (["endpoint": "https://user:s3cr#et@host"], "endpoint \"***\" is no URL of a service"),
        (["endpoint": "ftp://h/?token=secret"], "endpoint \"***\" is no URL of a service"),
    ])
    func addressesThatLeadNowhereAreRefused(_ options: [String: String], _ message: String) {
        let error = #expect(throws: StorageError.self) {
            try openTable("table", "http://127.0.0.1:1", .source(writesMarker: false), options)
        }
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }
}
