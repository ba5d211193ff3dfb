import Glibc
import HTTPServer
import JSON
import Storage
import Synchronization
import Telemetry
import Zlib

/// Answers requests: who asks, what is asked, and what is to go wrong.
final class RequestHandler: Sendable {
    private static let target = "DynamoDB_20120810."
    private static let contentType = "application/x-amz-json-1.0"
    /// Parsers kept while nobody uses them.
    private static let maximumIdleTools = 16

    /// What a thread needs to read requests and items.
    // Unchecked: owned by the request that took it.
    private final class Tools: @unchecked Sendable {
        let parser: JSONParser
        let reader: StoredItemReader

        init() throws(ServiceError) {
            do throws(JSONError) { parser = try JSONParser() } catch { throw .internalError }
            reader = try StoredItemReader()
        }
    }

    let counters = RequestCounters()
    private let store: TableStore
    private let capacity: CapacityMeter
    private let authenticator: Authenticator
    private let backups: BackupService
    private let faults: FaultPlan
    private let logger: Logger
    private let numbers = Atomic<Int>(0)
    private let idleTools = Mutex<[Tools]>([])
    /// The reason for which the database failed last.
    private let lastCause = Mutex<String?>(nil)
    /// Tells this run's request ids from another's.
    private let run = monotonicSeconds().bitPattern

    init(_ store: TableStore, _ options: PracticeTable.Options, _ logger: Logger) {
        self.store = store
        self.logger = logger
        faults = options.faults
        backups = BackupService(secondsOfBackup: options.secondsOfBackup, exportFolder: options.exportFolder)
        capacity = CapacityMeter(allowsBursts: options.allowsBursts, clock: monotonicSeconds)
        authenticator = Authenticator(options.credentials, expiresAfter: options.faults.expiredAfter)
    }

    /// Answers one request.
    func answer(_ request: HTTPServerRequest) -> HTTPServerResponse {
        guard request.method != "GET" else { return statistics(request) }
        guard request.method == "POST", request.path == "/" else {
            return HTTPServerResponse(status: 404, text: "<UnknownOperationException/>\n")
        }
        let number = numbers.add(1, ordering: .relaxed).newValue
        let name = operationName(request)
        counters.change { counts in
            counts.requests[name ?? "unknown", default: 0] += 1
            counts.bytesReceived += request.body.count
        }
        var response = respond(request, name, number)
        if response.delivery != .dropped { spoil(&response, number) }
        let (status, sent) = (response.status, response.body.count)
        counters.change { $0.bytesSent += sent }
        logger.debug(
            "request",
            [
                "number": .integer(number), "operation": .string(name ?? "unknown"), "status": .integer(status),
                "bytes": .integer(sent),
            ])
        return response
    }

    private func statistics(_ request: HTTPServerRequest) -> HTTPServerResponse {
        guard request.path == "/" else { return HTTPServerResponse(status: 404, text: "not found\n") }
        return HTTPServerResponse(
            status: 200, headers: [("Content-Type", "application/json")],
            body: HTTPServerBody(copying: counters.snapshot.json))
    }

    private func operationName(_ request: HTTPServerRequest) -> String? {
        guard let header = request.header("x-amz-target"), header.hasPrefix(Self.target) else { return nil }
        let name = String(header.dropFirst(Self.target.count))
        return Self.operations.contains(name) ? name : nil
    }

    /// What is said of an operation that is not served; the service itself says nothing.
    private static func unserved(_ request: HTTPServerRequest) -> String {
        let target = request.header("x-amz-target") ?? ""
        let asked = target.split(separator: ".").last.map(String.init) ?? ""
        let isName = !asked.isEmpty && asked.utf8.count <= 80 && asked.utf8.allSatisfy(ExpressionLexer.isNamePart)
        let name = isName && target.hasPrefix(self.target) ? asked : "an operation without a known name in X-Amz-Target"
        return "The practice table does not serve \(name). It serves \(operations.sorted().joined(separator: ", "))."
    }

    /// The answer, or none where the connection is to be dropped.
    private func respond(_ request: HTTPServerRequest, _ name: String?, _ number: Int) -> HTTPServerResponse {
        let drops = strikes(.drop, number)
        if drops, !faults.isCarriedOut(request: number) { return .dropped }
        let body: HTTPServerBody
        var status = 200
        do throws(ServiceError) {
            body = try carryOut(request, name, number)
        } catch {
            counters.change { counts in
                counts.errors[error.name, default: 0] += 1
                if error == .throughputExceeded { counts.throttles += 1 }
            }
            status = error.status
            if let cause = error.cause { log(cause) }
            body = HTTPServerBody(copying: error.json)
        }
        if drops { return .dropped }
        let checksum = crc32(body.bytes)
        return HTTPServerResponse(
            status: status,
            headers: [
                ("Content-Type", Self.contentType), ("x-amzn-RequestId", requestID(number)),
                ("x-amz-crc32", String(strikes(.crc, number) ? checksum ^ 1 : checksum)),
            ], body: body)
    }

