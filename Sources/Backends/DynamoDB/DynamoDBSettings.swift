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

    /// - Throws: `.configuration`, in the stock backend's words where it has any.
    init(_ settings: BackendSettings) throws(StorageError) {
        table = settings.text(Self.tableOption) ?? ""
        region = settings.text(Self.regionOption) ?? ""
        let endpoint = settings.text(Self.endpointOption)
        let configured =
            endpoint ?? "" == "" ? ConfiguredEndpoint(service: "dynamodb", environment: settings.environment) : nil
        self.endpoint = configured?.text ?? (endpoint == "" ? nil : endpoint)
        endpointSource = configured?.source
        maximumRetries = try settings.integer(Self.retriesOption, "invalid max retry")
        let parallel = try settings.integer(Self.parallelOption, "failed parsing max_parallel parameter") ?? 0
        maximumParallel = parallel > 0 ? parallel : Self.standardParallel
        let read = try settings.integer(Self.readCapacityOption, "invalid read capacity")
        let write = try settings.integer(Self.writeCapacityOption, "invalid write capacity")
        creation = try Self.creation(settings, read, write)
        readsConsistently = try settings.boolean(Self.consistentOption) ?? true
        readRate = CapacityLimit(
            share: try settings.number(Self.readShareOption), units: try settings.number(Self.readUnitsOption))
        writeRate = CapacityLimit(
            share: try settings.number(Self.writeShareOption), units: try settings.number(Self.writeUnitsOption))
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
                place: settings.place(of: Self.tableOption))
        }
    }

    private static func creation(
        _ settings: BackendSettings, _ read: Int?, _ write: Int?
    ) throws(StorageError) -> Creation? {
        let mode = try settings.word(billingOption)
        let isOnDemand = mode == "PAY_PER_REQUEST"
        // 0 means the stock default of 5.
        let provisioned = Creation.provisioned(
            read: read.flatMap { $0 > 0 ? $0 : nil } ?? 5,
            write: write.flatMap { $0 > 0 ? $0 : nil } ?? 5)
        switch settings.text(createOption) {
        case nil: return read != nil || write != nil ? (isOnDemand ? .onDemand : provisioned) : nil
        case "provisioned" where isOnDemand:
            throw StorageError(
                .configuration,
                "create_table = \"provisioned\" and billing_mode = \"PAY_PER_REQUEST\" contradict each other. Remove one.",
                place: settings.place(of: createOption))
        case "on-demand" where mode == "PROVISIONED":
            throw StorageError(
                .configuration,
                "create_table = \"on-demand\" and billing_mode = \"PROVISIONED\" contradict each other. Remove one.",
                place: settings.place(of: createOption))
        case "provisioned": return provisioned
        case "on-demand": return .onDemand
        case "false": return nil
        case .some:
            throw StorageError(
                .configuration, "create_table is on-demand, provisioned or false.",
                place: settings.place(of: createOption))
        }
    }
}
