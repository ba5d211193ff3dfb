/// The content of a command as servers read it: protobuf `LogData`, operations that take effect together
/// (Vault 1.14 and OpenBao `physical/raft/types.proto`, `fsm.go`, `transaction.go`).
///
/// | Kind | Vault | OpenBao |
/// | --- | --- | --- |
/// | 1, 2 | delete, put | the same |
/// | 4 | tells the server that a snapshot was restored | the same |
/// | 8 | read inside a transaction, changes nothing | reserved |
/// | 16, 32 | – | what an entry, a listing must be for the transaction to count |
/// | 64, 128 | – | first and last operation of a transaction |
package enum ServerCommand {
    /// Bytes are borrowed from the command.
    package enum Operation {
        case delete(UnsafeRawBufferPointer)
        case put(UnsafeRawBufferPointer, UnsafeRawBufferPointer)
        /// Changes no entry.
        case notice
        case verifyRead(UnsafeRawBufferPointer, expected: UnsafeRawBufferPointer)
        case verifyList(UnsafeRawBufferPointer, expected: UnsafeRawBufferPointer)
        case begin(UnsafeRawBufferPointer)
        case commit
        /// A kind that no server known here writes, or a condition that only a node of Sealift's own understands.
        case unknown(UInt64)
    }

    /// Hands over a command's operations in their order.
    ///
    /// - Throws: ``RaftFormatError`` if the bytes are no command, perhaps after some operations, or what `visit`
    ///   throws.
    package static func read(_ command: UnsafeRawBufferPointer, _ visit: (Operation) throws -> Void) throws {
        var fields = RawFields(command)
        while let field = try fields.next() {
            if case .bytes(1, let bytes) = field { try visit(try operation(bytes)) }
        }
    }

    private static func operation(_ bytes: UnsafeRawBufferPointer) throws(RaftFormatError) -> Operation {
        var kind: UInt64 = 0
        var key = UnsafeRawBufferPointer(start: nil, count: 0)
        var value = key
        var isOwn = false
        var fields = RawFields(bytes)
        while let field = try fields.next() {
            switch field {
            case .number(1, let number): kind = number
            case .bytes(3, let bytes): key = bytes
            case .bytes(4, let bytes): value = bytes
            case .bytes(1000, _): isOwn = true
            default: break
            }
        }
        guard !isOwn else { return .unknown(1000) }
        switch kind {
        case 1: return .delete(key)
        case 2: return .put(key, value)
        case 4, 8: return .notice
        case 16: return .verifyRead(key, expected: value)
        case 32: return .verifyList(key, expected: value)
        case 64: return .begin(value)
        case 128: return .commit
        default: return .unknown(kind)
        }
    }
}
