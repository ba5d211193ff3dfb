import AWS
import HTTPClient
import JSON
import Storage
import Synchronization

/// The way to the service: signs, sends, tries again, keeps to the configured rates and counts what was used. Any
/// number of threads may call at once.
final class TableTransport: Sendable {
    /// Whether and how a request uses capacity.
    enum Capacity { case none, read, write }

    /// Where the service is, for messages and identities.
    let endpoint: String
    private let table: String
    private let client: JSONServiceClient
    private let isCancelled: @Sendable () -> Bool
    private let counts: Counts

    /// What was used, and how fast it may be, shared by many threads.
    private final class Counts: Sendable {
        let activity = Mutex(StoreActivity())
        private let controls: Mutex<(read: RateController, write: RateController)>

        init(_ isCancelled: @escaping @Sendable () -> Bool) {
            controls = Mutex(
                (
                    RateController(limit: nil, isCancelled: isCancelled),
                    RateController(limit: nil, isCancelled: isCancelled)
                ))
        }

        func setControls(read: RateController, write: RateController) { controls.withLock { $0 = (read, write) } }

        func control(_ capacity: Capacity) -> RateController? {
            switch capacity {
            case .none: nil
            case .read: controls.withLock { $0.read }
            case .write: controls.withLock { $0.write }
            }
        }

        func count(retryOf action: String, isThrottled: Bool) {
            activity.withLock { activity in
                activity.retries += 1
                if isThrottled { activity.throttles += 1 }
            }
            if isThrottled { control(TableTransport.isWrite(action) ? .write : .read)?.throttled() }
        }
    }

    /// - Throws: `.configuration` for settings that lead to no service, or if there are no credentials.
    init(_ settings: DynamoDBSettings, _ block: BackendSettings) throws(StorageError) {
        guard ServiceEndpoint.isRegion(settings.region) else {
            throw StorageError(
                .configuration,
                "region \"\(StorageKey(settings.region))\" is no name of an AWS region, such as us-east-1.",
                place: block.place(of: DynamoDBSettings.regionOption))
        }
        let address = try Self.address(settings, block)
        let isCancelled = block.isCancelled
        let counts = Counts(isCancelled)
        var configuration = HTTPConfiguration()
        configuration.isCancelled = isCancelled
        TrustedCertificates(environment: block.environment).apply(to: &configuration)
        var policy = RetryPolicy()
        if let retries = settings.maximumRetries { policy.maximumRetries = max(retries, 0) }
        client = JSONServiceClient(
            JSONServiceClient.Service(
                endpoint: address, region: settings.region, signingName: "dynamodb",
                targetPrefix: "DynamoDB_20120810"),
            credentials: CredentialsChain(
                fixed: CredentialsChain.Fixed(
                    accessKey: block.text(DynamoDBSettings.accessKeyOption) ?? "",
                    secretKey: block.text(DynamoDBSettings.secretKeyOption) ?? "",
                    sessionToken: block.text(DynamoDBSettings.sessionTokenOption) ?? ""), region: settings.region,
                environment: block.environment, isCancelled: isCancelled),
            http: HTTPClient(configuration), policy: policy,
            onRetry: { counts.count(retryOf: $0.action, isThrottled: $0.reason == .throttled) },
            isCancelled: isCancelled)
        endpoint = "\(address)"
        table = settings.table
        self.isCancelled = isCancelled
        self.counts = counts
    }

    /// - Throws: `.configuration` for what is no URL.
    private static func address(
        _ settings: DynamoDBSettings, _ block: BackendSettings
    ) throws(StorageError) -> ServiceEndpoint {
        guard let text = settings.endpoint else {
            if let address = ServiceEndpoint(service: "dynamodb", region: settings.region) { return address }
            throw StorageError(
                .configuration, "region has no endpoint", place: block.place(of: DynamoDBSettings.regionOption))
        }
        if let address = ServiceEndpoint(text) { return address }
        let source = settings.endpointSource.map { ", which \($0) gives," } ?? ""
        throw StorageError(
            .configuration,
            "endpoint \"\(shownAddress(text))\"\(source) is no URL of a service without a user's name, such as "
                + "http://127.0.0.1:8000.",
            place: source.isEmpty ? block.place(of: DynamoDBSettings.endpointOption) : nil)
    }

    /// Keeps to the shares of what the table has provisioned, and to the absolute limits.
    func setRates(_ description: TableDescription?, _ settings: DynamoDBSettings) {
        let read = settings.readRate.unitsPerSecond(provisioned: description?.provisionedRead)
        let write = settings.writeRate.unitsPerSecond(provisioned: description?.provisionedWrite)
        counts.setControls(
            read: RateController(limit: read, isCancelled: isCancelled),
            write: RateController(limit: write, isCancelled: isCancelled))
    }

