import Storage

extension DynamoDBSettings {
    /// Requests under way at once if nothing is said (Vault 1.14 `physical/dynamodb`, `DefaultParallelOperations`).
    static let standardParallel = 128

    static let tableOption = BackendOption(
        "table", .text, environment: ["AWS_DYNAMODB_TABLE"], default: "vault-dynamodb-backend", "Name of the table.")
    static let regionOption = BackendOption(
        "region", .text, environment: ["AWS_DYNAMODB_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"], default: "us-east-1",
        "AWS region.")
    static let endpointOption = BackendOption(
        "endpoint", .text, environment: ["AWS_DYNAMODB_ENDPOINT"],
        "URL of another service with this protocol. Without it AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL and a "
            + "profile's endpoint_url count.")
    static let accessKeyOption = BackendOption(
        "access_key", .text, isSecret: true, "Access key id; without it the usual chain of AWS is asked.")
    static let secretKeyOption = BackendOption(
        "secret_key", .text, isSecret: true, "Secret access key, beside access_key.")
    static let sessionTokenOption = BackendOption(
        "session_token", .text, isSecret: true, "Session token, beside access_key.")
    static let parallelOption = BackendOption(
        "max_parallel", .integer(minimum: nil), default: "\(standardParallel)", "Requests under way at once at most.")
    static let retriesOption = BackendOption(
        "dynamodb_max_retries", .integer(minimum: nil), environment: ["AWS_DYNAMODB_MAX_RETRIES"],
        "Attempts after the first; 10 if nothing is said.")
    static let readCapacityOption = BackendOption(
        "read_capacity", .integer(minimum: nil), environment: ["AWS_DYNAMODB_READ_CAPACITY"],
        "For a table that is created: read units a second.")
    static let writeCapacityOption = BackendOption(
        "write_capacity", .integer(minimum: nil), environment: ["AWS_DYNAMODB_WRITE_CAPACITY"],
        "For a table that is created: write units a second.")
    static let billingOption = BackendOption(
        "billing_mode", .words(["PROVISIONED", "PAY_PER_REQUEST"]), environment: ["AWS_DYNAMODB_BILLING_MODE"],
        "For a table that is created. Alone it creates none.")
    static let createOption = BackendOption(
        "create_table", .words(["on-demand", "provisioned", "false"]), isOwn: true,
        "Create a missing destination table: on-demand, or provisioned with read_capacity and write_capacity.")
    static let consistentOption = BackendOption(
        "consistent_read", .boolean, default: "true", isOwn: true, "Read strongly consistently, for twice the units.")
    static let readShareOption = BackendOption(
        "max_read_share", .number(maximum: 1), isOwn: true,
        "Share of the table's provisioned read capacity to use, such as 0.5.")
    static let writeShareOption = BackendOption(
        "max_write_share", .number(maximum: 1), isOwn: true,
        "Share of the table's provisioned write capacity to use, such as 0.5.")
    static let readUnitsOption = BackendOption(
        "max_rcu", .number(maximum: nil), isOwn: true, "Read units a second to use at most.")
    static let writeUnitsOption = BackendOption(
        "max_wcu", .number(maximum: nil), isOwn: true, "Write units a second to use at most.")

    /// In the order of the reference.
    static let options: [BackendOption] =
        [
            tableOption, regionOption, endpointOption, accessKeyOption, secretKeyOption, sessionTokenOption,
            parallelOption, retriesOption, readCapacityOption, writeCapacityOption, billingOption, createOption,
            consistentOption, readShareOption, writeShareOption, readUnitsOption, writeUnitsOption,
        ] + ["dynamodb_allow_updates", "recovery_mode", "ha_enabled"].map { BackendOption(ignored: $0) }
}