    private func carryOut(
        _ request: HTTPServerRequest, _ name: String?, _ number: Int
    ) throws(ServiceError) -> HTTPServerBody {
        guard let name else { throw .common("UnknownOperationException", Self.unserved(request)) }
        try authenticator.check(request, number)
        if faults.denied.contains(name) {
            counters.change { $0.faults["deny", default: 0] += 1 }
            throw .denied(name)
        }
        if strikes(.http500, number) { throw .internalError }
        if strikes(.throttle, number) { throw .throughputExceeded }
        let tools = try takeTools()
        defer { giveBack(tools) }
        return try request.body.withUnsafeBufferPointer { bytes throws(ServiceError) in
            let root: JSONNode
            do throws(JSONError) {
                root = try tools.parser.parse(UnsafeRawBufferPointer(bytes))
            } catch {
                throw .serialization("")
            }
            let body = try RequestBody(root)
            deleteTableIfDue(body, number)
            return try carryOut(name, body, tools.reader, number)
        }
    }

    private func carryOut(
        _ name: String, _ body: RequestBody, _ reader: StoredItemReader, _ number: Int
    ) throws(ServiceError) -> HTTPServerBody {
        var item = 0
        let faults = faults
        var operation = Operation(store: store, capacity: capacity, request: body, reader: reader, backups: backups) {
            item += 1
            return faults.strikes(.unprocessed, request: number, item: item)
        }
        defer { account(operation) }
        do throws(ServiceError) {
            return try operation.perform(name)
        } catch {
            // A table that was deleted while it was read.
            if error.name == ServiceError.internalError.name, let table = try body.string("TableName"),
                store.table(table) == nil
            {
                throw .tableNotFound
            }
            throw error
        }
    }

    /// Logs what is wrong with the database: each reason when it comes up, not with every request that it fails.
    private func log(_ cause: StorageError) {
        let isNew = lastCause.withLock { last in
            defer { last = cause.message }
            return last != cause.message
        }
        if isNew { logger.error("the database cannot be used", ["error": .string(cause.message)]) }
    }

    private func account(_ operation: Operation) {
        let consumed = operation.consumed.values.reduce(into: Consumption()) { $0 += $1 }
        counters.change { counts in
            counts.readUnits += consumed.read
            counts.writeUnits += consumed.write
            counts.throttles += operation.throttledItems
        }
    }

    private func takeTools() throws(ServiceError) -> Tools {
        if let idle = idleTools.withLock({ $0.popLast() }) { return idle }
        return try Tools()
    }

    private func giveBack(_ tools: Tools) {
        idleTools.withLock { idle in
            if idle.count < Self.maximumIdleTools { idle.append(tools) }
        }
    }

    /// The service's ids have 52 characters.
    private func requestID(_ number: Int) -> String {
        let text = String(run, radix: 32, uppercase: true) + "PRACTICE" + String(number, radix: 10)
        return text + String(repeating: "A", count: max(0, 52 - text.utf8.count))
    }
}

// MARK: Faults

extension RequestHandler {
    private func strikes(_ kind: FaultPlan.Kind, _ number: Int) -> Bool {
        guard faults.strikes(kind, request: number) else { return false }
        counters.change { $0.faults[kind.rawValue, default: 0] += 1 }
        return true
    }

    /// Delays or cuts off an answer, if that is its fate.
    private func spoil(_ response: inout HTTPServerResponse, _ number: Int) {
        if strikes(.slow, number) { usleep(UInt32(faults.slowMilliseconds) * 1000) }
        if strikes(.truncate, number) { response.delivery = .truncated(bytes: response.body.count / 2) }
    }

    private func deleteTableIfDue(_ request: RequestBody, _ number: Int) {
        guard let bound = faults.deleteTableAfter, number == bound + 1 else { return }
        let batch = request.member("RequestItems")?.members.first { _ in true }
        let name = request.member("TableName")?.text ?? batch.map { String(decoding: $0.name, as: UTF8.self) }
        guard let name, (try? store.deleteTable(name)) != nil else { return }
        counters.change { $0.faults["delete-table-after", default: 0] += 1 }
    }
}

extension ServiceError {
    /// The error as the body of an answer.
    var json: [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.name("__type")
        json.string(type)
        if !message.isEmpty {
            json.name(hasCapitalMessage ? "Message" : "message")
            json.string(message)
        }
        if let item {
            json.name("Item")
            item.withUnsafeBytes { json.raw($0) }
        }
        json.endObject()
        return json.bytes
    }
}

/// Seconds since the machine started.
func monotonicSeconds() -> Double {
    var moment = timespec()
    clock_gettime(CLOCK_MONOTONIC, &moment)
    return Double(moment.tv_sec) + Double(moment.tv_nsec) / 1e9
}
