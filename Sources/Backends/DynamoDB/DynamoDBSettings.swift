import AWS
import Storage

/// The options of a `dynamodb` block, resolved with the environment in the stock backend's precedence
/// (Vault 1.14 `physical/dynamodb`, `NewDynamoDBBackend`): the environment wins, except for credentials.
struct DynamoDBSettings: Sendable {
    /// How a missing destination table is to be created.
    enum Creation: Sendable, Equatable {
        case onDemand
        /// Capacity units a second.
        case provisioned(read: Int, write: Int)
    }

    let table: String
    let region: String
    /// As written; `nil` for AWS itself.
    let endpoint: String?
    /// What names the endpoint, if it is a setting of the AWS SDKs and not one of the block or of Vault.
    let endpointSource: String?
    /// Requests that may be under way at once.
    let maximumParallel: Int
    /// Attempts after the first; `nil` for the default.
    let maximumRetries: Int?
    /// `nil` unless a missing table may be created.
    let creation: Creation?
    let readsConsistently: Bool
    let readRate: CapacityLimit
    let writeRate: CapacityLimit

    /// What may be used of a table's capacity in one direction.
    struct CapacityLimit: Sendable, Equatable {
        /// Of the provisioned units, above 0 and at most 1.
        var share: Double?
        /// Units a second.
        var units: Double?

        /// Units a second to keep to, with what the table has provisioned (`nil` if it is on demand).
        func unitsPerSecond(provisioned: Int?) -> Double? {
            let shared = provisioned.flatMap { provisioned in share.map { $0 * Double(provisioned) } }
            guard let units else { return shared }
            return min(units, shared ?? units)
        }
    }

    static let options: [BackendOption] = [
        BackendOption("table", "Name of the table. AWS_DYNAMODB_TABLE wins. Default vault-dynamodb-backend."),
        BackendOption(
            "region",
            "AWS region. AWS_DYNAMODB_REGION, AWS_REGION and AWS_DEFAULT_REGION win, in this order. Default us-east-1."),
        BackendOption(
            "endpoint",
            "URL of another service with this protocol. AWS_DYNAMODB_ENDPOINT wins; without both AWS_ENDPOINT_URL_DYNAMODB, "
                + "AWS_ENDPOINT_URL and a profile's endpoint_url count."),
        BackendOption("access_key", "Access key id; without it the usual chain of AWS is asked."),
        BackendOption("secret_key", "Secret access key, beside access_key."),
        BackendOption("session_token", "Session token, beside access_key."),
        BackendOption("max_parallel", "Requests under way at once at most. Default 128."),
        BackendOption("dynamodb_max_retries", "Attempts after the first. AWS_DYNAMODB_MAX_RETRIES wins. Default 10."),
        BackendOption(
            "read_capacity", "For a table that is created: read units a second. AWS_DYNAMODB_READ_CAPACITY wins."),
        BackendOption(
            "write_capacity", "For a table that is created: write units a second. AWS_DYNAMODB_WRITE_CAPACITY wins."),
        BackendOption(
            "billing_mode",
            "For a table that is created: PROVISIONED or PAY_PER_REQUEST. AWS_DYNAMODB_BILLING_MODE wins. Alone it creates "
                + "none."),
        BackendOption("dynamodb_allow_updates", "A table that is there is never changed.", ignored: true),
        BackendOption("recovery_mode", "Means nothing to a migration.", ignored: true),
        BackendOption("ha_enabled", "Means nothing to a migration.", ignored: true),
        BackendOption(
            "create_table",
            "Create a missing destination table: on-demand, or provisioned with read_capacity and write_capacity."),
        BackendOption("consistent_read", "Read strongly consistently, for twice the units. Default true."),
        BackendOption("max_read_share", "Share of the table's provisioned read capacity to use, such as 0.5."),
        BackendOption("max_write_share", "Share of the table's provisioned write capacity to use, such as 0.5."),
        BackendOption("max_rcu", "Read units a second to use at most."),
        BackendOption("max_wcu", "Write units a second to use at most."),
    ]

