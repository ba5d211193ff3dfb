import RaftCore
import RaftFormat
import Zlib

/// An entry of the log as its table keeps it, with a checksum: CRC-32 of the rest u32, term u64, type u8, flags u8 (1 no data,
/// 2 extensions), bytes of the time u8, bytes of the extensions u32, then time, extensions and data; numbers little-endian.
enum StoredEntry {
    private static let headBytes = 19

    static func byteCount(_ entry: WireEntry) -> Int {
        headBytes + (entry.appendedAt?.count ?? 0) + (entry.extensions?.count ?? 0) + (entry.data?.count ?? 0)
    }

    /// Writes it into room of ``byteCount(_:)`` bytes.
    static func encode(_ entry: WireEntry, into room: UnsafeMutableRawBufferPointer) {
        let (time, extensions) = (entry.appendedAt ?? [], entry.extensions ?? [])
        room.storeBytes(of: entry.term.littleEndian, toByteOffset: 4, as: UInt64.self)
        room[12] = UInt8(truncatingIfNeeded: entry.type)
        room[13] = (entry.data == nil ? 1 : 0) | (entry.extensions == nil ? 0 : 2)
        room[14] = UInt8(truncatingIfNeeded: time.count)
        room.storeBytes(
            of: UInt32(truncatingIfNeeded: extensions.count).littleEndian, toByteOffset: 15, as: UInt32.self)
        var place = headBytes
        for part in [time, extensions, entry.data ?? []] {
            part.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: room[place...]).copyMemory(from: $0) }
            place += part.count
        }
        let sum = crc32(UnsafeRawBufferPointer(rebasing: room[4...]))
        room.storeBytes(of: sum.littleEndian, toByteOffset: 0, as: UInt32.self)
    }

    /// Reads an entry; `nil` if its bytes are not what was written.
    static func decode(_ bytes: UnsafeRawBufferPointer, index: UInt64) -> WireEntry? {
        guard bytes.count >= headBytes,
            UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self))
                == crc32(UnsafeRawBufferPointer(rebasing: bytes[4...]))
        else { return nil }
        let term = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt64.self))
        let flags = bytes[13]
        let time = Int(bytes[14])
        let extensions = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 15, as: UInt32.self)))
        guard headBytes + time + extensions <= bytes.count else { return nil }
        let data = headBytes + time + extensions
        return WireEntry(
            type: UInt64(bytes[12]), index: index, term: term, data: flags & 1 == 1 ? nil : Array(bytes[data...]),
            extensions: flags & 2 == 0 ? nil : Array(bytes[(headBytes + time)..<data]),
            appendedAt: time == 0 ? nil : Array(bytes[headBytes..<(headBytes + time)]))
    }
}

/// Types of entries (hashicorp/raft `log.go`).
enum EntryType {
    static let command: UInt64 = 0
    static let noop: UInt64 = 1
    static let barrier: UInt64 = 4
    static let configuration: UInt64 = 5
}

extension WireEntry {
    /// Builds the entry that a head stands for.
    init(_ head: EntryHead, data: [UInt8]?) {
        switch head.kind {
        case .command: self.init(type: EntryType.command, index: head.index, term: head.term, data: data)
        case .noop: self.init(type: EntryType.noop, index: head.index, term: head.term)
        case .barrier: self.init(type: EntryType.barrier, index: head.index, term: head.term)
        case .membership(let membership):
            self.init(
                type: EntryType.configuration, index: head.index, term: head.term,
                data: ClusterConfiguration(membership, index: head.index).packedServers)
        }
    }

    /// What the core knows of it.
    ///
    /// - Throws: For a membership that is none, and for changes of membership in the form of before protocol 3.
    func head() throws(RaftFormatError) -> EntryHead {
        switch type {
        case EntryType.command: return EntryHead(index: index, term: term, kind: .command)
        case EntryType.noop: return EntryHead(index: index, term: term, kind: .noop)
        case EntryType.barrier: return EntryHead(index: index, term: term, kind: .barrier)
        case EntryType.configuration:
            let servers = try ClusterConfiguration(packedServers: data ?? [], index: index)
            return EntryHead(index: index, term: term, kind: .membership(Membership(servers)))
        default: throw RaftFormatError("entry \(index) is of type \(type), which this protocol does not have")
        }
    }

    /// Bytes it takes, about.
    var weight: Int { 64 + (data?.count ?? 0) + (extensions?.count ?? 0) }
}

extension ClusterConfiguration {
    init(_ membership: Membership, index: UInt64) {
        self.init(
            index: index,
            servers: membership.members.map { member in
                ClusterServer(
                    suffrage: member.suffrage == .voter ? .voter : .nonvoter, id: "\(member.id)",
                    address: String(decoding: member.address, as: UTF8.self))
            })
    }
}

extension Membership {
    /// Staging is an older word for servers that do not vote yet.
    init(_ configuration: ClusterConfiguration) {
        self.init(
            configuration.servers.map { server in
                Member(
                    NodeID(Array(server.id.utf8)), address: Array(server.address.utf8),
                    server.suffrage == .voter ? .voter : .nonVoter)
            })
    }
}
