import Glibc
import Storage
import Telemetry

/// What is free on a file system.
struct FreeRoom: Equatable {
    var bytes: Int
    /// Files that can still be made; `nil` on a file system that makes room for them as it goes, such as btrfs.
    var files: Int?

    /// Asks the system; `nil` if it does not say.
    init?(at folder: String) {
        var info = statvfs()
        guard statvfs(folder, &info) == 0 else { return nil }
        self.init(
            freeBlocks: UInt64(info.f_bavail), blockBytes: UInt64(info.f_frsize), allFiles: UInt64(info.f_files),
            freeFiles: UInt64(info.f_favail))
    }

    /// From the figures of `statvfs`, which network file systems make up as they like.
    init(freeBlocks: UInt64, blockBytes: UInt64, allFiles: UInt64, freeFiles: UInt64) {
        bytes = Int(clamping: freeBlocks).clampedProduct(Int(clamping: blockBytes))
        files = allFiles == 0 ? nil : Int(clamping: freeFiles)
    }
}

/// Whether a destination has the room that filling it takes.
struct RoomCheck {
    let destination: any StorageDestination

    /// Why a store of a size does not fit; `nil` if it does, or if that cannot be told.
    func problem(_ size: StoreSize) -> String? {
        guard let needed = destination.roomNeeded(for: size), let free = FreeRoom(at: needed.folder) else { return nil }
        return Self.problem(needed, free)
    }

    static func problem(_ needed: RoomNeeded, _ free: FreeRoom) -> String? {
        var lacking: [String] = []
        if free.bytes < needed.bytes {
            lacking.append("\(formatBytes(free.bytes)) free, the copy needs about \(formatBytes(needed.bytes))")
        }
        if let files = free.files, files < needed.files {
            lacking.append(
                "\(formatCount(files)) inodes free (df -i), the copy needs about \(formatCount(needed.files))")
        }
        guard !lacking.isEmpty else { return nil }
        return "\(needed.folder) has \(lacking.joined(separator: "; and ")). Make room."
    }

    /// Why a source does not fit; looks into it only if what is known without that leaves it open.
    func problem(of source: any StorageSource, counted: StoreSize?, isCancelled: @escaping @Sendable () -> Bool) throws
        -> String?
    {
        var size = counted ?? StoreSize(entries: source.estimatedEntries())
        size.bytes = source.estimatedBytes()
        if size.bytes != nil {
            // An estimate is enough where it fits: a store that was written and deleted from for years holds less.
            guard let found = problem(size) else { return nil }
            return try source.measure(isCancelled: isCancelled).map { problem($0) } ?? found
        }
        size.bytes = source.greatestBytes()
        if size.bytes != nil, problem(size) == nil { return nil }
        guard let measured = try source.measure(isCancelled: isCancelled) else { return nil }
        return problem(measured)
    }
}

/// Counts entries and directories from keys in ascending order.
struct SizeCount {
    private(set) var size = StoreSize(entries: 0, directories: 0)
    private var last: [UInt8] = []

    mutating func add(_ key: UnsafeRawBufferPointer) {
        size.entries = (size.entries ?? 0) + 1
        let slash = UInt8(ascii: "/")
        var common = 0
        while common < min(last.count, key.count), last[common] == key[common] { common += 1 }
        size.directories = (size.directories ?? 0) + key[common...].count { $0 == slash }
        last.removeAll(keepingCapacity: true)
        last.append(contentsOf: key)
    }
}
