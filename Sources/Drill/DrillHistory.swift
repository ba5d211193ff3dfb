import CSystem
import Files
import Glibc
import JSON
package import Storage
package import Telemetry
import Wording

/// What the drills of a folder came to.
package struct DrillHistory: Sendable {
    /// More reports than this are not read: the oldest are left out.
    private static let most = 10_000
    private static let mostBytes = 1 << 20

    /// One drill, as its report has it. A report may have been changed by anybody: what has not the right form counts as not
    /// there.
    package struct Drill: Sendable {
        package let id: String
        package let started: String
        package let result: String
        package let failedPhase: String?
        package let source: String
        package let entries: Int?
        package let bytes: Int?
        package let seconds: Double?
        /// Seconds by phase.
        package let phases: [(phase: String, seconds: Double)]
        package let findings: [String]
        package let version: String?

        package var isGood: Bool { result == DrillRecord.Result.passed.rawValue }

        package var members: [(String, JSONText)] {
            [
                ("drill", .string(id)), ("started", .string(started)), ("result", .string(result)),
                ("failed_phase", .optional(failedPhase)), ("source", .string(source)), ("entries", .optional(entries)),
                ("bytes", .optional(bytes)), ("seconds", .optional(seconds)),
                ("phases", .object(phases.map { ($0.phase, .double($0.seconds)) })),
                ("findings", .array(findings.map { .string($0) })), ("server_version", .optional(version)),
            ]
        }
    }

    /// Oldest first.
    package let drills: [Drill]
    /// Files that are no reports of drills.
    package let unreadable: [String]
    /// Whether a drill is under way.
    package let isBusy: Bool

    /// Reads the reports of a folder, changing nothing.
    ///
    /// - Throws: `.notEmpty` for a folder that is not the drills' own; a missing one has had no drills.
    package init(folder path: String) throws(StorageError) {
        let folder = cs_open_own_directory(AT_FDCWD, path)
        guard folder >= 0 else {
            guard errno == ENOENT else { throw StorageError.system("open", path, errno: errno) }
            (drills, unreadable, isBusy) = ([], [], false)
            return
        }
        defer { Glibc.close(folder) }
        guard case .ours = try DrillFolder.mark.look(folder, path) else {
            throw StorageError(
                .notEmpty,
                "\(path) has no mark of Sealift in it (\(DrillFolder.mark.name)): it is not the drills' own folder. Check "
                    + "`folder`.")
        }
        isBusy = try Self.isLocked(folder, path)
        (drills, unreadable) = try Self.read(folder, path)
    }

    init(readingOf folder: DrillFolder) throws(StorageError) {
        let descriptor = cs_open_own_directory(AT_FDCWD, folder.path)
        guard descriptor >= 0 else { throw StorageError.system("open", folder.path, errno: errno) }
        defer { Glibc.close(descriptor) }
        isBusy = true
        (drills, unreadable) = try Self.read(descriptor, folder.path)
    }

    private static func isLocked(_ folder: Int32, _ path: String) throws(StorageError) -> Bool {
        let mark = cs_open_own_file(folder, DrillFolder.mark.name, O_RDONLY, 0)
        guard mark >= 0 else { return false }
        defer { Glibc.close(mark) }
        return try !takesLock(mark, "\(path)/\(DrillFolder.mark.name)")
    }

    private static func read(_ folder: Int32, _ path: String) throws(StorageError) -> ([Drill], [String]) {
        let history = cs_open_own_directory(folder, "history")
        guard history >= 0 else {
            if errno == ENOENT { return ([], []) }
            throw StorageError.system("open", "\(path)/history", errno: errno)
        }
        defer { Glibc.close(history) }
        let reports = try names(in: history, ".", shown: "\(path)/history").filter { $0.hasSuffix(".json") }
        var (drills, unreadable): ([Drill], [String]) = ([], [])
        for name in reports.suffix(most) {
            let id = String(name.dropLast(5))
            if let drill = drill(history, name, id) { drills.append(drill) } else { unreadable.append(name) }
        }
        return (drills, unreadable)
    }

    private static func drill(_ history: Int32, _ name: String, _ id: String) -> Drill? {
        let file = cs_open_own_file(history, name, O_RDONLY, 0)
        guard file >= 0 else { return nil }
        defer { Glibc.close(file) }
        var bytes = [UInt8](repeating: 0, count: mostBytes)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes {
                pread(file, $0.baseAddress.map { $0 + count }, $0.count - count, off_t(count))
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { return nil }
            if got == 0 { break }
            count += got
        }
        return bytes.withUnsafeBytes { bytes in
            guard count < bytes.count, let parser = try? JSONParser(),
                let root = try? parser.parse(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            else { return nil }
            defer { withExtendedLifetime(parser) {} }
            return drill(root, id)
        }
    }

    private static func drill(_ root: JSONNode, _ id: String) -> Drill? {
        guard root["drill"]?.text == id, let started = root["started"]?.text, let result = root["result"]?.text,
            let source = root["source"], let kind = source["kind"]?.text
        else { return nil }
        let phases = (root["phases"].map { Array($0.elements) } ?? []).compactMap { phase -> (String, Double)? in
            guard let name = phase["phase"]?.text, let seconds = phase["seconds"]?.double, seconds.isFinite,
                seconds >= 0
            else { return nil }
            return (name, seconds)
        }
        return Drill(
            id: id, started: started, result: result, failedPhase: root["failed_phase"]?.text,
            source: "\(kind) \(source["location"]?.text ?? "")", entries: root["entries"]?.integer,
            bytes: root["bytes"]?.integer, seconds: root["seconds"]?.double, phases: phases,
            findings: root["findings"].map { $0.elements.compactMap(\.text) } ?? [],
            version: root["server"]?["version"]?.text)
    }

    /// The last drill of a source that passed.
    func lastGood(of source: String) -> Drill? { drills.last { $0.isGood && $0.source == source } }
}

extension DrillRecord {
    /// Points out what is slower or smaller than in the last good drill of the source.
    mutating func compare(with last: DrillHistory.Drill, slower: Double, smaller: Double) {
        // A drill with a server takes longer than one without: only phases that both have are held against each other.
        var (now, then) = (0.0, 0.0)
        for phase in phases {
            guard let other = last.phases.first(where: { $0.phase == phase.phase.rawValue }) else { continue }
            now += phase.seconds
            then += other.seconds
        }
        func time(_ seconds: Double) -> String { formatDuration(.milliseconds(Int(min(seconds, 1e9) * 1000))) }
        if then > 0, now > then * slower {
            findings.append(
                "Slower than the last good drill (\(last.id)): \(time(now)) for what took \(time(then)) then. See which phase "
                    + "it is, and whether the time to restore is still what you promise.")
        }
        if let entries, let before = last.entries, Double(entries) < Double(before) * smaller {
            findings.append(
                "Smaller than the last good drill (\(last.id)): \(formatCount(entries)) "
                    + "\(plural(entries, "entry", "entries")), and \(formatCount(before)) then. See whether the source is the "
                    + "right one, and whole.")
        } else if let bytes, let before = last.bytes, Double(bytes) < Double(before) * smaller {
            findings.append(
                "Smaller than the last good drill (\(last.id)): \(formatBytes(bytes)) in keys and values, and "
                    + "\(formatBytes(before)) then. See whether the source is the right one, and whole.")
        }
    }
}