    /// - Throws: `.configuration`, in the stock backend's words where it has any.
    init(_ settings: BackendSettings) throws(StorageError) {
        table = settings.string("table", environment: "AWS_DYNAMODB_TABLE") ?? "vault-dynamodb-backend"
        region =
            settings.string("region", environment: "AWS_DYNAMODB_REGION", "AWS_REGION", "AWS_DEFAULT_REGION")
            ?? "us-east-1"
        let endpoint = settings.string("endpoint", environment: "AWS_DYNAMODB_ENDPOINT")
        let configured =
            endpoint ?? "" == "" ? ConfiguredEndpoint(service: "dynamodb", environment: settings.environment) : nil
        self.endpoint = configured?.text ?? (endpoint == "" ? nil : endpoint)
        endpointSource = configured?.source
        maximumRetries = try Self.number(
            settings, "dynamodb_max_retries", "AWS_DYNAMODB_MAX_RETRIES", "invalid max retry")
        let parallel = try Self.number(settings, "max_parallel", "", "failed parsing max_parallel parameter") ?? 0
        maximumParallel = parallel > 0 ? parallel : 128
        let read = try Self.number(settings, "read_capacity", "AWS_DYNAMODB_READ_CAPACITY", "invalid read capacity")
        let write = try Self.number(
            settings, "write_capacity", "AWS_DYNAMODB_WRITE_CAPACITY", "invalid write capacity")
        creation = try Self.creation(settings, read, write)
        readsConsistently = try Self.boolean(settings, "consistent_read") ?? true
        readRate = CapacityLimit(
            share: try Self.share(settings, "max_read_share"), units: try Self.units(settings, "max_rcu"))
        writeRate = CapacityLimit(
            share: try Self.share(settings, "max_write_share"), units: try Self.units(settings, "max_wcu"))
        try checkTableName(settings)
    }

    /// Table names have 3 to 255 characters of these
    /// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html).
    private func checkTableName(_ settings: BackendSettings) throws(StorageError) {
        let isAllowed = table.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        guard isAllowed, (3...255).contains(table.utf8.count) else {
            throw StorageError(
                .configuration,
                "table \"\(StorageKey(table))\" is no name of a table: 3 to 255 letters, digits, \"_\", \"-\" or \".\".",
                place: settings.place(of: "table"))
        }
    }

    private static func creation(
        _ settings: BackendSettings, _ read: Int?, _ write: Int?
    ) throws(StorageError) -> Creation? {
        let mode = settings.string("billing_mode", environment: "AWS_DYNAMODB_BILLING_MODE") ?? ""
        let isOnDemand = mode.uppercased() == "PAY_PER_REQUEST"
        guard isOnDemand || mode.isEmpty || mode.uppercased() == "PROVISIONED" else {
            throw StorageError(
                .configuration,
                "billing_mode is PROVISIONED or PAY_PER_REQUEST, not \"\(StorageKey(mode))\".",
                place: settings.place(of: "billing_mode"))
        }
        // 0 means the stock default of 5.
        let provisioned = Creation.provisioned(
            read: read.flatMap { $0 > 0 ? $0 : nil } ?? 5,
            write: write.flatMap { $0 > 0 ? $0 : nil } ?? 5)
        switch settings.string("create_table") {
        case nil: return read != nil || write != nil ? (isOnDemand ? .onDemand : provisioned) : nil
        case "provisioned" where isOnDemand:
            throw StorageError(
                .configuration,
                "create_table = \"provisioned\" and billing_mode = \"PAY_PER_REQUEST\" contradict each other. Remove one.",
                place: settings.place(of: "create_table"))
        case "on-demand" where !isOnDemand && !mode.isEmpty:
            throw StorageError(
                .configuration,
                "create_table = \"on-demand\" and billing_mode = \"PROVISIONED\" contradict each other. Remove one.",
                place: settings.place(of: "create_table"))
        case "provisioned": return provisioned
        case "on-demand": return .onDemand
        case "false": return nil
        case .some:
            throw StorageError(
                .configuration, "create_table is on-demand, provisioned or false.",
                place: settings.place(of: "create_table"))
        }
    }

    private static func number(
        _ settings: BackendSettings, _ name: String, _ variable: String, _ complaint: String
    ) throws(StorageError) -> Int? {
        let text = variable.isEmpty ? settings.string(name) : settings.string(name, environment: variable)
        guard let text, !text.isEmpty else { return nil }
        guard let number = Int(text) else {
            throw StorageError(
                .configuration, "\(complaint): it is no whole number.",
                place: settings.place(of: name))
        }
        return number
    }

    private static func boolean(_ settings: BackendSettings, _ name: String) throws(StorageError) -> Bool? {
        switch settings.string(name) {
        case nil: return nil
        case "true", "1": return true
        case "false", "0": return false
        case .some:
            throw StorageError(
                .configuration, "\(name) is true or false.",
                place: settings.place(of: name))
        }
    }

    private static func share(_ settings: BackendSettings, _ name: String) throws(StorageError) -> Double? {
        guard let share = try units(settings, name) else { return nil }
        guard share <= 1 else {
            throw StorageError(
                .configuration, "\(name) is a share above 0 and at most 1, such as 0.5 for half of the capacity.",
                place: settings.place(of: name))
        }
        return share
    }

    private static func units(_ settings: BackendSettings, _ name: String) throws(StorageError) -> Double? {
        guard let text = settings.string(name) else { return nil }
        guard let units = Double(text), units.isFinite, units > 0 else {
            throw StorageError(
                .configuration, "\(name) must be a number above 0.",
                place: settings.place(of: name))
        }
        return units
    }
}
