/// The content of a command entry: protobuf `LogData`, a list of operations that take effect together
/// (Vault 1.14 `physical/raft/types.proto`).
///
/// | Message | Fields |
/// | --- | --- |
/// | LogData | 1 operations; own: 1000 client id, 1001 sequence number, 1002 whether to prove |
/// | LogOperation | 1 kind (1 delete, 2 put), 3 key, 4 value; own: 1000 what the entry must be before |
///
/// Field 1000 of an operation is empty if there must be no entry, else the SHA-256 of the value that must be there; a server's
/// state machine, which knows no such fields, would apply the operation in any case. Kinds that are not known are passed over,
/// as servers do.
package enum LogCommand {
    /// Who proposed a command, so that one that is proposed again takes effect once.
    package struct Origin: Hashable, Sendable {
        /// Bytes of a client's id.
        package static let clientBytes = 16

        package let client: [UInt8]
        /// Ascending for each client, from 1.
        package let sequence: UInt64

        package init(client: [UInt8], sequence: UInt64) {
            self.client = client
            self.sequence = sequence
        }
    }

    /// What is done to one entry; bytes are borrowed from the command.
    package enum Operation {
        case delete(UnsafeRawBufferPointer)
        case put(UnsafeRawBufferPointer, UnsafeRawBufferPointer)
        /// Every node is to compute the digest of what it holds now.
        case prove
        /// Nothing of the command takes effect unless the entry is what is expected.
        case require(UnsafeRawBufferPointer, expected: UnsafeRawBufferPointer)
    }

    /// Reads a command.
    ///
    /// - Parameter visit: Called for each operation in order; a condition comes before what it is a condition of.
    /// - Returns: Who proposed it, if it says so.
    /// - Throws: If the bytes are no command, perhaps after some operations, or what `visit` throws.
    @discardableResult
    package static func read<Failure: Error>(
        _ command: UnsafeRawBufferPointer, damage: (RaftFormatError) -> Failure,
        visit: (Operation) throws(Failure) -> Void
    ) throws(Failure) -> Origin? {
        var client: [UInt8]?
        var sequence: UInt64 = 0
        var fields = RawFields(command)
        while true {
            let field: RawFields.Field?
            do throws(RaftFormatError) { field = try fields.next() } catch { throw damage(error) }
            switch field {
            case nil:
                guard let client, client.count == Origin.clientBytes, sequence > 0 else { return nil }
                return Origin(client: client, sequence: sequence)
            case .bytes(1, let bytes)?:
                let found: (condition: Operation?, operation: Operation?)
                do throws(RaftFormatError) { found = try operation(bytes) } catch { throw damage(error) }
                if let condition = found.condition { try visit(condition) }
                if let operation = found.operation { try visit(operation) }
            case .bytes(1000, let bytes)?: client = Array(bytes)
            case .number(1001, let number)?: sequence = number
            case .number(1002, 1)?: try visit(.prove)
            default: break
            }
        }
    }

    private static func operation(
        _ bytes: UnsafeRawBufferPointer
    ) throws(RaftFormatError) -> (condition: Operation?, operation: Operation?) {
        var kind: UInt64 = 0
        var key = UnsafeRawBufferPointer(start: nil, count: 0)
        var value = key
        var expected: UnsafeRawBufferPointer?
        var fields = RawFields(bytes)
        while let field = try fields.next() {
            switch field {
            case .number(1, let number): kind = number
            case .bytes(3, let bytes): key = bytes
            case .bytes(4, let bytes): value = bytes
            case .bytes(1000, let bytes): expected = bytes
            default: break
            }
        }
        let condition = expected.map { Operation.require(key, expected: $0) }
        switch kind {
        case 1: return (condition, .delete(key))
        case 2: return (condition, .put(key, value))
        default: return (nil, nil)
        }
    }
}

/// Builds a command operation by operation.
package struct LogCommandWriter: Sendable {
    /// The command so far.
    package private(set) var bytes: [UInt8] = []
    /// Operations so far.
    package private(set) var count = 0

    package init() {}

    package mutating func reserve(_ count: Int) {
        bytes.reserveCapacity(count)
    }

    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        count = 0
    }

    /// - Parameter expected: As ``LogCommand/Operation/require(_:expected:)`` has it; `nil` for no condition.
    package mutating func put(
        _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, expected: [UInt8]? = nil
    ) {
        begin(kind: 2, key, value, expected)
        if !value.isEmpty { bytes.append(field: 0x22, value) }
        finish(expected)
    }

    package mutating func delete(_ key: UnsafeRawBufferPointer, expected: [UInt8]? = nil) {
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        begin(kind: 1, key, none, expected)
        finish(expected)
    }

    /// Asks every node for the digest of what it holds.
    package mutating func prove() {
        bytes.append(varint: 1002 << 3)
        bytes.append(1)
    }

    package mutating func setOrigin(_ origin: LogCommand.Origin) {
        bytes.append(varint: 1000 << 3 | 2)
        bytes.append(varint: UInt64(origin.client.count))
        bytes.append(contentsOf: origin.client)
        bytes.append(varint: 1001 << 3)
        bytes.append(varint: origin.sequence)
    }

    private mutating func begin(
        kind: UInt8, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ expected: [UInt8]?
    ) {
        func field(_ count: Int) -> Int { 1 + varintBytes(count) + count }
        var size = 2 + field(key.count)
        if !value.isEmpty { size += field(value.count) }
        if let expected { size += 2 + varintBytes(expected.count) + expected.count }
        bytes.append(0x0a)
        bytes.append(varint: UInt64(size))
        bytes.append(0x08)
        bytes.append(kind)
        bytes.append(field: 0x1a, key)
        count += 1
    }

    private mutating func finish(_ expected: [UInt8]?) {
        guard let expected else { return }
        bytes.append(varint: 1000 << 3 | 2)
        bytes.append(varint: UInt64(expected.count))
        bytes.append(contentsOf: expected)
    }
}
