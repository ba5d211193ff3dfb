import RaftFormat
import Testing

/// The bytes that hexadecimal digits spell; spaces are passed over.
func bytes(_ digits: String) throws -> [UInt8] {
    let digits = digits.filter { !$0.isWhitespace }
    var bytes: [UInt8] = []
    var rest = digits[...]
    while !rest.isEmpty {
        bytes.append(try #require(UInt8(rest.prefix(2), radix: 16)))
        rest = rest.dropFirst(2)
    }
    return bytes
}

/// Log entries as hashicorp/raft writes them, all decoded before by its own library.
enum LogVector: String, CaseIterable {
    /// Index 1, term 1, voter node1 at 127.0.0.1:8201, no time.
    case configuration = """
        86aa417070656e6465644174c0a444617461da003581a7536572766572739183a741646472657373ae3132372e302e30
        2e313a38323031a24944a56e6f646531a8537566667261676500aa457874656e73696f6e73c0a5496e64657801a45465
        726d01a45479706505
        """
    /// Index 300, term 2, data 01 02 03, the time in its old form of 15 bytes.
    case commandWithOldTime = """
        86aa417070656e6465644174af010000000edd25742500001770ffffa444617461a3010203aa457874656e73696f6e73
        c0a5496e646578cd012ca45465726d02a45479706500
        """
    /// The same with the time in its new form.
    case commandWithNewTime = """
        86aa417070656e6465644174a800005dc065937d25a444617461a3010203aa457874656e73696f6e73
        c0a5496e646578cd012ca45465726d02a45479706500
        """
    /// Index 2, term 2.
    case noop = """
        86aa417070656e6465644174a800005dc065937d25a444617461c0aa457874656e73696f6e73
        c0a5496e64657802a45465726d02a45479706501
        """
    /// Other libraries: str8 names, bin data, the time as a true extension, an unknown field, wide numbers.
    case foreign = """
        87d90a417070656e6465644174d7ff00005dc065937d25a444617461c403010203aa457874656e73696f6e73c400
        a5496e646578cf0000000100000000a45465726dce00010000a454797065cc04a3666f6f82a16192c2ca00000000a16293d1ffffe0c3
        """
    /// The fields as an array: index 7, term 3, type 0, data, no extensions, no time.
    case array = "96070300a3010203c0c0"
    /// A map of another length form without some of the fields.
    case sparse = "de0001a5496e64657809"

    /// Index, term and kind that it holds.
    var meaning: (index: UInt64, term: UInt64, kind: LogEntryHeader.Kind) {
        switch self {
        case .configuration: (1, 1, .configuration)
        case .commandWithOldTime, .commandWithNewTime: (300, 2, .command)
        case .noop: (2, 2, .noop)
        case .foreign: (1 << 32, 65536, .barrier)
        case .array: (7, 3, .command)
        case .sparse: (9, 0, .command)
        }
    }
}

func header(_ bytes: [UInt8]) throws(RaftFormatError) -> LogEntryHeader {
    try bytes.withUnsafeBufferPointer { bytes throws(RaftFormatError) in
        try LogEntryHeader(decoding: UnsafeRawBufferPointer(bytes))
    }
}