    /// Units a second that may be used now; `nil` if nothing limits them.
    func rate(_ capacity: Capacity) -> Double? { counts.control(capacity)?.statistics.rate }

    private static func isWrite(_ action: String) -> Bool {
        action == "BatchWriteItem" || action == "DeleteItem" || action == "PutItem"
    }

    /// What was asked so far.
    var activity: StoreActivity {
        var activity = counts.activity.withLock { $0 }
        activity.secondsHeldBack = [Capacity.read, .write].reduce(0) { sum, capacity in
            sum + (counts.control(capacity)?.statistics.waited ?? .zero) / .seconds(1)
        }
        return activity
    }

    /// The service's time, in seconds since 1970, by the answer that came last.
    var serverTime: Int { client.serverNow.seconds }

    /// Closes connections and frees memory that no request uses now.
    func letIdleGo() { client.letIdleGo() }

    /// Makes one request.
    ///
    /// - Parameter read: Sees the reply, which is borrowed for the call.
    /// - Throws: `.missingStore` if there is no such table, `.inUse` if it is being made or changed; what the service or the way to it refuses otherwise.
    func call<Result>(
        _ action: StaticString, _ capacity: Capacity, _ body: JSONWriter,
        _ read: (JSONNode) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        let control = counts.control(capacity)
        let permit = control?.acquire()
        let reply: ServiceReply
        do throws(AWSError) {
            reply = try client.call(action, body: body.bytes)
        } catch {
            if let permit { control?.abandoned(permit) }
            throw storageError(error)
        }
        return try reply.withRoot { root throws(StorageError) in
            let units = Self.consumedUnits(root)
            if let permit { control?.consumed(units, for: permit) }
            counts.activity.withLock { activity in
                activity.requests["\(action)", default: 0] += 1
                switch capacity {
                case .none: break
                case .read: activity.readUnits += units
                case .write: activity.writeUnits += units
                }
            }
            return try read(root)
        }
    }

    /// Makes one request that changes nothing, to find out whether the credentials may make it.
    ///
    /// - Parameter body: What the service refuses for its contents, or a read.
    /// - Returns: `false` if it is refused for want of permission.
    /// - Throws: Whatever says nothing of permissions.
    func isAllowed(_ action: StaticString, _ capacity: Capacity, _ body: JSONWriter) throws(StorageError) -> Bool {
        let control = counts.control(capacity)
        let permit = control?.acquire()
        defer { if let permit { control?.abandoned(permit) } }
        do throws(AWSError) {
            _ = try client.call(action, body: body.bytes)
        } catch {
            switch error.code {
            case .accessDenied: return false
            case .validation, .conditionFailed: break
            default: throw storageError(error)
            }
        }
        counts.activity.withLock { $0.requests["\(action)", default: 0] += 1 }
        return true
    }

    /// ConsumedCapacity is an object, or for batches a list of one for each table.
    private static func consumedUnits(_ reply: JSONNode) -> Double {
        guard let consumed = reply["ConsumedCapacity"] else { return 0 }
        let list = consumed.kind == .array ? Array(consumed.elements) : [consumed]
        return list.reduce(0) { sum, item in
            let units = item["CapacityUnits"]?.double ?? 0
            return units > 0 ? min(sum + units, RateController.mostUnits) : sum
        }
    }

    /// Waits after a batch of which the service left a part undone, which is how it throttles batches.
    func waitAfterLeftovers(_ capacity: Capacity, attempt: Int) throws(StorageError) {
        counts.count(retryOf: capacity == .write ? "BatchWriteItem" : "BatchGetItem", isThrottled: true)
        let longest = min(0.05 * Double(1 << min(attempt, 9)), 20)
        _ = try pause(seconds: Double.random(in: 0...longest))
    }

    /// Waits.
    ///
    /// - Returns: The seconds waited.
    func pause(seconds: Double) throws(StorageError) -> Double {
        TimeSource.system.wait(.seconds(seconds), isCancelled)
        if isCancelled() { throw StorageError.cancelled }
        return seconds
    }

    private func storageError(_ error: AWSError) -> StorageError {
        let place = "DynamoDB table \"\(table)\" at \(endpoint)"
        switch error.code {
        case .cancelled: return .cancelled
        case .noSuchResource:
            return StorageError(
                .missingStore,
                "\(place) does not exist (any more): \(error). If it was deleted during "
                    + "a run, restore it from a backup and run again.")
        case .other(exception: "BackupNotFoundException"):
            return StorageError(.missingStore, "\(place): the backup is not there (any more): \(error)")
        case .resourceInUse: return StorageError(.inUse, "\(place): \(error)")
        case .accessDenied:
            return StorageError(.io, "\(place): \(error) The action is dynamodb:\(error.action).")
        case .throttled:
            return StorageError(.io, "\(place): \(error) max_rcu and max_wcu in the configuration lower the rate.")
        default: return StorageError(.io, "\(place): \(error)")
        }
    }
}
